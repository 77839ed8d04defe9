"""Sessions, from confirmed to settled."""

from mentorapi.schemas.common import (
    ARRAY_PAGING,
    CURRENCY,
    DURATION,
    ID,
    INSTANT,
    MENTEE,
    MENTOR,
    NULLABLE_TEXT,
    RATE,
    REASON,
    TEXT,
    USER_ID,
    choice,
    fields,
    free_text,
    list_of,
    query,
    shape,
)
from mentorapi.schemas.operation import Operation

STATUS = choice(
    "pending",
    "confirmed",
    "rescheduled",
    "in_progress",
    "pending_completion",
    "completed",
    "disputed",
    "cancelled",
)

REVIEW = shape(
    {
        "id": ID,
        "rating": {"type": "integer", "minimum": 1, "maximum": 5},
        "comment": NULLABLE_TEXT,
        "createdAt": INSTANT,
    }
)

SESSION = shape(
    {
        "id": ID,
        "requestId": {"type": ["string", "null"], "format": "uuid"},
        "mentorId": ID,
        "menteeId": USER_ID,
        "topic": TEXT,
        "message": NULLABLE_TEXT,
        "startTime": INSTANT,
        "endTime": INSTANT,
        "duration": DURATION,
        "location": NULLABLE_TEXT,
        "status": STATUS,
        "cancellationReason": NULLABLE_TEXT,
        "cancelledBy": NULLABLE_TEXT,
        "sessionRate": RATE,
        "sessionCurrency": CURRENCY,
        "mentor": MENTOR,
        "mentee": MENTEE,
        "review": {"anyOf": [REVIEW, {"type": "null"}]},
        "createdAt": INSTANT,
        "updatedAt": INSTANT,
    }
)

FLAG = {"type": "boolean", "default": False}

LIST = Operation(
    summary="One's own sessions",
    description="`upcoming=true` lists soonest first, everything else latest first; `role` left "
    "out means both sides.",
    query=query(
        {
            "role": choice("mentor", "mentee"),
            "status": STATUS,
            "upcoming": FLAG,
            "past": FLAG,
            **ARRAY_PAGING,
        }
    ),
    response=list_of(SESSION),
)

SHOW = Operation(summary="A session, for its two parties", response=SESSION)


def action(summary: str, description: str = "") -> Operation:
    return Operation(
        summary=summary,
        description=description,
        body=fields({}),
        body_optional=True,
        response=SESSION,
    )


CONFIRM = action("The mentor confirms a pending session")
COMPLETE = action(
    "The mentor marks a session complete",
    "Only after its end. The mentee then confirms or disputes.",
)
CONFIRM_COMPLETION = action(
    "The mentee confirms that the session took place",
    "Now it counts in the mentor's statistics and can be reviewed.",
)
DISPUTE = action("The mentee disputes that the session took place")

CANCEL = Operation(
    summary="Either party cancels a session",
    body=fields({"reason": REASON}),
    body_optional=True,
    response=SESSION,
)

RESCHEDULE = Operation(
    summary="The mentor moves a session to a new time",
    description="It may leave the weekly windows but not come closer to another live session than "
    "the buffer. 15 to 180 whole minutes, in the future.",
    body=fields({"newStartTime": INSTANT, "newEndTime": INSTANT}, ["newStartTime", "newEndTime"]),
    response=SESSION,
)

REVIEW_SESSION = Operation(
    summary="The mentee reviews a completed session",
    status=201,
    body=fields(
        {"rating": {"type": "integer", "minimum": 1, "maximum": 5}, "comment": free_text(1000)},
        ["rating"],
    ),
    response=SESSION,
)
