"""GET /mentors/available: which mentors are free between two instants, soonest first."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests.client import ALWAYS, Api, Mentor, coming, fields_of, instant, iso
from tests.clock import Clock

MONDAY = coming(0)


async def available(api: Api, start: datetime, end: datetime, **query: Any) -> list[Any]:
    query = {"from": iso(start), "to": iso(end), **query}
    response = await api.nobody.get("/mentors/available", **query)
    assert response.status == 200, response
    return response.json


async def free(api: Api, start: datetime, end: datetime, **query: Any) -> dict[str, list[str]]:
    """Return the starts of the slots by user id, in the order of the response."""
    found = await available(api, start, end, **query)
    return {one["userId"]: [slot["startsAt"] for slot in one["slots"]] for one in found}


def hours(*texts: str, day: int = 0) -> list[dict[str, Any]]:
    windows = [text.split("-") for text in texts]
    return [{"dayOfWeek": day, "startTime": start, "endTime": end} for start, end in windows]


async def test_list_available_shows_cards_with_three_slots(api: Api) -> None:
    mentor = await api.mentor("mia", hours("09:00-17:00"), bufferTime=15, languages=["en"])
    (found,) = await available(api, MONDAY, MONDAY + timedelta(days=7))
    days = {"startDate": MONDAY.date(), "endDate": MONDAY.date() + timedelta(days=6)}
    slots = (await api.nobody.get(f"/mentors/{mentor.id}/availability", **days)).json["slots"]
    assert found.pop("slots") == slots[:3]
    assert [found] == (await api.nobody.get("/mentors")).json


async def test_list_available_orders_by_first_slot_then_as_the_list(api: Api) -> None:
    await api.mentor("late", hours("10:00-12:00"))
    await api.mentor("later", hours("08:00-12:00", day=1))
    plain = await api.mentor("plain", hours("09:00-10:00"))
    rated = await api.mentor("rated", hours("09:00-12:00"))
    await api.rate(plain, 3)
    await api.rate(rated, 5)
    await api.mentor("none", [])
    await api.mentor("short", hours("09:00-09:30"))
    await api.mentor("shy", hours("06:00-12:00"), visibility="private")
    week = MONDAY, MONDAY + timedelta(days=7)
    assert [*await free(api, *week)] == ["rated", "plain", "late", "later"]
    assert [*await free(api, *week, limit=2)] == ["rated", "plain"]
    monday_at_ten = MONDAY + timedelta(hours=9, minutes=1)
    assert [*await free(api, monday_at_ten, week[1])] == ["rated", "late", "later"]


async def test_list_available_shows_slots_within_the_period_only(api: Api) -> None:
    await api.mentor("mia", hours("09:00-12:00"))
    nine, ten, eleven = (MONDAY + timedelta(hours=hour) for hour in (9, 10, 11))
    assert await free(api, nine, ten) == {"mia": [iso(nine)]}
    assert await free(api, nine, eleven) == {"mia": [iso(nine), iso(ten)]}
    assert await free(api, nine, ten - timedelta(minutes=1)) == {}
    assert await free(api, nine + timedelta(seconds=1), eleven) == {"mia": [iso(ten)]}


async def test_list_available_with_filters_finds_who_passes(api: Api) -> None:
    for sub, profile in {
        "go": {"expertise": ["Go"], "sessionRate": 10, "languages": ["pt-BR"]},
        "rust": {"expertise": ["Rust"], "sessionRate": 20, "sessionDuration": 90},
    }.items():
        await api.mentor(sub, hours("09:00-12:00"), **profile)
    week = MONDAY, MONDAY + timedelta(days=7)
    assert [*await free(api, *week)] == ["go", "rust"]
    assert [*await free(api, *week, expertise="GO")] == ["go"]
    assert [*await free(api, *week, maxRate=15, currency="NGN")] == ["go"]
    assert [*await free(api, *week, language="pt")] == ["go"]
    assert [*await free(api, *week, duration=90)] == ["rust"]
    assert [*await free(api, *week, duration=90, expertise="go")] == []


async def test_list_available_leaves_out_the_past(api: Api) -> None:
    await api.mentor("mia", ALWAYS)
    now = datetime.now(UTC)
    found = await free(api, now - timedelta(days=20), now + timedelta(days=1))
    assert len(found["mia"]) == 3
    assert instant(found["mia"][0]) > now
    assert await free(api, now - timedelta(days=20), now - timedelta(days=1)) == {}


async def test_list_available_follows_sessions_and_hours_at_once(api: Api) -> None:
    """The response is cached, and every change makes it stale."""
    mia, tom = await api.mentor("mia", ALWAYS), await api.mentor("tom", [])
    at = coming(0, 9)
    period = at, at + timedelta(hours=1)
    assert await free(api, *period) == {"mia": [iso(at)]}
    session = await api.session(api.user("jane"), mia, at)
    assert await free(api, *period) == {}
    await tom.ok("PUT", "/mentor/availability", {"slots": hours("09:00-10:00")})
    assert await free(api, *period) == {"tom": [iso(at)]}
    await mia.ok("POST", f"/sessions/{session['id']}/cancel", {})
    assert [*await free(api, *period)] == ["mia", "tom"]
    window = (await tom.ok("GET", "/mentor/availability"))["slots"][0]["id"]
    await tom.ok("DELETE", f"/mentor/availability/{window}")
    assert [*await free(api, *period)] == ["mia"]
    hits = api.services.cache.hits
    assert [*await free(api, *period)] == ["mia"]
    assert api.services.cache.hits == hits + 1


async def test_list_available_follows_requests_where_sessions_are_limited(api: Api) -> None:
    mia, jane = await api.mentor("mia"), api.user("jane")
    await mia.ok("PUT", "/mentor/policy", {"maxSessionsPerDay": 1})
    at = coming(0, 9)
    period = at, at + timedelta(hours=1)
    assert await free(api, *period) == {"mia": [iso(at)]}
    for answer in ("cancel", "reject"):
        request = await api.request(jane, mia, at)
        assert await free(api, *period) == {}
        if answer == "cancel":
            await jane.ok("PATCH", f"/requests/{request['id']}/cancel")
        else:
            await mia.ok("POST", f"/requests/{request['id']}/reject")
        assert await free(api, *period) == {"mia": [iso(at)]}


async def test_list_available_changes_when_its_first_slot_comes(api: Api, clock: Clock) -> None:
    await api.mentor("mia", hours("09:00-11:00"))
    monday = coming(0)
    period = monday, monday + timedelta(days=1)
    for minutes, starts in {539: [9, 10], 540: [10], 600: []}.items():
        await clock.stop_at(monday + timedelta(minutes=minutes))
        slots = [iso(monday + timedelta(hours=hour)) for hour in starts]
        assert (await free(api, *period)).get("mia", []) == slots


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", ["from", "to"]),
        ("from=2031-02-10T00:00:00Z", ["to"]),
        ("from=2031-02-10&to=2031-02-11", ["from", "to"]),
        ("from=2031-02-10T00:00:00&to=2031-02-11T00:00:00Z", ["from"]),
        ("from=2031-02-10T00:00:00Z&to=2031-02-10T00:00:00Z", ["to"]),
        ("from=2031-02-10T00:00:00Z&to=2031-02-09T23:00:00-03:00&from=x", ["from"]),
        ("from=2031-02-10T00:00:00Z&to=2031-03-13T00:00:01Z", ["to"]),
        ("from=0001-01-01T00:00:00Z&to=9999-12-31T23:59:59Z", ["to"]),
        ("from=2031-02-10T00:00:00Z&to=2031-02-11T00:00:00Z&limit=51", ["limit"]),
        ("from=2031-02-10T00:00:00Z&to=2031-02-11T00:00:00Z&limit=0", ["limit"]),
        ("from=2031-02-10T00:00:00Z&to=2031-02-11T00:00:00Z&maxRate=1", ["currency"]),
    ],
)
async def test_list_available_with_wrong_period_is_refused(
    api: Api, query: str, field: list[str]
) -> None:
    assert sorted(fields_of(await api.nobody.get(f"/mentors/available?{query}"))) == field


async def test_list_available_at_the_ends_of_time_is_empty(api: Api) -> None:
    await api.mentor("mia", hours("09:00-10:00"))
    for start, end in (
        ("0001-01-01T00:00:00Z", "0001-01-31T00:00:00Z"),
        ("9999-12-31T23:00:00Z", "9999-12-31T23:59:59Z"),
        ("2031-02-10T23:30:00%2B14:00", "2031-02-10T00:00:00-12:00"),
    ):
        response = await api.nobody.get(f"/mentors/available?from={start}&to={end}")
        assert (response.status, response.json[:0]) == (200, [])


# Compared with mentor_slots() of each mentor -----------------------------------------------------

ASKED_EACH = """
SELECT m.id, min(s.start_time) AS first_start
FROM mentors AS m
CROSS JOIN LATERAL mentor_slots(
    m, ($1 AT TIME ZONE 'UTC')::date, ($2 AT TIME ZONE 'UTC')::date
) AS s
WHERE m.visibility = 'public' AND s.start_time >= $1 AND s.end_time <= $2
GROUP BY m.id
ORDER BY
    first_start, m.rating DESC NULLS LAST, m.review_count DESC, m.total_sessions DESC, m.id
