"""Requests: a mentee requests a time, the mentor answers."""

from mentorapi import transitions
from mentorapi.schemas import common, examples, sessions
from mentorapi.schemas.operation import Operation

STATUS = common.status_of(transitions.REQUEST)

BOOKING = common.response_object(
    "RequestBooking", **common.pick(sessions.SESSION, "id status startTime endTime")
)

REQUEST = common.response_object(
    "MentorshipRequest",
    id=common.uuid(examples.REQUEST_ID),
    **common.pick(sessions.SESSION, "mentorId menteeId topic message"),
    scheduledDate=common.DATE,
    scheduledTime=common.TIME,
    **common.pick(sessions.SESSION, "duration location startTime endTime"),
    status=STATUS,
    rejectionReason=common.nullable_text(None),
    **common.pick(sessions.SESSION, "sessionRate sessionCurrency"),
    bookingId=common.nullable(
        common.uuid(None, "The session that was created when it was accepted.")
    ),
    booking=common.with_example(
        {"anyOf": [BOOKING, {"type": "null"}]},
        None,
        "That session as it is now. It may have been moved.",
    ),
    **common.pick(sessions.SESSION, "mentor mentee createdAt updatedAt"),
)

REJECTION = common.with_example(common.REASON, "I am away that week. Please choose another time.")

CREATE = Operation(
    name="createRequest",
    affects_cache=False,
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
        mentorId=common.text(examples.FREE_MENTOR_ID, "The mentor's profile id, not the user's."),
        topic=REQUEST["properties"]["topic"] | common.visible_line(200),
        message=REQUEST["properties"]["message"] | common.multiline(2000),
        scheduledDate=common.DATE,
        scheduledTime=common.TIME,
        duration=common.DURATION,
        location=common.MEETING_LINK | common.LOCATION,
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

LIST_OWN = Operation(
    name="listRequests",
    summary="The caller's requests, newest first",
    description="`role=sent`: as a mentee. `role=received`: as a mentor. Without `role`: both. A "
    "request whose time has come without an answer is `rejected`.",
    **common.list_of(REQUEST, role=common.choice("sent", "received"), status=STATUS),
)

LIST_ACTIVE = Operation(
    name="listMyRequestsForMentor",
    summary="The caller's active requests to a mentor, soonest first",
    description="The pending ones, and the accepted ones whose session is still live. The times "
    "are those of the session, which may have been moved.",
    **common.list_of(REQUEST),
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
    **common.NO_INPUT,
    response=common.response_object("AcceptedRequest", request=REQUEST, booking=sessions.SESSION),
    example={
        "request": {
            "status": "accepted",
            "bookingId": examples.SESSION_ID,
            "booking": {
                "id": examples.SESSION_ID,
                "status": "confirmed",
                "startTime": f"{examples.MONDAY}T09:00:00Z",
                "endTime": f"{examples.MONDAY}T10:00:00Z",
            },
        }
    },
)

REJECT = Operation(
    name="rejectRequest",
    affects_cache=False,
    summary="The mentor rejects",
    description="A `reason` is shown to the mentee as `rejectionReason`.",
    body=common.closed_object("Rejection", reason=REJECTION),
    body_optional=True,
    response=REQUEST,
    example={"status": "rejected", "rejectionReason": REJECTION["examples"][0]},
)

CANCEL = Operation(
    name="cancelRequest",
    affects_cache=False,
    summary="The mentee cancels the request",
    description="Only while it is pending. After that, cancel its session.",
    **common.NO_INPUT,
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
        status=common.with_example(
            common.choice(*(one.to for one in transitions.ANSWERS)), "rejected"
        ),
        reason=REJECTION,
    ),
    response=REQUEST,
    example=REJECT.example,
)
