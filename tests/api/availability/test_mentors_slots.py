"""GET /mentors/:id/availability: the slots that are offered, which are those that are admitted."""

from __future__ import annotations

import asyncio
import json
import random
import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tornado.ioloop import IOLoop

from mentorapi.database.connections import connect
from mentorapi.repositories.availability import list_slots
from tests.client import (
    ALWAYS,
    Api,
    Mentor,
    asking,
    coming,
    day_after_tomorrow,
    fields_of,
    is_error,
)
from tests.clock import Clock
from tests.rules.cutting import free_stretches, offered, utc_windows

MONDAY = coming(0)


def window(start: str, end: str, day: int = 0) -> dict[str, Any]:
    return {"dayOfWeek": day, "startTime": start, "endTime": end}


async def availability(
    api: Api, mentor: Mentor, start: date | None = None, days: int = 1
) -> dict[str, Any]:
    """Return the slots of this many days, by default from next Monday on."""
    start = start or MONDAY
    response = await api.nobody.get(
        f"/mentors/{mentor.id}/availability",
        startDate=f"{start:%Y-%m-%d}",
        endDate=f"{start + timedelta(days=days - 1):%Y-%m-%d}",
    )
    assert response.status == 200, response
    return response.json


async def starts(api: Api, mentor: Mentor, *day: Any) -> list[str]:
    return [slot["startTime"] for slot in (await availability(api, mentor, *day))["slots"]]


# Slots that are offered --------------------------------------------------------------------------


async def test_list_slots_of_the_guides_example_returns_its_response(api: Api) -> None:
    mentor = await api.mentor(
        "john",
        [window("09:00", "10:00"), window("10:00", "11:00"), window("14:00", "15:00", day=1)],
        sessionDuration=60,
        bufferTime=15,
        timezone="WAT",
    )
    monday, tuesday = f"{MONDAY:%Y-%m-%d}", f"{MONDAY + timedelta(days=1):%Y-%m-%d}"
    assert await availability(api, mentor, MONDAY, 7) == {
        "mentorId": mentor.id,
        "sessionDuration": 60,
        "bufferTime": 15,
        "timezone": "WAT",
        "slots": [
            {
                "date": monday,
                "dayOfWeek": 0,
                "startTime": "09:00",
                "endTime": "10:00",
                "duration": 60,
                "startsAt": f"{monday}T09:00:00Z",
                "endsAt": f"{monday}T10:00:00Z",
            },
            {
                "date": monday,
                "dayOfWeek": 0,
                "startTime": "10:00",
                "endTime": "11:00",
                "duration": 60,
                "startsAt": f"{monday}T10:00:00Z",
                "endsAt": f"{monday}T11:00:00Z",
            },
            {
                "date": tuesday,
                "dayOfWeek": 1,
                "startTime": "14:00",
                "endTime": "15:00",
                "duration": 60,
                "startsAt": f"{tuesday}T14:00:00Z",
                "endsAt": f"{tuesday}T15:00:00Z",
            },
        ],
    }


async def test_list_slots_with_another_datestyle_is_the_same(api: Api, database_url: str) -> None:
    mentor = await api.mentor()
    name = await api.db.fetchval("SELECT current_database()")
    await api.db.execute(f"ALTER DATABASE {name} SET datestyle = 'German'")
    connection = await connect(database_url)
    try:
        body, _ = await list_slots(connection, mentor.id, None, None)
    finally:
        await connection.close()
    assert json.loads(body) == (await api.nobody.get(f"/mentors/{mentor.id}/availability")).json


async def test_list_slots_without_windows_is_empty(api: Api) -> None:
    mentor = await api.mentor(windows=[])
    assert (await availability(api, mentor, MONDAY, 30))["slots"] == []


async def test_list_slots_repeats_windows_every_week(api: Api) -> None:
    mentor = await api.mentor(
        "mia", [window("09:00", "10:00", day=2), window("12:00", "13:00", day=6)]
    )
    slots = (await availability(api, mentor, MONDAY, 21))["slots"]
    expected = [
        (MONDAY + timedelta(weeks=week, days=day), day) for week in range(3) for day in (2, 6)
    ]
    assert [(slot["date"], slot["dayOfWeek"]) for slot in slots] == [
        (f"{day:%Y-%m-%d}", number) for day, number in expected
    ]
    assert all(date.fromisoformat(s["date"]).weekday() == s["dayOfWeek"] for s in slots)


