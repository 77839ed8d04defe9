"""The changes of a request or a session."""

from mentorapi.schemas import common
from mentorapi.schemas.operation import Operation

NULLABLE_INSTANT = {"type": ["string", "null"], "format": "date-time"}

CHANGE = common.response_object(
    "StateChange",
    **{"from": common.with_example(common.NULLABLE_TEXT, "pending", "Null for the first state.")},
    to=common.with_example(common.TEXT, "accepted"),
    by=common.with_example(
        common.choice("mentor", "mentee", "system", "admin"),
        "mentor",
        "`system`: its time came. `admin`: a change in the database.",
    ),
    reason=common.with_example(common.NULLABLE_TEXT, None),
    startTime={
        **common.with_example(NULLABLE_INSTANT, None),
        "description": "A session's times after the change; null for requests.",
    },
    endTime=common.with_example(NULLABLE_INSTANT, None),
    at=common.INSTANT,
)

LIST_OF_REQUEST = Operation(
    name="listRequestChanges",
    summary="How a request's state has changed, oldest first",
    description="Who made each change and why, for the mentor and the mentee.",
    query=common.query_object(**common.ARRAY_PAGING),
    response=common.array_of(CHANGE),
)

LIST_OF_SESSION = Operation(
    name="listSessionChanges",
    summary="How a session's state and times have changed, oldest first",
    description="Who made each change and why, for the mentor and the mentee.",
    query=common.query_object(**common.ARRAY_PAGING),
    response=common.array_of(CHANGE),
)
