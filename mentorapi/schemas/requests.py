"""Requests: a mentee asks for a time, the mentor answers."""

from mentorapi.schemas import examples
from mentorapi.schemas.common import (
    ARRAY_PAGING,
    COUNT,
    CURRENCY,
    DATE,
    DURATION,
    EMPTY_BODY,
    ID,
    INSTANT,
    MEETING_LINK,
    MENTEE,
    MENTEE_USER_ID,
    MENTOR,
    MENTOR_ID,
    MESSAGE,
    NULLABLE_TEXT,
    RATE,
    REASON,
    SESSION_END,
    SESSION_START,
    TEXT,
    TIME,
    TOPIC,
    array_of,
    choice,
    closed_object,
    component,
    empty_is_null,
    line,
    multiline,
    no_script,
    query_object,
    response_object,
    visible_line,
    with_example,
)
from mentorapi.schemas.operation import Operation
from mentorapi.schemas.sessions import SESSION
from mentorapi.schemas.sessions import STATUS as SESSION_STATUS
from mentorapi.transitions import ANSWERS, describe_states
from mentorapi.transitions import REQUEST as REQUEST_STATES

STATUS = component(
    "RequestStatus",
    {**choice(*REQUEST_STATES.states), "description": describe_states(REQUEST_STATES)},
)

BOOKING = response_object(
    "RequestBooking",
    {
        "id": with_example(ID, examples.SESSION_ID),
        "status": SESSION_STATUS,
        "startTime": SESSION_START,
        "endTime": SESSION_END,
    },
)

REQUEST = response_object(
    "MentorshipRequest",
    {
        "id": with_example(ID, examples.REQUEST_ID),
        "mentorId": MENTOR_ID,
        "menteeId": MENTEE_USER_ID,
        "topic": TOPIC,
        "message": MESSAGE,
        "scheduledDate": DATE,
        "scheduledTime": TIME,
        "duration": DURATION,
        "location": MEETING_LINK,
        "startTime": SESSION_START,
        "endTime": SESSION_END,
        "status": STATUS,
        "rejectionReason": with_example(NULLABLE_TEXT, None),
        "sessionRate": RATE,
        "sessionCurrency": CURRENCY,
        "bookingId": {
            "type": ["string", "null"],
            "format": "uuid",
            "description": "The session that came of it.",
            "examples": [None],
        },
        "booking": with_example(
            {"anyOf": [BOOKING, {"type": "null"}]},
            None,
            "What has become of that session. It may have been moved.",
        ),
        "mentor": MENTOR,
        "mentee": MENTEE,
        "createdAt": INSTANT,
        "updatedAt": INSTANT,
    },
)

REJECTION = with_example(REASON, "I am away that week. Do ask me for another time.")

CREATE = Operation(
    name="createRequest",
    summary="Ask a mentor for a session",
    description="`scheduledDate` and `scheduledTime` are in UTC. The time must lie in the mentor's "
    "weekly windows and keep clear of live sessions; `duration` defaults to the mentor's own, "
    "`location` to the mentor's meeting link as it is when the request is accepted. The rate is "
    "the mentor's as it is now. A pending request holds no time; it ends as `rejected` when its "
    "time comes without an answer.",
    status=201,
    body=closed_object(
        "NewRequest",
        {
            "mentorId": with_example(
                TEXT, examples.FREE_MENTOR_ID, "The mentor's profile id, not the user's."
            ),
            "topic": visible_line(200, examples=TOPIC["examples"]),
            "message": multiline(2000, examples=MESSAGE["examples"]),
            "scheduledDate": DATE,
            "scheduledTime": TIME,
            "duration": DURATION,
            "location": empty_is_null(no_script(line(200, examples=MEETING_LINK["examples"]))),
        },
        ["mentorId", "topic", "scheduledDate", "scheduledTime"],
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
    query=query_object({"role": choice("sent", "received"), "status": STATUS, **ARRAY_PAGING}),
    response=array_of(REQUEST),
)

LIST_ACTIVE = Operation(
    name="listMyRequestsForMentor",
    summary="One's own active requests to a mentor, soonest first",
    description="The pending ones, and the accepted ones whose session is still live. The times "
    "are those of the session, which may have been moved.",
    query=query_object(ARRAY_PAGING),
    response=array_of(REQUEST),
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
    body=EMPTY_BODY,
    body_optional=True,
    response=response_object("AcceptedRequest", {"request": REQUEST, "booking": SESSION}),
    example={
        "request": {
            "status": "accepted",
            "bookingId": examples.SESSION_ID,
            "booking": {
                "id": examples.SESSION_ID,
                "status": "confirmed",
                "startTime": SESSION_START["examples"][0],
                "endTime": SESSION_END["examples"][0],
            },
        }
    },
)

REJECT = Operation(
    name="rejectRequest",
    summary="The mentor rejects",
    description="A `reason` is shown to the mentee as `rejectionReason`.",
    body=closed_object("Rejection", {"reason": REJECTION}),
    body_optional=True,
    response=REQUEST,
    example={"status": "rejected", "rejectionReason": REJECTION["examples"][0]},
)

CANCEL = Operation(
    name="cancelRequest",
    summary="The mentee takes the request back",
    description="Only while it is pending. A session that came of it is cancelled by itself.",
    body=EMPTY_BODY,
    body_optional=True,
    response=REQUEST,
    example={"status": "cancelled"},
)

UPDATE = Operation(
    name="updateRequest",
    summary="Accept, reject or cancel a request by its status",
    description="Does exactly what the action of that name does; `reason` is kept on a rejection.",
    body=closed_object(
        "RequestUpdate",
        {
            "status": with_example(choice(*(one.to for one in ANSWERS)), "rejected"),
            "reason": REJECTION,
        },
        ["status"],
    ),
    response=REQUEST,
    example=REJECT.example,
)
