"""Requests: a mentee asks for a time, the mentor answers."""

from mentorapi.schemas import examples
from mentorapi.schemas.common import (
    ARRAY_PAGING,
    COUNT,
    CURRENCY,
    DATE,
    DURATION,
    ENDS,
    ID,
    INSTANT,
    MEETING_LINK,
    MENTEE,
    MENTEE_USER_ID,
    MENTOR,
    MENTOR_ID,
    MESSAGE,
    NOTHING,
    NULLABLE_TEXT,
    RATE,
    REASON,
    STARTS,
    TEXT,
    TIME,
    TOPIC,
    choice,
    empty_is_null,
    fields,
    free_line,
    free_text,
    list_of,
    named,
    no_script,
    query,
    shape,
    such_as,
    text,
)
from mentorapi.schemas.operation import Operation
from mentorapi.schemas.sessions import SESSION
from mentorapi.schemas.sessions import STATUS as SESSION_STATUS
from mentorapi.transitions import ANSWERS, describe_states
from mentorapi.transitions import REQUEST as REQUEST_STATES

STATUS = named(
    "RequestStatus",
    {**choice(*REQUEST_STATES.states), "description": describe_states(REQUEST_STATES)},
)

BOOKING = named(
    "RequestBooking",
    shape(
        {
            "id": such_as(ID, examples.SESSION_ID),
            "status": SESSION_STATUS,
            "startTime": STARTS,
            "endTime": ENDS,
        }
    ),
)

REQUEST = named(
    "MentorshipRequest",
    shape(
        {
            "id": such_as(ID, examples.REQUEST_ID),
            "mentorId": MENTOR_ID,
            "menteeId": MENTEE_USER_ID,
            "topic": TOPIC,
            "message": MESSAGE,
            "scheduledDate": DATE,
            "scheduledTime": TIME,
            "duration": DURATION,
            "location": MEETING_LINK,
            "startTime": STARTS,
            "endTime": ENDS,
            "status": STATUS,
            "rejectionReason": such_as(NULLABLE_TEXT, None),
            "sessionRate": RATE,
            "sessionCurrency": CURRENCY,
            "bookingId": {
                "type": ["string", "null"],
                "format": "uuid",
                "description": "The session that came of it.",
                "examples": [None],
            },
            "booking": such_as(
                {"anyOf": [BOOKING, {"type": "null"}]},
                None,
                "What has become of that session. It may have been moved.",
            ),
            "mentor": MENTOR,
            "mentee": MENTEE,
            "createdAt": INSTANT,
            "updatedAt": INSTANT,
        }
    ),
)

REJECTION = such_as(REASON, "I am away that week. Do ask me for another time.")

CREATE = Operation(
    name="createRequest",
    summary="Ask a mentor for a session",
    description="`scheduledDate` and `scheduledTime` are in UTC. The time must lie in the mentor's "
    "weekly windows and keep clear of live sessions; `duration` defaults to the mentor's own, "
    "`location` to the mentor's meeting link as it is when the request is accepted. The rate is "
    "the mentor's as it is now. A pending request holds no time; it ends as `rejected` when its "
    "time comes without an answer.",
    status=201,
    body=named(
        "NewRequest",
        fields(
            {
                "mentorId": such_as(
                    TEXT, examples.FREE_MENTOR_ID, "The mentor's profile id, not the user's."
                ),
                "topic": text(200, examples=TOPIC["examples"]),
                "message": free_text(2000, examples=MESSAGE["examples"]),
                "scheduledDate": DATE,
                "scheduledTime": TIME,
                "duration": DURATION,
                "location": empty_is_null(
                    no_script(free_line(200, examples=MEETING_LINK["examples"]))
                ),
            },
            ["mentorId", "topic", "scheduledDate", "scheduledTime"],
        ),
    ),
    response=REQUEST,
    example={
        "mentorId": examples.FREE_MENTOR_ID,
        "mentor": {
            "id": examples.FREE_MENTOR_ID,
            "userId": examples.FREE_MENTOR_USER,
            "name": "Siobhán Ní Bhriain",
            "avatar": None,
        },
    },
)

LIST = Operation(
    name="listRequests",
    summary="One's own requests, newest first",
    description="`role` is the side one is on: `sent` as a mentee, `received` as a mentor; both "
    "if left out. A request whose time has come without an answer is `rejected`.",
    query=query({"role": choice("sent", "received"), "status": STATUS, **ARRAY_PAGING}),
    response=list_of(REQUEST),
)

LIST_ACTIVE = Operation(
    name="listMyRequestsForMentor",
    summary="One's own active requests to a mentor, soonest first",
    description="The pending ones, and the accepted ones whose session is still live. The times "
    "are those of the session, which may have been moved.",
    query=query(ARRAY_PAGING),
    response=list_of(REQUEST),
)

COUNT_PENDING = Operation(
    name="countPendingRequests",
    summary="How many requests wait for one's answer, as a plain number",
    description="For a badge: requests to oneself as a mentor whose time has not come yet.",
    response=COUNT,
)

SHOW = Operation(
    name="getRequest",
    summary="A request, for its two parties",
    description="Others than the mentor and the mentee may not see it.",
    response=REQUEST,
)

ACCEPT = Operation(
    name="acceptRequest",
    summary="The mentor accepts; a confirmed session comes of it",
    description="The session begins as `confirmed`, at the rate of the request. Of several "
    "requests for one time only one can be accepted; the others stay pending.",
    body=NOTHING,
    body_optional=True,
    response=named("AcceptedRequest", shape({"request": REQUEST, "booking": SESSION})),
    example={
        "request": {
            "status": "accepted",
            "bookingId": examples.SESSION_ID,
            "booking": {
                "id": examples.SESSION_ID,
                "status": "confirmed",
                "startTime": STARTS["examples"][0],
                "endTime": ENDS["examples"][0],
            },
        }
    },
)

REJECT = Operation(
    name="rejectRequest",
    summary="The mentor rejects",
    description="A `reason` is shown to the mentee as `rejectionReason`.",
    body=named("Rejection", fields({"reason": REJECTION})),
    body_optional=True,
    response=REQUEST,
    example={"status": "rejected", "rejectionReason": REJECTION["examples"][0]},
)

CANCEL = Operation(
    name="cancelRequest",
    summary="The mentee takes the request back",
    description="Only while it is pending. A session that came of it is cancelled by itself.",
    body=NOTHING,
    body_optional=True,
    response=REQUEST,
    example={"status": "cancelled"},
)

UPDATE = Operation(
    name="updateRequest",
    summary="Accept, reject or cancel a request by its status",
    description="Does exactly what the action of that name does; `reason` is kept on a rejection.",
    body=named(
        "RequestUpdate",
        fields(
            {
                "status": such_as(choice(*(one.to for one in ANSWERS)), "rejected"),
                "reason": REJECTION,
            },
            ["status"],
        ),
    ),
    response=REQUEST,
    example=REJECT.example,
)
