"""A mentor's calendar: weekly windows, overrides of days, time off, policy, and the free slots."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from difflib import get_close_matches
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from mentorapi.schemas import common, examples
from mentorapi.schemas.operation import Operation
from mentorapi.schemas.validation import Details, check_whole_minutes, entry, parse_instant

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

LOCAL_TIMES = {
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

ZONE = common.with_example(
    common.multiline(64),
    "UTC",
    "The IANA time zone of the windows and of overrides, such as `Africa/Lagos`. They follow its "
    "clock, daylight saving time included. `UTC` unless it was set.",
)

AVAILABILITY = common.response_object(
    "Availability",
    sessionDuration=common.SESSION_DURATION,
    bufferTime=common.BUFFER_TIME,
    timezone=common.TIMEZONE,
    availabilityTimezone=ZONE,
    defaultMeetingLink=common.MEETING_LINK,
    slots=common.array_of(
        common.response_object("AvailabilityWindow", id=common.uuid(examples.WINDOW_ID), **WINDOW)
    ),
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
        **common.pick(AVAILABILITY, "sessionDuration bufferTime timezone"),
        slots=common.array_of(SLOT),
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
            message = f"must be before endTime{hint}"
            yield entry(["slots", str(place), "startTime"], "order", message)
        window_id = (window.get("id") or "").lower()
        first = places.setdefault(window_id, place)
        if window_id and first != place:
            message = f"is the id of slots.{first}, too"
            yield entry(["slots", str(place), "id"], "repeated", message)
    # The place of the window that ends last, of those before in the order of their starts.
    latest: int | None = None
    for place in sorted(range(len(windows)), key=lambda each: edge(windows[each], "startTime")):
        window = windows[place]
        if latest is not None and edge(window, "startTime") < edge(windows[latest], "endTime"):
            message = f"{label(window)} overlaps slots.{latest}, {label(windows[latest])}"
            yield entry(["slots", str(place)], "overlap", message)
        if latest is None or edge(window, "endTime") > edge(windows[latest], "endTime"):
            latest = place


def edge(window: Mapping[str, Any], name: str) -> tuple[int, str]:
    return window.get("dayOfWeek", 0), window[name]


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
    close = get_close_matches(written, zones(), 1, 0.75)
    # A short text, such as an abbreviation, resembles a name only by chance.
    guess = close and (close[0] == written or len(written) > 7)
    hint = f"; did you mean {zones()[close[0]]}?" if guess else ""
    message = f"must be an IANA time zone, such as Africa/Lagos{hint}"
    yield entry(["availabilityTimezone"], "format", message)


def check_availability(body: Mapping[str, Any]) -> Details:
    zone = body.get("availabilityTimezone", "UTC")
    return [*check_zone(zone), *check_windows(body["slots"])]


REPLACE = Operation(
    name="setMyAvailability",
    summary="Replace the caller's weekly windows",
    description="Windows are weekly, Monday is 0. They must not overlap. They are in "
    "UTC unless `availabilityTimezone` says otherwise. Settings that are left out stay, and so do "
    "overrides and time off. What `GET /mentor/availability` returns can be sent back: a window "
    "that is unchanged, or that is sent with its `id`, keeps its `id`. The first call creates the "
    "profile.",
    # 500 windows, indented and with ids, take 75 KiB.
    max_body=128 * 1024,
    rules=check_availability,
    body=common.closed_object(
        "AvailabilityUpdate",
        ["slots"],
        slots=common.array_of(
            common.closed_object("NewAvailabilityWindow", list(WINDOW), id=WINDOW_ID, **WINDOW), 500
        ),
        sessionDuration=common.SESSION_DURATION,
        bufferTime=common.BUFFER_TIME,
        timezone=common.with_example(common.visible_line(64), "WAT"),
        availabilityTimezone=ZONE,
        defaultMeetingLink=common.URL | common.MEETING_LINK,
    ),
    response=AVAILABILITY,
)

MESSAGE = common.response_object("Message", message=common.text("Availability pattern deleted"))

DELETE_WINDOW = Operation(
    name="deleteAvailabilityWindow",
    summary="Delete one weekly window",
    description="Sessions that were booked in the window stay.",
    response=MESSAGE,
)

DAY = common.DATE | {"description": "A day in `availabilityTimezone`."}

OVERRIDE = common.response_object(
    "AvailabilityOverride",
    date=common.with_example(DAY, examples.FRIDAY),
    slots=common.array_of(common.response_object("OverrideWindow", **LOCAL_TIMES)),
)

LIST_OVERRIDES = Operation(
    name="listMyOverrides",
    summary="The caller's overrides from today on, soonest first",
    description="An override replaces the weekly windows of its day.",
    **common.list_of(OVERRIDE),
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
        slots=common.array_of(
            common.closed_object("NewOverrideWindow", list(LOCAL_TIMES), **LOCAL_TIMES), 10
        ),
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

INSTANTS_OFF = {
    "startsAt": common.instant(f"{examples.TIME_OFF_START}T00:00:00Z"),
    "endsAt": common.instant(f"{examples.TIME_OFF_END}T00:00:00Z"),
}
DAY_OFF = common.nullable(common.with_example(DAY, None))
DAYS_OFF = {"startDate": DAY_OFF, "endDate": DAY_OFF}
NOTE = common.with_example(common.nullable(common.multiline(500)), "Family holiday")
TIME_OFF = {"id": common.uuid(examples.TIME_OFF_ID), **INSTANTS_OFF, **DAYS_OFF, "note": NOTE}

#: Days of one time off.
MAX_DAYS_OFF = 366


def to_milliseconds(instant: datetime) -> datetime:
    """Cut off the microseconds that responses do not show."""
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def check_time_off(body: Mapping[str, Any]) -> Details:
    """Check that there are two instants or two days, in order and not too far apart."""
    given = {name for name, value in body.items() if value is not None}
    in_days = "startDate" in given or "endDate" in given
    instants = sorted(given & INSTANTS_OFF.keys())
    if in_days and instants:
        return [entry([instants[0]], "unknown_field", "cannot be combined with days")]
    first, last = ("startDate", "endDate") if in_days else ("startsAt", "endsAt")
    if missing := {first, last} - given:
        return [entry([name], "required", "is required") for name in sorted(missing)]
    start, end = (to_milliseconds(parse_instant(body[name])) for name in (first, last))
    length = end - start + timedelta(days=1 if in_days else 0)
    if length <= timedelta():
        order = "not be before" if in_days else "be after"
        return [entry([last], "order", f"must {order} {first}")]
    if length > timedelta(days=MAX_DAYS_OFF):
        message = f"must make the time off at most {MAX_DAYS_OFF} days long"
        return [entry([last], "out_of_range", message)]
    return []


LIST_TIME_OFF = Operation(
    name="listMyTimeOff",
    summary="The caller's time off that is not over, soonest first",
    description="No times are offered in time off. Sessions that are booked stay.",
    **common.list_of(common.response_object("TimeOff", **TIME_OFF)),
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
    body=common.closed_object(
        "NewTimeOff",
        **{name: common.nullable(schema) for name, schema in INSTANTS_OFF.items()},
        **DAYS_OFF,
        note=NOTE,
    ),
    response=common.response_object(
        "AddedTimeOff",
        **TIME_OFF,
        conflicts=common.array_of(
            common.response_object(
                "TimeOffConflict",
                object=common.with_example(common.choice("session", "request"), "session"),
                id=common.uuid(examples.SESSION_ID),
                status=common.text("confirmed"),
                startTime=common.instant(f"{examples.TIME_OFF_START}T09:00:00Z"),
                endTime=common.instant(f"{examples.TIME_OFF_START}T10:00:00Z"),
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

POLICY = {
    "minimumNoticeMinutes": common.with_example(
        common.integer(0, 43200),
        120,
        "Minutes from a request to the start of its session, at least.",
    ),
    # Null in one of these three: no limit.
    "horizonDays": common.with_example(
        common.nullable(common.integer(1, 730)),
        60,
        "Days from today to the last day on which a session may begin.",
    ),
    "maxSessionsPerDay": common.with_example(
        common.nullable(common.integer(1, 50)),
        4,
        "Sessions on one day, at most. Those that are not cancelled count, and pending requests.",
    ),
    "maxSessionsPerWeek": common.with_example(
        common.nullable(common.integer(1, 200)), 12, "The same, from Monday to Sunday."
    ),
    "cancelCutoffHours": common.with_example(
        common.integer(0, 168), 24, "Hours from a mentee's cancellation to the start, at least."
    ),
    "acceptingRequests": common.boolean(
        True, "If false, no times are offered and no requests admitted."
    ),
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
    rules=lambda query: check_whole_minutes({"startsAt": parse_instant(query["startsAt"])}),
    response=common.response_object(
        "Explanation",
        free=common.boolean(False),
        reasons=common.array_of(
            common.response_object(
                "UnavailableReason",
                code=common.with_example(
                    common.choice(*REASONS),
                    "notice",
                    "; ".join(f"`{code}`: {says}" for code, says in REASONS.items()) + ".",
                ),
                detail=common.text("The details for the mentor, as a sentence."),
            )
        ),
    ),
)