async def test_list_slots_of_long_window_spaces_them_by_the_buffer(api: Api) -> None:
    mentor = await api.mentor("mia")
    for duration, buffer, expected in (
        (60, 0, "09:00 10:00 11:00"),
        (60, 15, "09:00 10:15"),
        (60, 30, "09:00 10:30"),
        (60, 45, "09:00 10:45"),
        (30, 0, "09:00 09:30 10:00 10:30 11:00 11:30"),
        (30, 45, "09:00 10:15 11:30"),
        (90, 0, "09:00 10:30"),
        (90, 15, "09:00"),
        (120, 0, "09:00"),
    ):
        settings = {"sessionDuration": duration, "bufferTime": buffer}
        body = {"slots": [window("09:00", "12:00")], **settings}
        await mentor.ok("PUT", "/mentor/availability", body)
        found = await availability(api, mentor)
        assert [slot["startTime"] for slot in found["slots"]] == expected.split(), settings
        assert {slot["duration"] for slot in found["slots"]} == {duration}


async def test_list_slots_of_too_short_window_is_empty(api: Api) -> None:
    mentor = await api.mentor("mia", [window("09:00", "09:59"), window("10:00", "11:00")])
    assert await starts(api, mentor) == ["10:00"]


async def test_list_slots_until_24_00_reaches_the_end_of_the_day(api: Api) -> None:
    mentor = await api.mentor("mia", [window("22:00", "24:00")])
    slots = (await availability(api, mentor))["slots"]
    assert [(slot["startTime"], slot["endTime"]) for slot in slots] == [
        ("22:00", "23:00"),
        ("23:00", "24:00"),
    ]
    last = MONDAY + timedelta(hours=23)
    request = await api.request(api.user("jane"), mentor, last)
    assert request["endTime"] == f"{MONDAY + timedelta(days=1):%Y-%m-%dT00:00:00Z}"
    assert request["scheduledTime"] == "23:00"


async def test_list_slots_near_midnight_belongs_to_that_day(api: Api) -> None:
    mentor = await api.mentor("mia", [window("22:30", "23:59")], sessionDuration=30)
    assert await starts(api, mentor) == ["22:30", "23:00"]


# Times that are not offered ----------------------------------------------------------------------


async def test_list_slots_without_buffer_keeps_those_beside_a_session(api: Api) -> None:
    mentor = await api.mentor("mia", [window(f"{h:02}:00", f"{h + 1:02}:00") for h in (9, 10, 11)])
    await api.session(api.user("jane"), mentor, MONDAY + timedelta(hours=10))
    assert await starts(api, mentor) == ["09:00", "11:00"]


async def test_list_slots_with_buffer_removes_those_beside_a_session(api: Api) -> None:
    hours = (8, 9, 10, 11, 12)
    windows = [window(f"{h:02}:00", f"{h + 1:02}:00") for h in hours]
    mentor = await api.mentor("mia", windows, bufferTime=15)
    assert await starts(api, mentor) == ["08:00", "09:00", "10:00", "11:00", "12:00"]
    await api.session(api.user("jane"), mentor, MONDAY + timedelta(hours=10))
    assert await starts(api, mentor) == ["08:00", "12:00"]


async def test_list_slots_keeps_the_buffer_to_the_minute(api: Api) -> None:
    noon, minute = MONDAY + timedelta(hours=12), timedelta(minutes=1)
    for buffer in (0, 15, 30, 45):
        before = noon - buffer * minute
        after = noon + (60 + buffer) * minute
        fitting = [(before - 30 * minute, before), (after, after + 30 * minute)]
        # One minute too close, each of them.
        touching = [(before - 29 * minute, before + minute), (after - minute, after + 29 * minute)]
        windows = [window(f"{start:%H:%M}", f"{end:%H:%M}") for start, end in fitting]
        windows += [window(f"{start:%H:%M}", f"{end:%H:%M}", day=1) for start, end in touching]
        mentor = await api.mentor(f"m{buffer}", windows, sessionDuration=30, bufferTime=buffer)
        for day in (0, 1):
            at = noon + timedelta(days=day)
            await api.by_hand(api.user("jane"), mentor, "confirmed", at)
        slots = (await availability(api, mentor, MONDAY, 2))["slots"]
        assert [(slot["dayOfWeek"], slot["startTime"]) for slot in slots] == [
            (0, f"{before - 30 * minute:%H:%M}"),
            (0, f"{after:%H:%M}"),
        ], buffer


