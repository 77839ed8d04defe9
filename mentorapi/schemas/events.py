"""How the state of a request or a session has changed."""

from mentorapi.schemas.common import (
    ARRAY_PAGING,
    INSTANT,
    NULLABLE_TEXT,
    TEXT,
    array_of,
    choice,
    query_object,
    response_object,
    with_example,
)
from mentorapi.schemas.operation import Operation

NULLABLE_INSTANT = {"type": ["string", "null"], "format": "date-time"}

CHANGE = response_object(
    "StateChange",
    {
        "from": with_example(NULLABLE_TEXT, "pending", "Null for the first state."),
        "to": with_example(TEXT, "accepted"),
        "by": with_example(
            choice("mentor", "mentee", "system", "admin"),
            "mentor",
            "`system` is the passing of time, `admin` a change made in the database.",
        ),
        "reason": with_example(NULLABLE_TEXT, None),
        "startTime": {
            **with_example(NULLABLE_INSTANT, None),
            "description": "A session's times after the change; null for requests.",
        },
        "endTime": with_example(NULLABLE_INSTANT, None),
        "at": INSTANT,
    },
)

LIST_OF_REQUEST = Operation(
    name="listRequestChanges",
    summary="How a request's state has changed, oldest first",
    description="Who made each change and why, for the mentor and the mentee.",
    query=query_object(ARRAY_PAGING),
    response=array_of(CHANGE),
)

LIST_OF_SESSION = Operation(
    name="listSessionChanges",
    summary="How a session's state and times have changed, oldest first",
    description="Who made each change and why, for the mentor and the mentee.",
    query=query_object(ARRAY_PAGING),
    response=array_of(CHANGE),
)
