"""How the state of a request or a session has changed."""

from mentorapi.schemas.common import (
    ARRAY_PAGING,
    INSTANT,
    NULLABLE_TEXT,
    TEXT,
    choice,
    list_of,
    named,
    query,
    shape,
    such_as,
)
from mentorapi.schemas.operation import Operation

NULLABLE_INSTANT = {"type": ["string", "null"], "format": "date-time"}

CHANGE = named(
    "StateChange",
    shape(
        {
            "from": such_as(NULLABLE_TEXT, "pending", "Null for the first state."),
            "to": such_as(TEXT, "accepted"),
            "by": such_as(
                choice("mentor", "mentee", "system", "admin"),
                "mentor",
                "`system` is the passing of time, `admin` a change made in the database.",
            ),
            "reason": such_as(NULLABLE_TEXT, None),
            "startTime": {
                **such_as(NULLABLE_INSTANT, None),
                "description": "A session's times after the change; null for requests.",
            },
            "endTime": such_as(NULLABLE_INSTANT, None),
            "at": INSTANT,
        }
    ),
)

LIST_OF_REQUEST = Operation(
    name="listRequestChanges",
    summary="How a request's state has changed, oldest first",
    description="Who made each change and why, for the mentor and the mentee.",
    query=query(ARRAY_PAGING),
    response=list_of(CHANGE),
)

LIST_OF_SESSION = Operation(
    name="listSessionChanges",
    summary="How a session's state and times have changed, oldest first",
    description="Who made each change and why, for the mentor and the mentee.",
    query=query(ARRAY_PAGING),
    response=list_of(CHANGE),
)