async def test_list_slots_leaves_out_times_of_live_sessions_only(api: Api) -> None:
    statuses = (
        "pending",
        "confirmed",
        "rescheduled",
        "in_progress",
        "pending_completion",
        "completed",
        "disputed",
        "cancelled",
    )
    mentor = await api.mentor("mia", [window("08:00", "16:00")])
    for number, status in enumerate(statuses):
        at = MONDAY + timedelta(hours=8 + number)
        await api.by_hand(api.user("jane"), mentor, status, at)
    free = await starts(api, mentor)
    assert [statuses[int(start[:2]) - 8] for start in free] == [
        "pending_completion",
        "completed",
        "disputed",
        "cancelled",
    ]


async def test_list_slots_after_cancelled_session_offers_its_time(api: Api) -> None:
    mentor = await api.mentor("mia", [window("09:00", "10:00")])
    session = await api.session(api.user("jane"), mentor, MONDAY + timedelta(hours=9))
    assert await starts(api, mentor) == []
    await mentor.ok("POST", f"/sessions/{session['id']}/cancel")
    assert await starts(api, mentor) == ["09:00"]


async def test_list_slots_after_reschedule_leaves_out_the_new_time(api: Api) -> None:
    mentor = await api.mentor("mia", [window("09:00", "12:00")])
    session = await api.session(api.user("jane"), mentor, MONDAY + timedelta(hours=9))
    new = {
        "newStartTime": f"{MONDAY + timedelta(hours=11):%Y-%m-%dT%H:%M:%SZ}",
        "newEndTime": f"{MONDAY + timedelta(hours=12):%Y-%m-%dT%H:%M:%SZ}",
    }
    await mentor.ok("PUT", f"/sessions/{session['id']}/reschedule", new)
    assert await starts(api, mentor) == ["09:00", "10:00"]


async def test_list_slots_ignores_pending_requests(api: Api) -> None:
    mentor = await api.mentor("mia", [window("09:00", "10:00")])
    for sub in ("jane", "joe", "jill"):
        await api.request(api.user(sub), mentor, MONDAY + timedelta(hours=9))
    assert await starts(api, mentor) == ["09:00"]


async def test_list_slots_ignores_sessions_of_other_mentors(api: Api) -> None:
    mentor = await api.mentor("mia", [window("09:00", "10:00")])
    other = await api.mentor("max")
    await api.session(mentor, other, MONDAY + timedelta(hours=9))
    assert await starts(api, mentor) == ["09:00"]


async def test_list_slots_leaves_out_session_across_midnight(api: Api) -> None:
    mentor = await api.mentor("mia", ALWAYS, sessionDuration=30, bufferTime=30)
    await api.by_hand(
        api.user("jane"), mentor, "confirmed", MONDAY + timedelta(hours=23, minutes=30), 60
    )
    assert (await starts(api, mentor))[-2:] == ["21:00", "22:00"]
    assert (await starts(api, mentor, MONDAY + timedelta(days=1)))[:2] == ["01:00", "02:00"]


async def test_list_slots_keeps_the_buffer_across_midnight(api: Api) -> None:
    mentor = await api.mentor("mia", ALWAYS, sessionDuration=30, bufferTime=45)
    await api.by_hand(api.user("jane"), mentor, "confirmed", MONDAY + timedelta(hours=23), 60)
    # Monday's last start, 23:45, needs a buffer until 01:00.
    assert (await starts(api, mentor, MONDAY + timedelta(days=1)))[0] == "01:00"


async def test_list_slots_after_changed_setting_uses_it(api: Api) -> None:
    mentor = await api.mentor("mia", [window("09:00", "12:00")])
    assert len(await starts(api, mentor)) == 3
    body = {"slots": [window("09:00", "12:00")], "sessionDuration": 30, "bufferTime": 15}
    await mentor.ok("PUT", "/mentor/availability", body)
    assert await starts(api, mentor) == ["09:00", "09:45", "10:30", "11:15"]


async def test_list_slots_leaves_out_past_ones(api: Api, clock: Clock) -> None:
    mentor = await api.mentor("mia", [window("09:00", "13:00")])
    await clock.move_to(MONDAY + timedelta(hours=8, minutes=59))
    assert await starts(api, mentor) == ["09:00", "10:00", "11:00", "12:00"]
    await clock.move(minutes=2)
    assert (await availability(api, mentor, MONDAY, 2))["slots"][0]["startTime"] == "10:00"
    await clock.move(hours=2)
    assert (await availability(api, mentor, MONDAY, 3))["slots"][0]["startTime"] == "12:00"
    await clock.move(days=1)
    assert (await availability(api, mentor, MONDAY, 4))["slots"] == []


async def test_list_slots_of_past_range_is_empty(api: Api) -> None:
    mentor = await api.mentor()
    today = datetime.now(UTC).date()
    assert (await availability(api, mentor, today - timedelta(days=40), 30))["slots"] == []
    assert (await availability(api, mentor, date(1970, 1, 1), 30))["slots"] == []


