"""The changes of a request or a session."""

from mentorapi.schemas import common, examples
from mentorapi.schemas.operation import Operation

CHANGE = common.response_object(
    "StateChange",
    **{"from": common.nullable_text("pending", "Null for the first state.")},
    to=common.text("accepted"),
    by=common.with_example(
        common.choice("mentor", "mentee", "system", "admin"),
        "mentor",
        "`system`: its time came. `admin`: a change in the database.",
    ),
    reason=common.nullable_text(None),
    startTime=common.nullable(
        common.instant(None, "A session's times after the change; null for requests.")
    ),
    endTime=common.nullable(common.instant(None)),
    at=common.INSTANT,
)

LIST_REQUEST_CHANGES = Operation(
    name="listRequestChanges",
    summary="How a request's state has changed, oldest first",
    description="Who made each change and why, for the mentor and the mentee.",
    **common.list_of(CHANGE),
)

LIST_SESSION_CHANGES = Operation(
    name="listSessionChanges",
    summary="How a session's state and times have changed, oldest first",
    description="Who made each change and why, for the mentor and the mentee.",
    **common.list_of(CHANGE),
    example=[
        {
            "from": None,
            "to": "confirmed",
            "by": "mentor",
            "reason": None,
            "startTime": f"{examples.MONDAY}T09:00:00Z",
            "endTime": f"{examples.MONDAY}T10:00:00Z",
            "at": "2026-02-08T09:30:00Z",
        }
    ],
)