LIMIT $3
"""


async def test_list_available_agrees_with_asking_each_mentor(api: Api) -> None:
    chance = random.Random(15)
    for number in range(24):
        mentor = await api.mentor(f"mentor{number}", **settings(chance))
        if number % 2:
            await set_calendar(chance, mentor)
        await add_sessions(api, chance, mentor)
        await api.db.execute(
            "UPDATE mentors SET review_count = 1, rating_sum = $2 WHERE id = $1",
            mentor.id,
            1 + number % 3,
        )
    try:
        for _ in range(40):
            start = datetime.now(UTC) + timedelta(minutes=chance.randint(-600, 20_000))
            end = start + timedelta(minutes=chance.choice([60, 600, 3000, 10_000, 40_000]))
            wanted, sample = chance.choice([1, 5, 20]), chance.choice([1, 4, 15, 1000])
            expected = await api.db.fetch(ASKED_EACH, start, end, wanted)
            found = await api.db.fetch(
                """
                SELECT id, first_start FROM mentors_available('{}', $1, $2, $3, $4)
                WHERE id IS NOT NULL
                """,
                start,
                end,
                wanted,
                sample,
            )
            assert found == expected, (start, end, wanted, sample)
    finally:
        await api.db.execute("UPDATE mentors SET review_count = 0, rating_sum = 0")


def settings(chance: random.Random) -> dict[str, Any]:
    windows = []
    for day in range(7):
        times = sorted(chance.sample(range(0, 1441, 15), 2 * chance.choice([0, 0, 1, 2])))
        times += [1440] * (day % 3 == 0 and len(times) % 2)
        for start, end in zip(times[::2], times[1::2], strict=False):
            windows.append({"dayOfWeek": day, "startTime": time_of(start), "endTime": time_of(end)})
        if not windows and chance.random() < 0.3:
            windows += hours("00:00-24:00", day=day)
    return {
        "windows": windows,
        "sessionDuration": chance.choice([30, 60, 90, 120]),
        "bufferTime": chance.choice([0, 15, 30, 45]),
    }


async def set_calendar(chance: random.Random, mentor: Mentor) -> None:
    """Give a mentor a random zone, policy, overrides and time off."""
    today = datetime.now(UTC).date()
    windows = (await mentor.ok("GET", "/mentor/availability"))["slots"]
    zone = chance.choice(["UTC", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe"])
    body = {"slots": windows, "availabilityTimezone": zone}
    await mentor.ok("PUT", "/mentor/availability", body)
    policy = {
        "minimumNoticeMinutes": chance.choice([0, 0, 600]),
        "horizonDays": chance.choice([None, None, 5]),
        "maxSessionsPerDay": chance.choice([None, 2]),
        "acceptingRequests": chance.random() < 0.9,
    }
    await mentor.ok("PUT", "/mentor/policy", policy)
    for days in chance.sample(range(2, 14), chance.choice([0, 3])):
        times = sorted(chance.sample(range(0, 1441, 15), 4))
        slots = [
            {"startTime": time_of(start), "endTime": time_of(end)}
            for start, end in zip(times[::2], times[1::2], strict=True)
        ]
        body = {"slots": chance.choice([[], slots])}
        await mentor.ok("PUT", f"/mentor/overrides/{today + timedelta(days=days)}", body)
    for _ in range(chance.choice([0, 2])):
        start = datetime.now(UTC) + timedelta(minutes=chance.randint(10, 20_000))
        end = start + timedelta(minutes=chance.randint(10, 3000))
        await mentor.ok("POST", "/mentor/time-off", {"startsAt": iso(start), "endsAt": iso(end)})


def time_of(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


async def add_sessions(api: Api, chance: random.Random, mentor: Mentor) -> None:
    """Insert sessions at random times, within and outside of the windows."""
    async with api.db.acquire() as connection:
        for _ in range(chance.choice([0, 3, 25])):
            start = datetime.now(UTC).replace(second=0, microsecond=0)
            start += timedelta(minutes=chance.randint(0, 10_000))
            end = start + timedelta(minutes=chance.choice([15, 30, 60, 100, 180]))
            with suppress(asyncpg.ExclusionViolationError):
                await connection.execute(
                    """
                    INSERT INTO bookings (
                        mentor_id, mentee_id, topic, start_time, end_time, status
                    )
                    SELECT $1, user_id, 'Advice', $2, $3, 'confirmed' FROM mentors WHERE id = $1
                    """,
                    mentor.id,
                    start,
                    end,
                )