# Which dates -------------------------------------------------------------------------------------


async def test_list_slots_includes_both_ends_of_the_range(api: Api) -> None:
    mentor = await api.mentor("mia", [window("00:00", "24:00", day) for day in range(7)])
    slots = (await availability(api, mentor, MONDAY, 3))["slots"]
    expected = [f"{MONDAY + timedelta(days=day):%Y-%m-%d}" for day in range(3)]
    assert sorted({slot["date"] for slot in slots}) == expected
    assert (slots[0]["startTime"], slots[-1]["endTime"]) == ("00:00", "24:00")
    assert len(slots) == 72


async def test_list_slots_without_dates_covers_today_and_14_days(api: Api) -> None:
    mentor = await api.mentor(sessionDuration=30)
    today = datetime.now(UTC).date()
    found = (await api.nobody.get(f"/mentors/{mentor.id}/availability")).json
    dates = sorted({slot["date"] for slot in found["slots"]})
    if datetime.now(UTC).date() == today:
        assert dates[-15 if len(dates) == 15 else -14 :] == [
            str(today + timedelta(days=day)) for day in range(15 - len(dates), 15)
        ]
        assert dates[-1] == str(today + timedelta(days=14))


async def test_list_slots_without_end_covers_14_days(api: Api) -> None:
    mentor = await api.mentor(sessionDuration=120)
    found = await api.nobody.get(
        f"/mentors/{mentor.id}/availability", startDate=f"{MONDAY:%Y-%m-%d}"
    )
    dates = sorted({slot["date"] for slot in found.json["slots"]})
    assert dates == [f"{MONDAY + timedelta(days=day):%Y-%m-%d}" for day in range(15)]


async def test_list_slots_without_start_begins_today(api: Api) -> None:
    mentor = await api.mentor(sessionDuration=30)
    found = await api.nobody.get(f"/mentors/{mentor.id}/availability", endDate=f"{MONDAY:%Y-%m-%d}")
    dates = sorted({slot["date"] for slot in found.json["slots"]})
    tomorrow = str(datetime.now(UTC).date() + timedelta(days=1))
    assert tomorrow in dates
    assert dates[-1] == f"{MONDAY:%Y-%m-%d}"


async def test_list_slots_of_more_than_92_dates_is_refused(api: Api) -> None:
    mentor = await api.mentor("mia", [window("09:00", "10:00", day) for day in range(7)])
    path = f"/mentors/{mentor.id}/availability"
    for days in (0, 90, 91):
        query = {"startDate": f"{MONDAY:%Y-%m-%d}"}
        query["endDate"] = f"{MONDAY + timedelta(days=days):%Y-%m-%d}"
        assert len((await api.nobody.get(path, **query)).json["slots"]) == days + 1
    for days in (92, 93, 366, 100_000):
        query["endDate"] = f"{MONDAY + timedelta(days=days):%Y-%m-%d}"
        assert fields_of(await api.nobody.get(path, **query)) == ["endDate"], days
    far = f"{MONDAY + timedelta(days=200):%Y-%m-%d}"
    assert fields_of(await api.nobody.get(path, endDate=far)) == ["endDate"]


async def test_list_slots_with_end_before_start_is_refused(api: Api) -> None:
    mentor = await api.mentor()
    path = f"/mentors/{mentor.id}/availability"
    response = await api.nobody.get(path, startDate="2026-02-10", endDate="2026-02-09")
    assert fields_of(response) == ["endDate"]
    assert fields_of(await api.nobody.get(path, endDate="2020-01-01")) == ["endDate"]
    same = await api.nobody.get(path, startDate="2026-02-10", endDate="2026-02-10")
    assert same.status == 200


async def test_list_slots_at_end_of_calendar_succeeds(api: Api) -> None:
    mentor = await api.mentor()
    path = f"/mentors/{mentor.id}/availability"
    for query in (
        {"startDate": "9999-12-25"},
        {"startDate": "9999-12-31"},
        {"startDate": "9999-12-01", "endDate": "9999-12-31"},
        {"startDate": "0001-01-01"},
        {"startDate": "0001-01-01", "endDate": "0001-01-01"},
    ):
        assert (await api.nobody.get(path, **query)).status == 200, query


