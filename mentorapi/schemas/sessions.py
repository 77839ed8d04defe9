"""Sessions, from confirmed to completed."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from mentorapi import transitions
from mentorapi.schemas import common, examples
from mentorapi.schemas.operation import Operation
from mentorapi.schemas.validation import Details, check_whole_minutes, entry, parse_instant
from mentorapi.transitions import Transition

STATUS = common.with_example(common.status_of(transitions.SESSION), "confirmed")

REVIEW = common.response_object(
    "SessionReview",
    id=common.uuid(examples.REVIEW_ID),
    rating=common.with_example(common.integer(1, 5), 5),
    comment=common.nullable_text("Three drills and a plan. Worth every minute."),
    createdAt=common.INSTANT,
)

SESSION = common.response_object(
    "Session",
    id=common.uuid(examples.SESSION_ID),
    requestId=common.nullable(
        common.uuid(examples.REQUEST_ID, "Null for sessions that were created in the database.")
    ),
    mentorId=common.MENTOR_ID,
    menteeId=common.MENTEE["properties"]["id"],
    topic=common.text("Mock system design interview"),
    message=common.nullable_text("I interview in March and freeze at whiteboards."),
    startTime=common.SESSION_START,
    endTime=common.SESSION_END,
    duration=common.DURATION,
    location=common.MEETING_LINK,
    status=STATUS,
    cancellationReason=common.nullable_text(None),
    cancelledBy=common.nullable_text(None, "A user id."),
    sessionRate=common.RATE,
    sessionCurrency=common.CURRENCY,
    mentor=common.MENTOR,
    mentee=common.MENTEE,
    review=common.with_example({"anyOf": [REVIEW, {"type": "null"}]}, None),
    createdAt=common.INSTANT,
    updatedAt=common.INSTANT,
)

FLAG = {"type": "boolean", "default": False}

LIST_OWN = Operation(
    name="listSessions",
    summary="The caller's sessions",
    description="`upcoming=true` lists soonest first, everything else latest first. Without "
    "`role`: as mentor and as mentee.",
    **common.list_of(
        SESSION,
        role=common.choice("mentor", "mentee"),
        status=STATUS,
        upcoming=FLAG | {"description": "Only those that have not started yet."},
        past=FLAG | {"description": "Only those that have started."},
    ),
)

SHOW = Operation(
    name="getSession",
    summary="A session, for its two parties",
    description="Only the mentor and the mentee may see it.",
    response=SESSION,
)

CALENDAR_EXAMPLE = f"""\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//mentorapi//sessions//EN
BEGIN:VEVENT
UID:{examples.SESSION_ID}@mentorapi
SEQUENCE:0
STATUS:CONFIRMED
DTSTAMP:20260208T093000Z
CREATED:20260208T093000Z
LAST-MODIFIED:20260208T093000Z
DTSTART:20310210T090000Z
DTEND:20310210T100000Z
SUMMARY:Mentorship: Mock system design interview (with Amara Okafor)
LOCATION:https://meet.example.com/amara-okafor
URL:https://meet.example.com/amara-okafor
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n")

SHOW_CALENDAR_ENTRY = Operation(
    name="getSessionCalendar",
    summary="A session for the calendar of one of its two parties",
    description="iCalendar. The entry keeps its UID; its SEQUENCE rises when the session is moved, "
    "confirmed or cancelled (STATUS:CANCELLED), so that a calendar replaces what it has.",
    media_type="text/calendar",
    response=common.text(CALENDAR_EXAMPLE),
)


def action(name: str, transition: Transition, summary: str, description: str) -> Operation:
    return Operation(
        name=name,
        summary=summary,
        description=description,
        **common.NO_INPUT,
        response=SESSION,
        example={"status": transition.to},
    )


CONFIRM = action(
    "confirmSession",
    transitions.CONFIRM,
    "The mentor confirms a pending session",
    "Sessions of accepted requests are confirmed from the start.",
)
COMPLETE = action(
    "completeSession",
    transitions.COMPLETE,
    "The mentor marks a session complete",
    "Only after its end. The mentee then confirms or disputes.",
)
CONFIRM_COMPLETION = action(
    "confirmSessionCompletion",
    transitions.CONFIRM_COMPLETION,
    "The mentee confirms that the session took place",
    "Now it counts in the mentor's statistics and can be reviewed.",
)
DISPUTE = action(
    "disputeSession",
    transitions.DISPUTE,
    "The mentee disputes that the session took place",
    "It then counts in no statistics.",
)

CANCELLATION = common.with_example(common.REASON, "I have a conflict and need to cancel.")

CANCEL = Operation(
    name="cancelSession",
    summary="Either party cancels a session",
    description="While it is `pending`, `confirmed` or `rescheduled` and has not begun; its time "
    "is free again. A `reason` is shown to both as `cancellationReason`.",
    body=common.closed_object("Cancellation", reason=CANCELLATION),
    body_optional=True,
    response=SESSION,
    example={
        "status": "cancelled",
        "cancellationReason": CANCELLATION["examples"][0],
        "cancelledBy": examples.MENTEE_USER,
    },
)

MINUTE = timedelta(minutes=1)


def check_new_times(body: Mapping[str, Any]) -> Details:
    """Check that both times are whole minutes, the end 15 to 180 of them after the start."""
    times = {name: parse_instant(body[name]) for name in ("newStartTime", "newEndTime")}
    if details := check_whole_minutes(times):
        return details
    length = times["newEndTime"] - times["newStartTime"]
    if length <= timedelta():
        return [entry(["newEndTime"], "order", "must be after newStartTime")]
    if not 15 * MINUTE <= length <= 180 * MINUTE:
        message = "must be 15 to 180 minutes after newStartTime"
        return [entry(["newEndTime"], "out_of_range", message)]
    return []


NEW_START, NEW_END = f"{examples.FRIDAY}T14:00:00Z", f"{examples.FRIDAY}T15:00:00Z"

RESCHEDULE = Operation(
    name="rescheduleSession",
    summary="The mentor moves a session to a new time",
    description="Before it begins. It may leave the weekly windows but not come closer to another "
    "live session than the buffer. 15 to 180 minutes, in the future. Both times are whole "
    "minutes.",
    body=common.response_object(
        "Reschedule", newStartTime=common.instant(NEW_START), newEndTime=common.instant(NEW_END)
    ),
    rules=check_new_times,
    response=SESSION,
    example={"status": "rescheduled", "startTime": NEW_START, "endTime": NEW_END},
)
