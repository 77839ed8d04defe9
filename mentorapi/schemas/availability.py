"""A mentor's calendar: weekly windows, overrides of days, time off, policy, and the free slots."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from difflib import get_close_matches
from functools import cache
from itertools import islice
from typing import Any
from zoneinfo import available_timezones

from mentorapi.errors import MAX_DETAILS
from mentorapi.schemas import common, examples
from mentorapi.schemas.operation import Operation
from mentorapi.schemas.validation import Details, Schema, entry, parse_instant

DAY_OF_WEEK = common.with_example(common.integer(0, 6), 0, "0 is Monday, 6 is Sunday.")

SLOT = common.response_object(
    "Slot",
    date=common.DATE,
    dayOfWeek=DAY_OF_WEEK,
    startTime=common.TIME,
    endTime=common.END_TIME,
    duration=common.SESSION_DURATION,
    startsAt=common.SESSION_START,
    endsAt=common.SESSION_END,
)

LIST_SLOTS = Operation(
    name="getMentorAvailability",
    summary="The times at which a mentor can be booked",
    description="The slots that start from `startDate` (default: today) to `endDate` (default: 14 "
    "days later), both inclusive and in UTC, at most 92 dates. `POST /requests` admits each.",
    public=True,
    query=common.query_object(
        startDate=common.DATE, endDate=common.with_example(common.DATE, examples.FRIDAY)
    ),
    response=common.response_object(
        "MentorAvailability",
        mentorId=common.MENTOR_ID,
        sessionDuration=common.SESSION_DURATION,
        bufferTime=common.BUFFER_TIME,
        timezone=common.TIMEZONE,
        slots=common.array_of(SLOT),
    ),
)

LOCAL_TIMES: dict[str, Schema] = {
    "startTime": common.TIME | {"description": "HH:mm, in `availabilityTimezone`."},
    "endTime": common.END_TIME
    | {"description": "HH:mm, in `availabilityTimezone`; 24:00 is the end of the day."},
}
WINDOW = {"dayOfWeek": DAY_OF_WEEK, **LOCAL_TIMES}
#: The id of a window that was read before.
WINDOW_ID = {
    "type": ["string", "null"],
    "pattern": "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    "x-message": "must be the id of a window, a UUID",
    "description": "The window keeps this id if it is that of one of your windows. Other ids are "
    "ignored.",
    "examples": [examples.WINDOW_ID],
}

ZONE = {
    "type": "string",
    "maxLength": 64,
    "description": "The IANA time zone of the windows and of overrides, such as `Africa/Lagos`. "
    "They follow its clock, daylight saving time included. `UTC` unless it was set.",
    "examples": ["UTC"],
}

AVAILABILITY = common.response_object(
    "Availability",
    sessionDuration=common.SESSION_DURATION,
    bufferTime=common.BUFFER_TIME,
    timezone=common.TIMEZONE,
    availabilityTimezone=ZONE,
    defaultMeetingLink=common.MEETING_LINK,
    slots=common.array_of(
        common.response_object(
            "AvailabilityWindow", id=common.with_example(common.ID, examples.WINDOW_ID), **WINDOW
        )
    ),
)

SHOW = Operation(
    name="getMyAvailability",
    summary="The caller's weekly windows and booking settings",
    description="The windows recur every week; `GET /mentors/{mentorId}/availability` shows the "
    "times that follow from them.",
    response=AVAILABILITY,
)

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def label(window: Mapping[str, Any]) -> str:
    times = f"{window['startTime']}-{window['endTime']}"
    return f"{DAYS[window['dayOfWeek']]} {times}" if "dayOfWeek" in window else times


def check_windows(windows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    """Check the order of each window, and that no two have one id or overlap.

    Times are HH:mm, so they compare as text.
    """
    places: dict[str, int] = {}
    for place, window in enumerate(windows):
        if window["startTime"] >= window["endTime"]:
            hint = "; the end of the day is 24:00" if window["endTime"] == "00:00" else ""
            yield entry(
                ["slots", str(place), "startTime"], "order", f"must be before endTime{hint}"
            )
        window_id = (window.get("id") or "").lower()
        first = places.setdefault(window_id, place)
        if window_id and first != place:
            message = f"is the id of slots.{first}, too"
            yield entry(["slots", str(place), "id"], "repeated", message)
    by_time = sorted(enumerate(windows), key=lambda each: day_and_start(each[1]))
    widest: tuple[int, Mapping[str, Any]] | None = None
    for place, window in by_time:
        if widest is not None:
            other_place, other = widest
            if day_and_start(window) < (day_and_start(other)[0], other["endTime"]):
                message = f"{label(window)} overlaps slots.{other_place}, {label(other)}"
                yield entry(["slots", str(place)], "overlap", message)
                if window["endTime"] <= other["endTime"]:
                    continue
        widest = place, window


def day_and_start(window: Mapping[str, Any]) -> tuple[int, str]:
    return window.get("dayOfWeek", 0), window["startTime"]


@cache
def zones() -> dict[str, str]:
    """IANA names by what a user may write: the name, or its last part, in lower case.

    Names without an area, such as EST and Japan, are left out; UTC is the exception.
    """
    names = sorted(name for name in available_timezones() if "/" in name)
    cities = {name.rpartition("/")[2].lower(): name for name in names}
    return cities | {name.lower(): name for name in names} | {"utc": "UTC"}


def check_zone(zone: str) -> Iterator[dict[str, str]]:
    if zones().get(zone.lower()) == zone:
        return
    written = zone.strip().lower().replace(" ", "_")
    close = [written] if written in zones() else get_close_matches(written, zones(), 1, 0.75)
    # A short text, such as an abbreviation, resembles a name only by chance.
    guess = close and (close[0] == written or len(written) > 7)
    hint = f"; did you mean {zones()[close[0]]}?" if guess else ""
    message = f"must be an IANA time zone, such as Africa/Lagos{hint}"
    yield entry(["availabilityTimezone"], "format", message)


def check_availability(body: Mapping[str, Any]) -> Details:
    details = [*check_zone(body.get("availabilityTimezone", "UTC"))]
    return [*details, *islice(check_windows(body["slots"]), MAX_DETAILS)]


REPLACE = Operation(
    name="setMyAvailability",
    summary="Replace the caller's weekly windows",
    description="Windows are weekly, Monday is 0. They must not overlap. They are in "
    "UTC unless `availabilityTimezone` says otherwise. Settings that are left out stay, and so do "
    "overrides and time off. What `GET /mentor/availability` answers can be sent back: a window "
    "that is unchanged, or that is sent with its `id`, keeps its `id`. The first call creates the "
    "profile.",
    # 500 windows, indented and with ids, take 75 KiB.
    max_body=128 * 1024,
    rules=check_availability,
    body=common.closed_object(
        "AvailabilityUpdate",
        ["slots"],
        slots={
            "type": "array",
            "items": common.closed_object(
                "NewAvailabilityWindow", list(WINDOW), id=WINDOW_ID, **WINDOW
            ),
            "maxItems": 500,
        },
        sessionDuration=common.SESSION_DURATION,
        bufferTime=common.BUFFER_TIME,
        timezone=common.with_example(common.visible_line(64), *common.TIMEZONE["examples"]),
        availabilityTimezone=ZONE,
        defaultMeetingLink=common.nullable(
            common.with_example(common.URL, *common.MEETING_LINK["examples"])
        ),
    ),
    response=AVAILABILITY,
)

MESSAGE = common.response_object(
    "Message", message=common.with_example(common.TEXT, "Availability pattern deleted")
)

DELETE = Operation(
    name="deleteAvailabilityWindow",
    summary="Delete one weekly window",
    description="Sessions that were booked in the window stay.",
    response=MESSAGE,
)

OVERRIDE = common.response_object(
    "AvailabilityOverride",
    date=common.DATE
    | {"examples": [examples.FRIDAY], "description": "A day in `availabilityTimezone`."},
    slots=common.array_of(common.response_object("OverrideWindow", **LOCAL_TIMES)),
)

LIST_OVERRIDES = Operation(
    name="listMyOverrides",
    summary="The caller's overrides from today on, soonest first",
    description="An override replaces the weekly windows of its day.",
    query=common.query_object(**common.ARRAY_PAGING),
    response=common.array_of(OVERRIDE),
)

SET_OVERRIDE = Operation(
    name="setMyOverride",
    summary="Replace the weekly windows of one day",
    description="With no windows the day is closed. It is a day of `availabilityTimezone`, today "
    "or later. Sessions that are booked stay.",
    rules=lambda body: [*check_windows(body["slots"])],
    body=common.closed_object(
        "NewOverride",
        ["slots"],
        slots={
            "type": "array",
            "items": common.closed_object("NewOverrideWindow", list(LOCAL_TIMES), **LOCAL_TIMES),
            "maxItems": 10,
        },
    ),
    response=OVERRIDE,
)

DELETE_OVERRIDE = Operation(
    name="deleteMyOverride",
    summary="Delete an override, so that the weekly windows hold again",
    description="Sessions that are booked stay.",
    response=MESSAGE,
    example={"message": "Override deleted"},
)

DAY_OFF = common.nullable(common.DATE | {"description": "A day in `availabilityTimezone`."})
#: Two instants or two days.
PERIOD = {
    "startsAt": common.with_example(common.INSTANT, f"{examples.MONDAY}T00:00:00Z"),
    "endsAt": common.with_example(common.INSTANT, f"{examples.FRIDAY}T00:00:00Z"),
    "startDate": common.with_example(DAY_OFF, None),
    "endDate": common.with_example(DAY_OFF, None),
}
INSTANTS_OFF = {name: common.nullable(PERIOD[name]) for name in ("startsAt", "endsAt")}
NOTE = common.with_example(common.nullable(common.multiline(500)), "Family holiday")
TIME_OFF = {"id": common.with_example(common.ID, examples.TIME_OFF_ID), **PERIOD, "note": NOTE}

#: Days of one time off.
MAX_DAYS_OFF = 366


def to_milliseconds(instant: datetime) -> datetime:
    """Cut off the microseconds that answers do not show."""
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def check_time_off(body: Mapping[str, Any]) -> Details:
    """Check that there are two instants or two days, in order and not too far apart."""
    given = {name for name in PERIOD if body.get(name) is not None}
    days = {"startDate", "endDate"}
    first, last = ("startDate", "endDate") if given & days else ("startsAt", "endsAt")
    if given & days and given - days:
        return [entry(sorted(given - days)[:1], "unknown_field", "cannot be combined with days")]
    if missing := {first, last} - given:
        return [entry([name], "required", "is required") for name in sorted(missing)]
    start, end = (to_milliseconds(parse_instant(body[name])) for name in (first, last))
    length = end - start + timedelta(days=1 if given & days else 0)
    if length <= timedelta():
        order = "not be before" if given & days else "be after"
        return [entry([last], "order", f"must {order} {first}")]
    if length > timedelta(days=MAX_DAYS_OFF):
        return [entry([last], "out_of_range", f"must be at most {MAX_DAYS_OFF} days later")]
    return []


LIST_TIME_OFF = Operation(
    name="listMyTimeOff",
    summary="The caller's time off that is not over, soonest first",
    description="No times are offered in time off. Sessions that are booked stay.",
    query=common.query_object(**common.ARRAY_PAGING),
    response=common.array_of(common.response_object("TimeOff", **TIME_OFF)),
)

ADD_TIME_OFF = Operation(
    name="addMyTimeOff",
    summary="Take time off",
    description="Either from `startsAt` to `endsAt`, or in whole days of `availabilityTimezone` "
    "from `startDate` to `endDate`, both inclusive. It begins within two years, takes 366 days at "
    "most, and may overlap other time off. Sessions and requests stay; `conflicts` lists the live "
    "sessions and the pending requests in it.",
    status=201,
    rules=check_time_off,
    body=common.closed_object("NewTimeOff", **(PERIOD | INSTANTS_OFF), note=NOTE),
    response=common.response_object(
        "NewTimeOffAnswer",
        **TIME_OFF,
        conflicts=common.array_of(
            common.response_object(
                "TimeOffConflict",
                object=common.with_example(common.choice("session", "request"), "session"),
                id=common.with_example(common.ID, examples.SESSION_ID),
                status=common.with_example(common.TEXT, "confirmed"),
                startTime=common.SESSION_START,
                endTime=common.SESSION_END,
                mentee=common.MENTEE,
            )
        ),
    ),
)

DELETE_TIME_OFF = Operation(
    name="deleteMyTimeOff",
    summary="Delete a time off",
    description="Its times are offered again.",
    response=MESSAGE,
    example={"message": "Time off deleted"},
)

NOTICE = common.with_example(
    common.integer(0, 43200), 120, "Minutes from a request to the start of its session, at least."
)
CUTOFF = common.with_example(
    common.integer(0, 168), 24, "Hours from a mentee's cancellation to the start, at least."
)
ACCEPTING = common.with_example(
    {"type": "boolean"}, True, "If false, no times are offered and no requests admitted."
)
#: Null: no limit.
LIMITS = {
    "horizonDays": common.with_example(
        common.integer(1, 730), 60, "Days from today to the last day on which a session may begin."
    ),
    "maxSessionsPerDay": common.with_example(
        common.integer(1, 50),
        4,
        "Sessions on one day, at most. Those that are not cancelled count, and pending requests.",
    ),
    "maxSessionsPerWeek": common.with_example(
        common.integer(1, 200), 12, "The same, from Monday to Sunday."
    ),
}
POLICY = {
    "minimumNoticeMinutes": NOTICE,
    **{name: common.nullable(schema) for name, schema in LIMITS.items()},
    "cancelCutoffHours": CUTOFF,
    "acceptingRequests": ACCEPTING,
}

SHOW_POLICY = Operation(
    name="getMyPolicy",
    summary="The caller's rules for requests",
    description="They bind mentees, never the mentor.",
    response=common.response_object("Policy", **POLICY),
)

SET_POLICY = Operation(
    name="setMyPolicy",
    summary="Replace the caller's rules for requests",
    description="A field that is left out or null gets its default: 0, null for no limit, true. "
    "The rules bind mentees: what is offered and admitted, and until when they may cancel. The "
    "mentor may accept, reschedule and cancel as before. Days and weeks are those of "
    "`availabilityTimezone`.",
    body=common.closed_object("NewPolicy", **POLICY),
    response=common.response_object("Policy", **POLICY),
)

REASONS = {
    "outside_hours": "not within the windows of the day",
    "time_off": "the mentor has time off",
    "session": "there is another session",
    "buffer": "too close to another session",
    "notice": "sooner than the notice allows",
    "horizon": "too far ahead",
    "day_full": "the day has its number of sessions",
    "week_full": "the week has its number of sessions",
    "paused": "the mentor takes no requests",
    "past": "its start has passed",
}

EXPLAIN = Operation(
    name="explainMyAvailability",
    summary="Whether mentees can request a time, and if not why",
    description="`startsAt` is a whole minute. `duration` is in minutes, by default that of the "
    "profile. It does not matter whether the profile is public.",
    query=common.query_object(
        ["startsAt"], startsAt=common.SESSION_START, duration=common.DURATION
    ),
    response=common.response_object(
        "Explanation",
        free=common.with_example({"type": "boolean"}, False),
        reasons=common.array_of(
            common.response_object(
                "UnavailableReason",
                code=common.with_example(
                    common.choice(*REASONS),
                    "notice",
                    "; ".join(f"`{code}`: {says}" for code, says in REASONS.items()) + ".",
                ),
                detail=common.with_example(
                    common.TEXT, "The details for the mentor, as a sentence."
                ),
            )
        ),
    ),
)
