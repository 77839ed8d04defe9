"""Requests: a mentee requests a time, the mentor answers."""

from mentorapi.schemas import common, examples, sessions
from mentorapi.schemas.operation import Operation
from mentorapi.transitions import ANSWERS, describe_states
from mentorapi.transitions import REQUEST as REQUEST_STATES

STATUS = common.component(
    "RequestStatus",
    {**common.choice(*REQUEST_STATES.states), "description": describe_states(REQUEST_STATES)},
)

BOOKING = common.response_object(
    "RequestBooking",
    id=common.with_example(common.ID, examples.SESSION_ID),
    status=sessions.STATUS,
    startTime=common.SESSION_START,
    endTime=common.SESSION_END,
)

REQUEST = common.response_object(
    "MentorshipRequest",
    id=common.with_example(common.ID, examples.REQUEST_ID),
    mentorId=common.MENTOR_ID,
    menteeId=common.MENTEE_USER_ID,
    topic=common.TOPIC,
    message=common.MESSAGE,
    scheduledDate=common.DATE,
    scheduledTime=common.TIME,
    duration=common.DURATION,
    location=common.MEETING_LINK,
    startTime=common.SESSION_START,
    endTime=common.SESSION_END,
    status=STATUS,
    rejectionReason=common.with_example(common.NULLABLE_TEXT, None),
    sessionRate=common.RATE,
    sessionCurrency=common.CURRENCY,
    bookingId={
        "type": ["string", "null"],
        "format": "uuid",
        "description": "The session that was created when it was accepted.",
        "examples": [None],
    },
    booking=common.with_example(
        {"anyOf": [BOOKING, {"type": "null"}]},
        None,
        "That session as it is now. It may have been moved.",
    ),
    mentor=common.MENTOR,
    mentee=common.MENTEE,
    createdAt=common.INSTANT,
    updatedAt=common.INSTANT,
)

REJECTION = common.with_example(common.REASON, "I am away that week. Please choose another time.")

CREATE = Operation(
    name="createRequest",
    summary="Request a session with a mentor",
    description="`scheduledDate` and `scheduledTime` are in UTC. The time must lie in the mentor's "
    "weekly windows and keep clear of live sessions. `duration` defaults to the mentor's own, "
    "`location` to the mentor's meeting link as it is when the request is accepted. The rate is "
    "the mentor's as it is now. A pending request holds no time; it ends as `rejected` when its "
    "time comes without an answer.",
    status=201,
    body=common.closed_object(
        "NewRequest",
        ["mentorId", "topic", "scheduledDate", "scheduledTime"],
        mentorId=common.with_example(
            common.TEXT, examples.FREE_MENTOR_ID, "The mentor's profile id, not the user's."
        ),
        topic=common.visible_line(200, examples=common.TOPIC["examples"]),
        message=common.multiline(2000, examples=common.MESSAGE["examples"]),
        scheduledDate=common.DATE,
        scheduledTime=common.TIME,
        duration=common.DURATION,
        location=common.empty_is_null(
            common.no_script(common.line(200, examples=common.MEETING_LINK["examples"]))
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
    summary="The caller's requests, newest first",
    description="`role=sent`: as a mentee. `role=received`: as a mentor. Without `role`: both. A "
    "request whose time has come without an answer is `rejected`.",
    query=common.query_object(
        role=common.choice("sent", "received"), status=STATUS, **common.ARRAY_PAGING
    ),
    response=common.array_of(REQUEST),
)

LIST_ACTIVE = Operation(
    name="listMyRequestsForMentor",
    summary="The caller's active requests to a mentor, soonest first",
    description="The pending ones, and the accepted ones whose session is still live. The times "
    "are those of the session, which may have been moved.",
    query=common.query_object(**common.ARRAY_PAGING),
    response=common.array_of(REQUEST),
)

COUNT_PENDING = Operation(
    name="countPendingRequests",
    summary="How many requests wait for the caller's answer, as a plain number",
    description="For a badge: pending requests to the caller as a mentor.",
    response=common.COUNT,
)

SHOW = Operation(
    name="getRequest",
    summary="A request, for its two parties",
    description="Only the mentor and the mentee may see it.",
    response=REQUEST,
)

ACCEPT = Operation(
    name="acceptRequest",
    summary="The mentor accepts; this creates a confirmed session",
    description="The session begins as `confirmed`, at the rate of the request. Of several "
    "requests for one time only one can be accepted; the others stay pending.",
    body=common.EMPTY_BODY,
    body_optional=True,
    response=common.response_object("AcceptedRequest", request=REQUEST, booking=sessions.SESSION),
    example={
        "request": {
            "status": "accepted",
            "bookingId": examples.SESSION_ID,
            "booking": {
                "id": examples.SESSION_ID,
                "status": "confirmed",
                "startTime": common.SESSION_START["examples"][0],
                "endTime": common.SESSION_END["examples"][0],
            },
        }
    },
)

REJECT = Operation(
    name="rejectRequest",
    summary="The mentor rejects",
    description="A `reason` is shown to the mentee as `rejectionReason`.",
    body=common.closed_object("Rejection", reason=REJECTION),
    body_optional=True,
    response=REQUEST,
    example={"status": "rejected", "rejectionReason": REJECTION["examples"][0]},
)

CANCEL = Operation(
    name="cancelRequest",
    summary="The mentee cancels the request",
    description="Only while it is pending. After that, cancel its session.",
    body=common.EMPTY_BODY,
    body_optional=True,
    response=REQUEST,
    example={"status": "cancelled"},
)

UPDATE = Operation(
    name="updateRequest",
    summary="Accept, reject or cancel a request by its status",
    description="Does exactly what the action of that name does; `reason` is kept on a rejection.",
    body=common.closed_object(
        "RequestUpdate",
        ["status"],
        status=common.with_example(common.choice(*(one.to for one in ANSWERS)), "rejected"),
        reason=REJECTION,
    ),
    response=REQUEST,
    example=REJECT.example,
)
