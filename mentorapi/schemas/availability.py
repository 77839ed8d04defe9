"""A mentor's weekly windows and booking settings, and the free slots that follow from them."""

from collections.abc import Mapping
from typing import Any

from mentorapi.schemas import common, examples
from mentorapi.schemas.operation import Operation
from mentorapi.schemas.validation import Details, Schema

DAY_OF_WEEK = common.with_example(common.integer(0, 6), 0, "0 is Monday, 6 is Sunday.")

SLOT = common.response_object(
    "Slot",
    {
        "date": common.DATE,
        "dayOfWeek": DAY_OF_WEEK,
        "startTime": common.TIME,
        "endTime": common.END_TIME,
        "duration": common.SESSION_DURATION,
        "startsAt": common.SESSION_START,
        "endsAt": common.SESSION_END,
    },
)

LIST_SLOTS = Operation(
    name="getMentorAvailability",
    summary="The times at which a mentor can be booked",
    description="From `startDate` (today) to `endDate` (14 days later), both inclusive and in "
    "UTC, at most 92 days apart: the dates on which the slots start. `POST /requests` admits each.",
    public=True,
    query=common.query_object(
        {"startDate": common.DATE, "endDate": common.with_example(common.DATE, examples.FRIDAY)}
    ),
    response=common.response_object(
        "MentorAvailability",
        {
            "mentorId": common.MENTOR_ID,
            "sessionDuration": common.SESSION_DURATION,
            "bufferTime": common.BUFFER_TIME,
            "timezone": common.TIMEZONE,
            "slots": common.array_of(SLOT),
        },
    ),
)

WINDOW: dict[str, Schema] = {
    "dayOfWeek": DAY_OF_WEEK,
    "startTime": common.TIME,
    "endTime": common.END_TIME,
}
#: Of a window that was read before.
WINDOW_ID = {
    "type": ["string", "null"],
    "pattern": "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    "x-message": "must be the id of a window, a UUID",
    "description": "The window keeps this id if it is that of one of your windows. Other ids are "
    "ignored.",
    "examples": [examples.WINDOW_ID],
}

AVAILABILITY = common.response_object(
    "Availability",
    {
        "sessionDuration": common.SESSION_DURATION,
        "bufferTime": common.BUFFER_TIME,
        "timezone": common.TIMEZONE,
        "defaultMeetingLink": common.MEETING_LINK,
        "slots": common.array_of(
            common.response_object(
                "AvailabilityWindow",
                {"id": common.with_example(common.ID, examples.WINDOW_ID), **WINDOW},
            )
        ),
    },
)

SHOW = Operation(
    name="getMyAvailability",
    summary="One's own weekly windows and booking settings",
    description="The windows recur every week; `GET /mentors/{mentorId}/availability` shows the "
    "times that come of them.",
    response=AVAILABILITY,
)

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def label(window: Mapping[str, Any]) -> str:
    return f"{DAYS[window['dayOfWeek']]} {window['startTime']}-{window['endTime']}"


def check_windows(body: Mapping[str, Any]) -> Details:
    """Check the order of each window, and that no two have one id or overlap.

    Times are HH:mm, so they compare as text.
    """
    windows = body["slots"]
    details = [
        {
            "field": f"slots.{place}.startTime",
            "code": "order",
            "message": "must be before endTime"
            + ("; the end of the day is 24:00" if window["endTime"] == "00:00" else ""),
        }
        for place, window in enumerate(windows)
        if window["startTime"] >= window["endTime"]
    ]
    places: dict[str, int] = {}
    for place, window in enumerate(windows):
        window_id = (window.get("id") or "").lower()
        first = places.setdefault(window_id, place)
        if window_id and first != place:
            details.append(
                {
                    "field": f"slots.{place}.id",
                    "code": "repeated",
                    "message": f"is the id of slots.{first}, too",
                }
            )
    by_time = sorted(
        enumerate(windows), key=lambda entry: (entry[1]["dayOfWeek"], entry[1]["startTime"])
    )
    widest: tuple[int, Mapping[str, Any]] | None = None
    for place, window in by_time:
        if widest is not None:
            other_place, other = widest
            if other["dayOfWeek"] == window["dayOfWeek"] and window["startTime"] < other["endTime"]:
                details.append(
                    {
                        "field": f"slots.{place}",
                        "code": "overlap",
                        "message": f"{label(window)} overlaps slots.{other_place}, {label(other)}",
                    }
                )
                if window["endTime"] <= other["endTime"]:
                    continue
        widest = place, window
    return details


REPLACE = Operation(
    name="setMyAvailability",
    summary="Replace one's own weekly windows",
    description="Windows are weekly and in UTC, Monday is 0. Those of one mentor never overlap. "
    "Settings that are left out stay. What `GET /mentor/availability` answers can be sent back: a "
    "window that is unchanged, or that is sent with its `id`, keeps its `id`. The first call makes "
    "the profile.",
    # 500 windows, indented and with ids, take 75 KiB.
    max_body=128 * 1024,
    rules=check_windows,
    body=common.closed_object(
        "AvailabilityUpdate",
        {
            "slots": {
                "type": "array",
                "items": common.closed_object(
                    "NewAvailabilityWindow", {"id": WINDOW_ID, **WINDOW}, list(WINDOW)
                ),
                "maxItems": 500,
            },
            "sessionDuration": common.SESSION_DURATION,
            "bufferTime": common.BUFFER_TIME,
            "timezone": common.with_example(common.visible_line(64), *common.TIMEZONE["examples"]),
            "defaultMeetingLink": common.nullable(
                common.with_example(common.URL, *common.MEETING_LINK["examples"])
            ),
        },
        ["slots"],
    ),
    response=AVAILABILITY,
)

DELETE = Operation(
    name="deleteAvailabilityWindow",
    summary="Delete one weekly window",
    description="Sessions that were booked in it stay.",
    response=common.response_object(
        "Message", {"message": common.with_example(common.TEXT, "Availability pattern deleted")}
    ),
)
