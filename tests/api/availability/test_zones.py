"""Windows in the local time of an IANA zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from mentorapi.schemas.availability import zones
from tests.client import ALWAYS, Api, Mentor, asking, coming, fields_of, is_error
from tests.clock import Clock

WEEK = timedelta(weeks=1)

#: Zone, the day of the change, its windows in local time, the minutes of a session; the UTC times
#: of the slots a week before, on that day, and a week after ("-": on the UTC day before).
CHANGES = {
    "New York, an hour skipped": (
        ("America/New_York", "2027-03-14", "01:00-04:00", 60),
        ("06:00 07:00 08:00", "06:00 07:00", "05:00 06:00 07:00"),
    ),
    "New York, within the skipped hour": (
        ("America/New_York", "2027-03-14", "02:00-03:00", 60),
        ("07:00", "", "06:00"),
    ),
    "New York, partly skipped": (
        ("America/New_York", "2027-03-14", "02:30-03:30", 30),
        ("07:30 08:00", "07:00", "06:30 07:00"),
    ),
    "New York, windows side by side": (
        ("America/New_York", "2027-03-14", "01:00-02:00 03:00-04:00", 60),
        ("06:00 08:00", "06:00 07:00", "05:00 07:00"),
    ),
    "New York, an hour twice": (
        ("America/New_York", "2027-11-07", "01:00-03:00", 60),
        ("05:00 06:00", "05:00 06:00 07:00", "06:00 07:00"),
    ),
    "New York, half an hour twice": (
        ("America/New_York", "2027-11-07", "00:30-01:30", 30),
        ("04:30 05:00", "04:30 05:00 06:00", "05:30 06:00"),
    ),
    "Berlin, an hour skipped": (
        ("Europe/Berlin", "2027-03-28", "01:00-04:00", 60),
        ("00:00 01:00 02:00", "00:00 01:00", "-23:00 00:00 01:00"),
    ),
    "Berlin, an hour twice": (
        ("Europe/Berlin", "2027-10-31", "01:00-03:00", 60),
        ("-23:00 00:00", "-23:00 00:00 01:00", "00:00 01:00"),
    ),
    "Lord Howe, half an hour skipped": (
        ("Australia/Lord_Howe", "2027-10-03", "01:00-03:00", 30),
        ("-14:30 -15:00 -15:30 -16:00", "-14:30 -15:00 -15:30", "-14:00 -14:30 -15:00 -15:30"),
    ),
    "Lord Howe, half an hour twice": (
        ("Australia/Lord_Howe", "2027-04-04", "01:00-03:00", 30),
        (
            "-14:00 -14:30 -15:00 -15:30",
            "-14:00 -14:30 -15:00 -15:30 -16:00",
            "-14:30 -15:00 -15:30 -16:00",
        ),
    ),
    "Sydney, an hour skipped": (
        ("Australia/Sydney", "2027-10-03", "01:00-04:00", 60),
        ("-15:00 -16:00 -17:00", "-15:00 -16:00", "-14:00 -15:00 -16:00"),
    ),
    "Sydney, an hour twice": (
        ("Australia/Sydney", "2027-04-04", "02:00-04:00", 60),
        ("-15:00 -16:00", "-15:00 -16:00 -17:00", "-16:00 -17:00"),
    ),
    "Havana, midnight skipped": (
        ("America/Havana", "2027-03-14", "00:00-02:00", 60),
        ("05:00 06:00", "05:00", "04:00 05:00"),
    ),
    "Havana, midnight twice": (
        ("America/Havana", "2027-11-07", "00:00-02:00", 60),
        ("04:00 05:00", "04:00 05:00 06:00", "05:00 06:00"),
    ),
    "Kathmandu, never changed": (
        ("Asia/Kathmandu", "2027-03-28", "09:00-11:00", 60),
        ("03:15 04:15", "03:15 04:15", "03:15 04:15"),
    ),
    "Apia, the day that is missing": (
        ("Pacific/Apia", "2011-12-30", "09:00-11:00", 60),
        ("19:00 20:00", "", "-19:00 -20:00"),
    ),
}


def windows_of(times: str, day: int) -> list[dict[str, Any]]:
    return [
        {"dayOfWeek": day, "startTime": span[:5], "endTime": span[6:]} for span in times.split()
    ]


async def local_mentor(
    api: Api, zone: str, windows: list[dict[str, Any]], **settings: Any
) -> Mentor:
    mentor = await api.mentor("mia", windows)
    body = {"slots": windows, "availabilityTimezone": zone, **settings}
    assert (await mentor.ok("PUT", "/mentor/availability", body))["availabilityTimezone"] == zone
    return mentor


async def starts(api: Api, mentor: Mentor, first: date, days: int) -> list[str]:
    response = await api.nobody.get(
        f"/mentors/{mentor.id}/availability",
        startDate=first,
        endDate=first + timedelta(days=days - 1),
    )
    return [slot["startsAt"] for slot in response.json["slots"]]


@pytest.mark.parametrize("name", CHANGES)
async def test_list_slots_around_a_change_of_clocks_follows_them(
    api: Api, clock: Clock, name: str
) -> None:
    (zone, text, times, minutes), expected = CHANGES[name]
    day = date.fromisoformat(text)
    await clock.stop_at(datetime.fromisoformat(f"{day - 3 * WEEK}T12:00Z"))
    mentor = await local_mentor(
        api, zone, windows_of(times, day.weekday()), sessionDuration=minutes
    )
    local_days = (day - WEEK, day, day + WEEK)
    assert await starts(api, mentor, day - WEEK - timedelta(days=1), 17) == [
        f"{local_day - timedelta(days=time.startswith('-'))}T{time.removeprefix('-')}:00Z"
        for local_day, shown in zip(local_days, expected, strict=True)
        for time in shown.split()
    ]


async def test_list_slots_of_local_monday_has_the_weekday_in_utc(api: Api) -> None:
    mentor = await local_mentor(api, "Asia/Tokyo", windows_of("08:00-09:00", 0))
    sunday = coming(6).date()
    response = await api.nobody.get(
        f"/mentors/{mentor.id}/availability", startDate=sunday, endDate=sunday
    )
    (slot,) = response.json["slots"]
    assert (slot["date"], slot["dayOfWeek"], slot["startTime"]) == (f"{sunday}", 6, "23:00")


async def test_list_slots_of_one_utc_day_takes_two_local_days(api: Api, clock: Clock) -> None:
    await clock.stop_at(datetime(2027, 7, 1, tzinfo=UTC))
    always = [window | {"startTime": "09:00"} for window in ALWAYS]
    mentor = await local_mentor(api, "America/Los_Angeles", always)
    shown = await starts(api, mentor, date(2027, 7, 7), 1)
    assert [start[11:13] for start in shown] == [f"{h:02}" for h in (*range(7), *range(16, 24))]


async def test_cut_local_windows_across_midnight_continues(api: Api) -> None:
    mentor = await local_mentor(
        api, "Asia/Kathmandu", windows_of("23:30-24:00", 0) + windows_of("00:00-01:30", 1)
    )
    monday = coming(0).date()
    assert await starts(api, mentor, monday, 2) == [f"{monday}T17:45:00Z", f"{monday}T18:45:00Z"]


async def test_change_zone_moves_windows_and_keeps_sessions(api: Api) -> None:
    mentor, jane = await api.mentor("mia", windows_of("09:00-11:00", 0)), api.user("jane")
    monday = coming(0)
    session = await api.session(jane, mentor, monday + timedelta(hours=9))
    body = {"slots": windows_of("09:00-11:00", 0), "availabilityTimezone": "Africa/Lagos"}
    await mentor.ok("PUT", "/mentor/availability", body)
    assert await starts(api, mentor, monday.date(), 1) == [f"{monday:%Y-%m-%d}T08:00:00Z"]
    assert await jane.ok("GET", f"/sessions/{session['id']}") == session
    del body["availabilityTimezone"]
    shown = await mentor.ok("PUT", "/mentor/availability", body)
    assert shown["availabilityTimezone"] == "Africa/Lagos"
    shown = await mentor.ok("PUT", "/mentor/availability", shown | {"availabilityTimezone": "UTC"})
    assert await starts(api, mentor, monday.date(), 1) == [f"{monday:%Y-%m-%d}T10:00:00Z"]


async def test_request_local_time_admits_exactly_the_offered(api: Api) -> None:
    mentor = await local_mentor(api, "America/Sao_Paulo", windows_of("20:00-23:00", 4))
    friday = coming(4)
    assert await starts(api, mentor, friday.date(), 2) == [
        f"{friday + timedelta(hours=hour):%Y-%m-%dT%H}:00:00Z" for hour in (23, 24, 25)
    ]
    for number, hour in enumerate((20, 22, 23, 24, 25, 26)):
        response = await api.user(f"ann{number}").post(
            "/requests", asking(mentor, friday + timedelta(hours=hour))
        )
        if hour in (23, 24, 25):
            assert response.status == 201
        else:
            assert is_error(response, 409, "Time slot is no longer available")


@pytest.mark.parametrize(
    ("zone", "meant"),
    [
        ("Africa/Lagoss", "Africa/Lagos"),
        ("africa/lagos", "Africa/Lagos"),
        ("berlin", "Europe/Berlin"),
        ("New York", "America/New_York"),
        ("Europe/Berlim", "Europe/Berlin"),
        ("utc", "UTC"),
        ("WAT", None),
        ("EST", None),
        ("EST5EDT", None),
        ("+01:00", None),
        ("UTC+1", None),
        ("localtime", None),
        ("posixrules", None),
        ("../etc/passwd", None),
        ("", None),
        ("x" * 64, None),
    ],
)
async def test_set_unknown_zone_is_refused_with_a_suggestion(
    api: Api, zone: str, meant: str | None
) -> None:
    response = await api.user("mia").put(
        "/mentor/availability", {"slots": [], "availabilityTimezone": zone}
    )
    assert fields_of(response) == ["availabilityTimezone"]
    message = response.json["details"][0]["message"]
    assert message.partition("; ")[2] == (f"did you mean {meant}?" if meant else "")


async def test_set_zones_of_areas_is_accepted(api: Api) -> None:
    mentor = api.user("mia")
    for zone in ("Africa/Lagos", "America/Argentina/Buenos_Aires", "Asia/Calcutta", "Etc/GMT+5"):
        body = {"slots": [], "availabilityTimezone": zone}
        shown = await mentor.ok("PUT", "/mentor/availability", body)
        assert shown["availabilityTimezone"] == zone


async def test_accept_zones_of_the_server_knows_all_of_the_api(api: Api) -> None:
    known = {row["name"] for row in await api.db.fetch("SELECT name FROM pg_timezone_names")}
    assert set(zones().values()) <= known