async def test_list_slots_with_malformed_dates_is_refused(api: Api) -> None:
    mentor = await api.mentor()
    path = f"/mentors/{mentor.id}/availability"
    bad = [
        "",
        "today",
        "2026-02-30",
        "2026-13-01",
        "2026-00-10",
        "20260210",
        "2026-2-9",
        "26-02-10",
        "2026/02/10",
        "10.02.2026",
        "2026-02-10T00:00:00Z",
        "2026-W07-2",
        "2026-041",
        "0000-01-01",
        "10000-01-01",
        "-2026-02-10",
        "2026-02-10 ",
        "2026-02-10\n",
        "\u0662\u0660\u0662\u0666-\u0660\u0662-\u0661\u0660",
        "1770681600",
    ]
    for value in bad:
        assert fields_of(await api.nobody.get(path, startDate=value)) == ["startDate"], value
        assert fields_of(await api.nobody.get(path, endDate=value)) == ["endDate"], value
    response = await api.nobody.get(path, startDate="x", endDate="y")
    assert fields_of(response) == ["endDate", "startDate"]


# Offered and admitted times are the same ----------------------------------------------------------


@dataclass
class Week:
    """Windows as ``day HH:MM-HH:MM``; sessions as minutes from Monday 00:00, and their length."""

    windows: str
    duration: int = 60
    buffer: int = 0
    sessions: list[tuple[int, int]] = field(default_factory=list)

    def open_times(self) -> list[tuple[int, int]]:
        """Return the windows in minutes from Monday 00:00."""
        found = []
        for words in self.windows.split(", "):
            day, _, times = words.partition(" ")
            start, end = (
                int(day) * 1440 + int(time[:2]) * 60 + int(time[3:]) for time in times.split("-")
            )
            found.append((start, end))
        return found

    def is_free(self, start: int, minutes: int) -> bool:
        opened = {minute for begin, end in self.open_times() for minute in range(begin, end)}
        for begin, length in self.sessions:
            opened -= set(range(begin - self.buffer, begin + length + self.buffer))
        return opened.issuperset(range(start, start + minutes))

    def offered(self) -> list[int]:
        windows = utc_windows(self.open_times())
        return offered(windows, self.sessions, self.duration, self.buffer)

    def as_body(self) -> list[dict[str, Any]]:
        return [
            window(times[:5], times[6:], int(day))
            for day, _, times in (words.partition(" ") for words in self.windows.split(", "))
        ]


WEEKS = {
    "adjacent windows": Week("0 09:00-10:00, 0 10:00-11:00, 0 11:30-12:30", buffer=15),
    "one session in the middle": Week("0 09:00-17:00", 30, 15, [(12 * 60, 60)]),
    "odd times": Week("0 09:07-11:53, 0 13:11-14:40", 30, 45, [(10 * 60 + 3, 17)]),
    "over midnight": Week("0 22:00-24:00, 1 00:00-02:00", 60, 30, [(24 * 60 + 45, 15)]),
    "half windows that make a whole": Week("0 09:00-09:45, 0 09:45-11:00, 0 11:00-11:15", 60),
    "close sessions": Week("0 08:00-20:00", 90, 0, [(9 * 60, 60), (10 * 60, 60), (15 * 60, 180)]),
    "the longest": Week("0 09:00-13:10", 120, 45, [(8 * 60, 45)]),
}


@pytest.mark.parametrize("name", WEEKS)
async def test_request_each_minute_admits_exactly_the_offered_ones(api: Api, name: str) -> None:
    week = WEEKS[name]
    mentor = await api.mentor(
        "mia", week.as_body(), sessionDuration=week.duration, bufferTime=week.buffer
    )
    for start, minutes in week.sessions:
        at = MONDAY + timedelta(minutes=start)
        await api.by_hand(api.user("jane"), mentor, "confirmed", at, minutes)
    await api.services.listener.wait_until_current()
    slots = (await availability(api, mentor, MONDAY, 2))["slots"]
    offered = [
        (datetime.fromisoformat(f"{slot['date']}T{slot['startTime']}Z") - MONDAY)
        // timedelta(minutes=1)
        for slot in slots
    ]
    assert offered == week.offered()

    edges = [edge for times in week.open_times() for edge in times] + [
        edge
        for start, minutes in week.sessions
        for edge in (start - week.buffer, start + minutes + week.buffer)
    ]
    tried = {*offered, *range(7 * 60, 27 * 60, 15)}
    tried |= {edge + shift for edge in edges for shift in (-1, 0, 1)}
    tried |= {edge - week.duration + shift for edge in edges for shift in (-1, 0, 1)}

    async def admitted(start: int) -> bool:
        jane = api.user(f"mentee{start}")
        response = await jane.post("/requests", asking(mentor, MONDAY + timedelta(minutes=start)))
        if response.status != 201:
            assert is_error(response, 409, "Time slot is no longer available")
        return response.status == 201

    tried = sorted(tried)
    found = await asyncio.gather(*(admitted(start) for start in tried))
    assert {start for start, yes in zip(tried, found, strict=True) if yes} == {
        start for start in tried if week.is_free(start, week.duration)
    }


