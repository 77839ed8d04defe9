"""Overrides: the windows of one day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.api.availability.test_zones import local_mentor, starts, windows_of
from tests.client import ALWAYS, Api, asking, coming, fields_of, is_error
from tests.clock import Clock

MONDAY = coming(0)


def slots(*times: str) -> dict[str, Any]:
    return {"slots": [{"startTime": each[:5], "endTime": each[6:]} for each in times]}


def path(days: int = 0) -> str:
    return f"/mentor/overrides/{MONDAY + timedelta(days=days):%Y-%m-%d}"


def hours(days: int, *times: str) -> list[str]:
    return [f"{MONDAY + timedelta(days=days):%Y-%m-%d}T{time}:00Z" for time in times]


async def test_set_override_replaces_the_windows_of_its_day_only(api: Api) -> None:
    mentor = await api.mentor("mia", windows_of("09:00-11:00", 0) + windows_of("09:00-10:00", 1))
    saved = await mentor.ok("PUT", path(), slots("16:00-17:00", "12:30-13:30"))
    assert saved == {"date": f"{MONDAY:%Y-%m-%d}", **slots("12:30-13:30", "16:00-17:00")}
    expected = hours(0, "12:30", "16:00") + hours(1, "09:00") + hours(7, "09:00", "10:00")
    assert await starts(api, mentor, MONDAY.date(), 8) == expected
    assert await mentor.ok("GET", "/mentor/overrides") == [saved]
    # A change of the weekly windows does not change the day of the override.
    weekly = windows_of("08:00-09:00", 0)
    await mentor.ok("PUT", "/mentor/availability", {"slots": weekly})
    assert await starts(api, mentor, MONDAY.date(), 8) == hours(0, "12:30", "16:00") + hours(
        7, "08:00"
    )


async def test_set_empty_override_closes_the_day_until_deleted(api: Api) -> None:
    mentor = await api.mentor("mia", windows_of("09:00-10:00", 0))
    await mentor.ok("PUT", path(), slots("07:00-08:00"))
    await mentor.ok("PUT", path(), slots())
    assert await starts(api, mentor, MONDAY.date(), 1) == []
    response = await api.user("ann").post("/requests", asking(mentor, MONDAY + timedelta(hours=9)))
    assert is_error(response, 409, "Time slot is no longer available")
    assert await mentor.ok("DELETE", path()) == {"message": "Override deleted"}
    assert await starts(api, mentor, MONDAY.date(), 1) == hours(0, "09:00")
    assert is_error(await mentor.delete(path()), 404, "Override not found")


async def test_set_override_until_midnight_joins_the_next_day(api: Api) -> None:
    mentor = await api.mentor("mia", windows_of("00:00-01:30", 1))
    await mentor.ok("PUT", path(), slots("23:30-24:00"))
    assert await starts(api, mentor, MONDAY.date(), 2) == hours(0, "23:30") + hours(1, "00:30")


async def test_set_override_keeps_sessions(api: Api) -> None:
    mentor, jane = await api.mentor("mia", windows_of("09:00-10:00", 0)), api.user("jane")
    session = await api.session(jane, mentor, MONDAY + timedelta(hours=9))
    await mentor.ok("PUT", path(), slots("08:00-11:00"))
    assert await starts(api, mentor, MONDAY.date(), 1) == hours(0, "08:00", "10:00")
    assert await jane.ok("GET", f"/sessions/{session['id']}") == session


@pytest.mark.parametrize(
    ("zone", "now", "today"),
    [
        ("UTC", "2027-06-10T23:59:59Z", "2027-06-10"),
        ("Pacific/Auckland", "2027-06-10T12:00:00Z", "2027-06-11"),
        ("America/Los_Angeles", "2027-06-11T06:59:59Z", "2027-06-10"),
    ],
)
async def test_set_override_of_a_past_day_of_the_zone_is_refused(
    api: Api, clock: Clock, zone: str, now: str, today: str
) -> None:
    await clock.stop_at(datetime.fromisoformat(now))
    mentor = await local_mentor(api, zone, ALWAYS)
    day = datetime.fromisoformat(today).date()
    await mentor.ok("PUT", f"/mentor/overrides/{day}", slots())
    yesterday = day - timedelta(days=1)
    assert fields_of(await mentor.put(f"/mentor/overrides/{yesterday}", slots())) == ["date"]
    assert fields_of(await mentor.delete(f"/mentor/overrides/{yesterday}")) == ["date"]
    assert [one["date"] for one in await mentor.ok("GET", "/mentor/overrides")] == [today]


async def test_set_override_around_midnight_utc_is_on_the_local_day(api: Api, clock: Clock) -> None:
    await clock.stop_at(datetime(2027, 6, 1, tzinfo=UTC))
    mentor = await local_mentor(api, "America/New_York", [])
    await mentor.ok("PUT", "/mentor/overrides/2027-07-01", slots("19:00-22:00"))
    assert await starts(api, mentor, datetime(2027, 7, 1, tzinfo=UTC).date(), 3) == [
        "2027-07-01T23:00:00Z",
        "2027-07-02T00:00:00Z",
        "2027-07-02T01:00:00Z",
    ]


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        (slots("09:00-11:00", "10:00-12:00"), "slots.1", "10:00-12:00 overlaps slots.0"),
        (slots("11:00-09:00"), "slots.0.startTime", "must be before endTime"),
        (slots("22:00-00:00"), "slots.0.startTime", "the end of the day is 24:00"),
        (slots("09:00-09:00"), "slots.0.startTime", "must be before endTime"),
        (slots(*(f"{hour:02}:00-{hour:02}:30" for hour in range(11))), "slots", "at most 10"),
        ({}, "slots", "is required"),
        ({"slots": [{"startTime": "9:00", "endTime": "10:00"}]}, "slots.0.startTime", "HH:mm"),
        (slots() | {"note": "x"}, "note", "not a known field"),
    ],
)
async def test_set_wrong_override_is_refused(api: Api, body: Any, field: str, message: str) -> None:
    mentor = await api.mentor()
    response = await mentor.put(path(), body)
    assert fields_of(response)[:1] == [field]
    assert message in response.json["details"][0]["message"]


async def test_set_override_of_malformed_day_is_refused(api: Api) -> None:
    mentor = await api.mentor()
    for day in ("2027-02-30", "tomorrow", "20270210", "2027-2-1", "%00", "10000-01-01", "%FF"):
        assert fields_of(await mentor.put(f"/mentor/overrides/{day}", slots())) == ["date"], day
        assert fields_of(await mentor.delete(f"/mentor/overrides/{day}")) == ["date"], day
    for day in ("0001-01-01", "9999-12-31"):
        assert (await mentor.put(f"/mentor/overrides/{day}", slots("00:00-24:00"))).status < 500


async def test_list_overrides_pages_through_them(api: Api) -> None:
    mentor = await api.mentor()
    for days in (2, 0, 1):
        await mentor.ok("PUT", path(days), slots())
    response = await mentor.get("/mentor/overrides", limit=2)
    assert [one["date"] for one in response.json] == [path(days)[-10:] for days in (0, 1)]
    assert response.headers["X-Total-Count"] == "3"
    assert 'rel="next"' in response.headers["Link"]


async def test_set_override_without_profile_is_not_found(api: Api) -> None:
    jane = api.user("jane")
    for response in (
        await jane.get("/mentor/overrides"),
        await jane.put(path(), slots()),
        await jane.delete(path()),
    ):
        assert is_error(response, 404, "Mentor profile not found")
