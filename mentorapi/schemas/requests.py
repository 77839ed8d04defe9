"""Requests: a mentee asks for a time, the mentor answers."""

from mentorapi.schemas.common import (
    ARRAY_PAGING,
    COUNT,
    DATE,
    DURATION,
    ID,
    INSTANT,
    MENTEE,
    MENTOR,
    NULLABLE_TEXT,
    REASON,
    TEXT,
    TIME,
    USER_ID,
    choice,
    fields,
    free_text,
    list_of,
    query,
    shape,
    text,
)
from mentorapi.schemas.operation import Operation
from mentorapi.schemas.sessions import SESSION

STATUS = choice("pending", "accepted", "rejected", "cancelled")

REQUEST = shape(
    {
        "id": ID,
        "mentorId": ID,
        "menteeId": USER_ID,
        "topic": TEXT,
        "message": NULLABLE_TEXT,
        "scheduledDate": DATE,
        "scheduledTime": TIME,
        "duration": DURATION,
        "location": NULLABLE_TEXT,
        "startTime": INSTANT,
        "endTime": INSTANT,
        "status": STATUS,
        "rejectionReason": NULLABLE_TEXT,
        "bookingId": {"type": ["string", "null"], "format": "uuid"},
        "mentor": MENTOR,
        "mentee": MENTEE,
        "createdAt": INSTANT,
        "updatedAt": INSTANT,
    }
)

CREATE = Operation(
    summary="Ask a mentor for a session",
    description="`scheduledDate` and `scheduledTime` are in UTC. The time must lie in the mentor's "
    "weekly windows and keep clear of live sessions; `duration` defaults to the mentor's own, "
    "`location` to the mentor's meeting link. A pending request holds no time.",
    status=201,
    body=fields(
        {
            "mentorId": {"type": "string"},
            "topic": text(200),
            "message": free_text(2000),
            "scheduledDate": DATE,
            "scheduledTime": TIME,
            "duration": DURATION,
            "location": free_text(200),
        },
        ["mentorId", "topic", "scheduledDate", "scheduledTime"],
    ),
    response=REQUEST,
)

LIST = Operation(
    summary="One's own requests, newest first",
    description="`role` is the side one is on: `sent` as a mentee, `received` as a mentor; both "
    "if left out.",
    query=query({"role": choice("sent", "received"), "status": STATUS, **ARRAY_PAGING}),
    response=list_of(REQUEST),
)

LIST_ACTIVE = Operation(
    summary="One's own active requests to a mentor, soonest first",
    description="The pending ones, and the accepted ones whose session is still live.",
    query=query(ARRAY_PAGING),
    response=list_of(REQUEST),
)

COUNT_PENDING = Operation(
    summary="How many requests wait for one's answer, as a plain number", response=COUNT
)

SHOW = Operation(summary="A request, for its two parties", response=REQUEST)

ACCEPT = Operation(
    summary="The mentor accepts; a confirmed session comes of it",
    body=fields({}),
    body_optional=True,
    response=shape({"request": REQUEST, "booking": SESSION}),
)

REJECT = Operation(
    summary="The mentor rejects",
    body=fields({"reason": REASON}),
    body_optional=True,
    response=REQUEST,
)

CANCEL = Operation(
    summary="The mentee takes the request back",
    body=fields({}),
    body_optional=True,
    response=REQUEST,
)

UPDATE = Operation(
    summary="Accept, reject or cancel a request by its status",
    description="Does exactly what the action of that name does; `reason` is kept on a rejection.",
    body=fields(
        {"status": choice("accepted", "rejected", "cancelled"), "reason": REASON}, ["status"]
    ),
    response=REQUEST,
)