async def test_request_any_duration_that_fits_succeeds(api: Api) -> None:
    week = Week("0 09:00-12:00, 0 12:00-14:00", 60, 15, [(13 * 60, 30)])
    mentor = await api.mentor("mia", week.as_body(), bufferTime=15)
    await api.by_hand(api.user("jane"), mentor, "confirmed", MONDAY + timedelta(hours=13), 30)

    async def is_admitted(start: int, duration: int) -> bool:
        jane = api.user(f"mentee {start} {duration}")
        body = asking(mentor, MONDAY + timedelta(minutes=start), duration=duration)
        return (await jane.post("/requests", body)).status == 201

    tried = [(s, d) for s in range(8 * 60, 15 * 60, 15) for d in (15, 45, 75, 180)]
    found = await asyncio.gather(*(is_admitted(*one) for one in tried))
    assert [one for one, yes in zip(tried, found, strict=True) if yes] == [
        one for one in tried if week.is_free(*one)
    ]


async def test_book_offered_slot_keeps_its_times(api: Api) -> None:
    mentor = await api.mentor(sessionDuration=90, bufferTime=30)
    slots = (await availability(api, mentor, day_after_tomorrow(), 7))["slots"]
    for number, slot in enumerate(slots[::9]):
        body = asking(mentor, scheduledDate=slot["date"], scheduledTime=slot["startTime"])
        jane = api.user(f"mentee{number}")
        request = await jane.ok("POST", "/requests", body)
        assert request["duration"] == slot["duration"] == 90
        await mentor.ok("POST", f"/requests/{request['id']}/accept")
    left = (await availability(api, mentor, day_after_tomorrow(), 7))["slots"]
    assert [slot for slot in slots if slot not in left] == slots[::9]


async def test_request_begun_slot_is_refused_and_not_offered(api: Api, clock: Clock) -> None:
    mentor, jane = await api.mentor("mia", [window("09:00", "11:00")]), api.user("jane")
    await clock.move_to(MONDAY + timedelta(hours=9, seconds=1))
    assert await starts(api, mentor) == ["10:00"]
    response = await jane.post("/requests", asking(mentor, MONDAY + timedelta(hours=9)))
    assert is_error(response, 400, "Cannot request a session in the past")
    assert (
        await jane.post("/requests", asking(mentor, MONDAY + timedelta(hours=10)))
    ).status == 201


# Windows cut into slots ---------------------------------------------------------------------------


async def test_list_slots_of_joined_short_windows_offers_them(api: Api) -> None:
    hours = [window(f"{h:02}:00", f"{h + 1:02}:00") for h in (9, 10, 11)]
    mentor = await api.mentor("mia", hours, sessionDuration=90)
    assert await starts(api, mentor) == ["09:00", "10:30"]
    request = await api.request(api.user("jane"), mentor, MONDAY + timedelta(hours=10, minutes=30))
    assert request["duration"] == 90


async def test_list_slots_across_midnight_includes_their_end(api: Api) -> None:
    windows = [window("23:30", "24:00"), window("00:00", "01:30", day=1)]
    mentor = await api.mentor("mia", windows)
    tuesday = MONDAY + timedelta(days=1)
    first, second = (await availability(api, mentor, MONDAY, 2))["slots"]
    assert first == {
        "date": f"{MONDAY:%Y-%m-%d}",
        "dayOfWeek": 0,
        "startTime": "23:30",
        "endTime": "00:30",
        "duration": 60,
        "startsAt": f"{MONDAY:%Y-%m-%d}T23:30:00Z",
        "endsAt": f"{tuesday:%Y-%m-%d}T00:30:00Z",
    }
    assert (second["date"], second["startTime"]) == (f"{tuesday:%Y-%m-%d}", "00:30")
    # The dates asked for are those on which slots start, whatever the range.
    assert (await availability(api, mentor, MONDAY, 1))["slots"] == [first]
    assert (await availability(api, mentor, tuesday, 1))["slots"] == [second]


async def test_list_slots_from_sunday_into_monday_offers_them(api: Api) -> None:
    windows = [window("23:30", "24:00", day=6), window("00:00", "01:30", day=0)]
    mentor = await api.mentor("mia", windows)
    sunday = MONDAY + timedelta(days=6)
    assert await starts(api, mentor, sunday, 2) == ["23:30", "00:30"]
    assert await starts(api, mentor, sunday, 1) == ["23:30"]
    assert await starts(api, mentor, MONDAY, 1) == ["00:30"]


async def test_list_slots_that_end_at_midnight_show_24_00(api: Api) -> None:
    mentor = await api.mentor("mia", [window("23:00", "24:00"), window("00:00", "01:00", day=1)])
    (first, second) = (await availability(api, mentor, MONDAY, 2))["slots"]
    assert (first["endTime"], first["endsAt"][11:]) == ("24:00", "00:00:00Z")
    assert (second["startTime"], second["endTime"]) == ("00:00", "01:00")


async def test_list_slots_of_adjacent_hours_shifts_after_a_booking(api: Api) -> None:
    hours = [window(f"{h:02}:00", f"{h + 1:02}:00") for h in (9, 10, 11, 12)]
    mentor = await api.mentor("mia", hours, bufferTime=15)
    assert await starts(api, mentor) == ["09:00", "10:00", "11:00", "12:00"]
    # From 10:00 on there is room for one session, and 11:00 would come too close to it.
    await api.session(api.user("jane"), mentor, MONDAY + timedelta(hours=9))
    assert await starts(api, mentor) == ["11:00", "12:00"]
    await api.session(api.user("joe"), mentor, MONDAY + timedelta(hours=12))
    assert await starts(api, mentor) == ["10:45"]


async def test_list_slots_of_a_gap_offers_its_last_possible_start(api: Api) -> None:
    mentor = await api.mentor("mia", [window("09:00", "13:00")])
    await api.by_hand(api.user("jane"), mentor, "confirmed", MONDAY + timedelta(hours=9), 70)
    at = MONDAY + timedelta(hours=11, minutes=20)
    await api.by_hand(api.user("jane"), mentor, "confirmed", at, 100)
    assert await starts(api, mentor) == ["10:20"]


async def test_list_slots_of_begun_window_offers_its_rest(api: Api, clock: Clock) -> None:
    mentor = await api.mentor("mia", [window("09:00", "12:00")], sessionDuration=120)
    await clock.stop_at(MONDAY + timedelta(hours=8, minutes=59))
    assert await starts(api, mentor) == ["09:00"]
    await clock.stop_at(MONDAY + timedelta(hours=9))
    assert await starts(api, mentor) == ["10:00"]
    await clock.stop_at(MONDAY + timedelta(hours=10))
    assert await starts(api, mentor) == []


async def test_list_slots_of_unbroken_week_counts_from_monday(api: Api) -> None:
    mentor = await api.mentor("mia", ALWAYS, sessionDuration=60, bufferTime=15)
    whole = [slot["startsAt"] for slot in (await availability(api, mentor, MONDAY, 7))["slots"]]
    assert len(whole) == 7 * 24 * 60 // 75
    for day in range(7):
        at = MONDAY + timedelta(days=day)
        slots = (await availability(api, mentor, at))["slots"]
        assert [slot["startsAt"] for slot in slots] == [
            one for one in whole if one.startswith(f"{at:%Y-%m-%d}")
        ]


async def test_list_slots_takes_today_from_the_database(api: Api, clock: Clock) -> None:
    mentor = await api.mentor("mia", ALWAYS)
    path = f"/mentors/{mentor.id}/availability"
    await clock.move_to(MONDAY + timedelta(days=30, hours=23, minutes=10))
    slots = (await api.nobody.get(path)).json["slots"]
    assert slots[0]["startsAt"] == f"{MONDAY + timedelta(days=31):%Y-%m-%d}T00:00:00Z"
    assert slots[-1]["date"] == f"{MONDAY + timedelta(days=44):%Y-%m-%d}"
    today = f"{MONDAY + timedelta(days=30):%Y-%m-%d}"
    yesterday = f"{MONDAY + timedelta(days=29):%Y-%m-%d}"
    assert (await api.nobody.get(path, endDate=today)).status == 200
    assert fields_of(await api.nobody.get(path, endDate=yesterday)) == ["endDate"]
    far = f"{MONDAY + timedelta(days=30 + 91):%Y-%m-%d}"
    assert (await api.nobody.get(path, endDate=far)).status == 200


async def test_list_slots_with_wrong_range_precedes_missing_mentor(api: Api) -> None:
    path = "/mentors/00000000-0000-7000-8000-000000000000/availability"
    assert fields_of(await api.nobody.get(path, endDate="2020-01-01")) == ["endDate"]
    assert is_error(await api.nobody.get(path), 404, "Mentor not found")


async def test_list_slots_without_dates_is_cached_until_midnight(api: Api, clock: Clock) -> None:
    mentor = await api.mentor("mia", [window("09:00", "10:00")])
    await clock.stop_at(MONDAY + timedelta(hours=23))
    monday = str(MONDAY.date())
    for start, end, seconds in (
        (None, None, 3600),
        (None, monday, 3600),
        (monday, None, (6 * 24 + 10) * 3600),
        (monday, monday, float("inf")),
    ):
        _, seconds_valid = await list_slots(api.services.db, mentor.id, start, end)
        assert seconds_valid == seconds, (start, end)


# Random windows and sessions ----------------------------------------------------------------------

DURATIONS, BUFFERS = (30, 60, 90, 120), (0, 15, 30, 45)

minutes_of_a_day = st.one_of(
    st.sampled_from(range(0, 1441, 30)),
    st.sampled_from(range(0, 1441, 15)),
    st.integers(0, 1440),
    st.sampled_from([0, 1, 1439, 1440]),
)


@st.composite
def weekly_windows(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Draw windows in minutes from Monday 00:00. Neighbours within a day often touch."""
    if draw(st.integers(0, 5)) == 0:
        return [(day * 1440, day * 1440 + 1440) for day in range(7)]
    windows = []
    for day in draw(st.lists(st.integers(0, 6), min_size=1, max_size=7, unique=True)):
        edges = sorted(draw(st.lists(minutes_of_a_day, min_size=2, max_size=8, unique=True)))
        kept = draw(st.integers(1, 255)) | 1
        windows += [
            (day * 1440 + opens, day * 1440 + closes)
            for place, (opens, closes) in enumerate(pairwise(edges))
            if kept >> place & 1
        ]
    return sorted(windows)


sessions_of_nine_days = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 9 * 1440), st.sampled_from(range(0, 9 * 1440, 30))),
        st.one_of(st.integers(15, 180), st.sampled_from([30, 60, 90])),
    ),
    max_size=12,
)


@settings(
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    windows=weekly_windows(),
    wanted=sessions_of_nine_days,
    duration=st.sampled_from(DURATIONS),
    buffer=st.sampled_from(BUFFERS),
    first_day=st.integers(0, 7),
    days=st.integers(1, 9),
    seed=st.randoms(use_true_random=False),
)
def test_list_slots_of_random_weeks_offers_what_is_admitted(
    api: Api, io_loop: IOLoop, **drawn: Any
) -> None:
    io_loop.run_sync(lambda: check_slots(api, **drawn))


async def check_slots(
    api: Api,
    windows: list[tuple[int, int]],
    wanted: list[tuple[int, int]],
    duration: int,
    buffer: int,
    first_day: int,
    days: int,
    seed: random.Random,
) -> None:
    def at(minute: int) -> datetime:
        return MONDAY + timedelta(minutes=minute)

    body = [
        window(clock_time(opens % 1440), clock_time(closes - opens + opens % 1440), opens // 1440)
        for opens, closes in windows
    ]
    mentor = await api.mentor(f"m{uuid.uuid4()}", body, sessionDuration=duration, bufferTime=buffer)
    sessions: list[tuple[int, int]] = []
    for start, minutes in wanted:
        if all(start >= s + m + buffer or s >= start + minutes + buffer for s, m in sessions):
            sessions.append((start, minutes))
            await api.by_hand(api.user("jane"), mentor, "confirmed", at(start), minutes)
    await api.services.listener.wait_until_current()

    slots = (await availability(api, mentor, at(first_day * 1440), days))["slots"]
    found = [
        (datetime.fromisoformat(s["startsAt"]) - MONDAY) // timedelta(minutes=1) for s in slots
    ]
    assert all(later - one >= duration for one, later in pairwise(found))

    weeks = utc_windows(
        (opens + week * 10080, closes + week * 10080)
        for week in (-2, -1, 0, 1, 2)
        for opens, closes in windows
    )
    begins, ends = first_day * 1440, (first_day + days) * 1440
    for opens, closes in free_stretches(weeks, tuple(sessions), buffer):
        if begins <= opens and closes <= ends and closes - opens >= duration:
            assert any(opens <= start <= closes - duration for start in found), (opens, closes)
    expected = offered(weeks, sessions, duration, buffer)
    assert found == [start for start in expected if begins <= start < ends]

    for number, start in enumerate(seed.sample(found, min(3, len(found)))):
        asked = asking(mentor, at(start))
        assert (await api.user(f"mentee{number}").post("/requests", asked)).status == 201


def clock_time(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
