"""The policy: notice, horizon, limits of sessions, cutoff of cancellations, pause."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from mentorapi.repositories.availability import list_slots
from tests.api.availability.test_zones import local_mentor, starts, windows_of
from tests.client import ALWAYS, Api, Mentor, User, asking, coming, fields_of, is_error, iso
from tests.clock import Clock

MONDAY = coming(0)
PATH = "/mentor/policy"
DEFAULTS = {
    "minimumNoticeMinutes": 0,
    "horizonDays": None,
    "maxSessionsPerDay": None,
    "maxSessionsPerWeek": None,
    "cancelCutoffHours": 0,
    "acceptingRequests": True,
}
TAKEN = "Time slot is no longer available"


def at(hour: int, minute: int = 0) -> datetime:
    return MONDAY + timedelta(hours=hour, minutes=minute)


async def offered(api: Api, mentor: Mentor, days: int = 1) -> list[str]:
    return await starts(api, mentor, MONDAY.date(), days)


async def ask(user: User, mentor: Mentor, start: datetime, **body: Any) -> Any:
    return await user.post("/requests", asking(mentor, start, **body))


async def move(mentor: Mentor, session_id: str, start: datetime) -> None:
    body = {"newStartTime": iso(start), "newEndTime": iso(start + timedelta(hours=1))}
    await mentor.ok("PUT", f"/sessions/{session_id}/reschedule", body)


async def test_set_policy_replaces_it_and_fills_in_defaults(api: Api) -> None:
    mentor = await api.mentor()
    assert await mentor.ok("GET", PATH) == DEFAULTS
    policy = {
        "minimumNoticeMinutes": 43200,
        "horizonDays": 730,
        "maxSessionsPerDay": 50,
        "maxSessionsPerWeek": 200,
        "cancelCutoffHours": 168,
        "acceptingRequests": False,
    }
    assert await mentor.ok("PUT", PATH, policy) == policy
    # Another call does not change it.
    await mentor.ok("PUT", "/mentor/availability", {"slots": []})
    assert await mentor.ok("GET", PATH) == policy
    assert await mentor.ok("PUT", PATH, {"horizonDays": 1}) == DEFAULTS | {"horizonDays": 1}
    assert await mentor.ok("PUT", PATH, dict.fromkeys(policy)) == DEFAULTS
    assert await mentor.ok("PUT", PATH, {}) == DEFAULTS


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("minimumNoticeMinutes", (-1, 43201, 1.5, "60", True)),
        ("horizonDays", (0, 731, "7")),
        ("maxSessionsPerDay", (0, 51, 2.5)),
        ("maxSessionsPerWeek", (0, 201, [])),
        ("cancelCutoffHours", (-1, 169)),
        ("acceptingRequests", ("false", 0, {})),
        ("maxSessions", (1,)),
    ],
)
async def test_set_wrong_policy_is_refused(api: Api, name: str, wrong: tuple[Any, ...]) -> None:
    mentor = await api.mentor()
    for value in wrong:
        assert fields_of(await mentor.put(PATH, {name: value})) == [name], value
    assert await mentor.ok("GET", PATH) == DEFAULTS


async def test_set_policy_without_profile_is_not_found(api: Api) -> None:
    jane = api.user("jane")
    assert is_error(await jane.get(PATH), 404, "Mentor profile not found")
    assert is_error(await jane.put(PATH, {}), 404, "Mentor profile not found")


async def test_set_notice_is_offered_as_it_is_admitted(api: Api, clock: Clock) -> None:
    mentor = await api.mentor("mia", windows_of("08:00-12:00", 0))
    await mentor.ok("PUT", PATH, {"minimumNoticeMinutes": 120})
    for now, first in ((at(7), 9), (at(7) + timedelta(seconds=1), 10), (at(8, 30), 11)):
        await clock.stop_at(now)
        assert await offered(api, mentor) == [iso(at(hour)) for hour in range(first, 12)]
        late = now + timedelta(minutes=119)
        assert is_error(await ask(api.user("ann"), mentor, late), 409, TAKEN)
        response = await ask(api.user(f"ann{now}"), mentor, at(first))
        assert response.status == 201
    await clock.stop_at(at(10, 1))
    assert await offered(api, mentor) == []


async def test_set_notice_of_the_rest_of_a_window_offers_the_last_start(
    api: Api, clock: Clock
) -> None:
    mentor = await api.mentor("mia", windows_of("08:00-12:30", 0))
    await mentor.ok("PUT", PATH, {"minimumNoticeMinutes": 60})
    await clock.stop_at(at(10, 15))
    assert await offered(api, mentor) == [iso(at(11, 30))]


async def test_set_horizon_ends_with_a_day_of_the_zone(api: Api, clock: Clock) -> None:
    mentor = await local_mentor(api, "America/New_York", ALWAYS)
    await mentor.ok("PUT", PATH, {"horizonDays": 1})
    midnight = datetime.fromisoformat("2027-06-10T04:00Z")
    last = midnight + timedelta(hours=23)
    for now, days in ((midnight - timedelta(seconds=1), 1), (midnight, 2)):
        await clock.stop_at(now)
        day = last + timedelta(days=days - 1)
        assert (await starts(api, mentor, now.date(), 5))[-1] == iso(day)
        too_far = await ask(api.user("ann"), mentor, day + timedelta(hours=1))
        assert is_error(too_far, 409, TAKEN)
        # It begins on the last day and ends on the next.
        response = await ask(api.user(f"ann{days}"), mentor, day + timedelta(minutes=30))
        assert response.status == 201


async def test_limit_sessions_of_a_day_counts_what_is_on_it(api: Api) -> None:
    mentor, jane, joe = await api.mentor(), api.user("jane"), api.user("joe")
    await mentor.ok("PUT", PATH, {"maxSessionsPerDay": 2})
    first = await api.session(jane, mentor, at(9))
    assert iso(at(12)) in await offered(api, mentor)
    second = await api.session(joe, mentor, at(10))
    assert await offered(api, mentor) == []
    assert is_error(await ask(jane, mentor, at(15)), 409, TAKEN)
    # A moved session counts where it is, once; a cancelled one does not count.
    await move(mentor, second["id"], at(20))
    assert await offered(api, mentor) == []
    await move(mentor, second["id"], at(34))
    assert iso(at(12)) in await offered(api, mentor)
    await mentor.ok("POST", f"/sessions/{first['id']}/cancel")
    request = await api.request(jane, mentor, at(11))
    waiting = await api.request(joe, mentor, at(13))
    # Pending requests count until they are answered.
    assert await offered(api, mentor) == []
    assert is_error(await ask(api.user("jill"), mentor, at(15)), 409, TAKEN)
    await joe.ok("PATCH", f"/requests/{waiting['id']}/cancel")
    assert iso(at(12)) in await offered(api, mentor)
    await mentor.ok("POST", f"/requests/{request['id']}/reject")
    assert len(await offered(api, mentor)) == 24


async def test_limit_sessions_of_a_day_never_binds_the_mentor(api: Api) -> None:
    mentor, jane, joe = await api.mentor(), api.user("jane"), api.user("joe")
    request = await api.request(joe, mentor, at(10))
    session = await api.session(jane, mentor, at(33))
    await mentor.ok("PUT", PATH, {"maxSessionsPerDay": 1, "acceptingRequests": False})
    await mentor.ok("POST", f"/requests/{request['id']}/accept")
    await move(mentor, session["id"], at(9))


async def test_limit_sessions_of_a_day_counts_days_of_the_zone(api: Api, clock: Clock) -> None:
    await clock.stop_at(datetime.fromisoformat("2027-07-01T12:00Z"))
    mentor = await local_mentor(api, "Pacific/Auckland", ALWAYS)
    await mentor.ok("PUT", PATH, {"maxSessionsPerDay": 1})
    # Noon in UTC is midnight in Auckland, or an hour later.
    noon = datetime.fromisoformat("2027-07-07T12:00Z")
    await api.session(api.user("jane"), mentor, noon + timedelta(hours=3))
    shown = await starts(api, mentor, noon.date(), 2)
    assert shown == [iso(noon + timedelta(hours=hour)) for hour in (*range(-12, 0), *range(24, 36))]


async def test_limit_sessions_of_a_week_counts_from_monday_to_sunday(api: Api) -> None:
    mentor = await local_mentor(api, "Asia/Tokyo", ALWAYS)
    await mentor.ok("PUT", PATH, {"maxSessionsPerWeek": 2})
    monday = MONDAY - timedelta(hours=9)
    await api.session(api.user("jane"), mentor, monday)
    await api.session(api.user("joe"), mentor, monday + timedelta(days=7, hours=-1))
    shown = await starts(api, mentor, MONDAY.date() - timedelta(days=1), 10)
    week = [iso(monday + timedelta(hours=hour)) for hour in range(7 * 24)]
    assert not set(shown) & set(week)
    assert iso(monday - timedelta(hours=1)) in shown
    assert iso(monday + timedelta(days=7)) in shown


async def test_request_last_place_of_a_day_50_times_admits_one(api: Api) -> None:
    mentor = await api.mentor()
    await mentor.ok("PUT", PATH, {"maxSessionsPerDay": 3, "maxSessionsPerWeek": 4})
    await api.session(api.user("jane"), mentor, at(0))
    await api.request(api.user("joe"), mentor, at(1))
    responses = await asyncio.gather(
        *(ask(api.user(f"ann{n}"), mentor, at(2 + n % 20, n % 7)) for n in range(50))
    )
    assert sorted(response.status for response in responses) == [201] + [409] * 49
    assert {response.message for response in responses if response.status == 409} == {TAKEN}


async def test_expire_request_no_longer_counts_it(api: Api, clock: Clock) -> None:
    mentor = await api.mentor()
    await mentor.ok("PUT", PATH, {"maxSessionsPerDay": 1})
    await api.request(api.user("jane"), mentor, at(9))
    await clock.stop_at(at(8, 59))
    assert await offered(api, mentor) == []
    await clock.stop_at(at(9))
    assert await offered(api, mentor) == [iso(at(hour)) for hour in range(10, 24)]
    assert (await ask(api.user("joe"), mentor, at(10))).status == 201


async def test_cancel_within_cutoff_is_too_late_for_the_mentee(api: Api, clock: Clock) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    await mentor.ok("PUT", PATH, {"cancelCutoffHours": 24})
    session = await api.session(jane, mentor, at(48))
    other = await api.session(jane, mentor, at(50))
    request = await api.request(jane, mentor, at(52))
    path = f"/sessions/{session['id']}/cancel"
    await clock.stop_at(at(24) + timedelta(seconds=1))
    assert is_error(await jane.post(path), 409, "Too late to cancel")
    assert is_error(
        await api.user("joe").post(path),
        403,
        "Only the mentor or the mentee can cancel this session",
    )
    await jane.ok("POST", f"/sessions/{other['id']}/cancel")
    await jane.ok("PATCH", f"/requests/{request['id']}/cancel")
    assert (await mentor.ok("POST", path))["status"] == "cancelled"
    told = "Only pending, confirmed or rescheduled sessions can be cancelled"
    assert is_error(await jane.post(path), 409, told)
    begun = await api.session(jane, mentor, at(40))
    await clock.stop_at(at(40))
    assert is_error(await jane.post(f"/sessions/{begun['id']}/cancel"), 409, told)


async def test_cancel_at_the_cutoff_succeeds(api: Api, clock: Clock) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    await mentor.ok("PUT", PATH, {"cancelCutoffHours": 24})
    session = await api.session(jane, mentor, at(48))
    await clock.stop_at(at(24))
    assert (await jane.ok("POST", f"/sessions/{session['id']}/cancel"))["status"] == "cancelled"


async def test_pause_requests_lists_the_mentor_without_slots(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    await mentor.ok("PUT", PATH, {"acceptingRequests": False})
    assert [one["id"] for one in (await api.nobody.get("/mentors")).json] == [mentor.id]
    assert (await api.nobody.get(f"/mentors/{mentor.id}")).status == 200
    assert await offered(api, mentor, 14) == []
    assert is_error(await ask(jane, mentor, at(9)), 409, "This mentor is not taking requests")
    await mentor.ok("PUT", PATH, {})
    assert len(await offered(api, mentor)) == 24
    await api.request(jane, mentor, at(9))
    await mentor.ok("PUT", PATH, {"acceptingRequests": False})
    assert is_error(await ask(jane, mentor, at(10)), 409, "You already have a pending request")


async def test_keep_slots_in_the_cache_ends_when_they_change(api: Api, clock: Clock) -> None:
    mentor = await local_mentor(api, "Asia/Kathmandu", windows_of("14:00-16:00", 0))
    monday = MONDAY.date()
    await clock.stop_at(at(0))
    for policy, start, end, seconds in (
        # 14:00 in Kathmandu is 08:15.
        ({}, None, None, 8.25 * 3600),
        ({"minimumNoticeMinutes": 60}, None, None, 7.25 * 3600),
        ({"minimumNoticeMinutes": 60}, monday, monday, 7.25 * 3600),
        ({"minimumNoticeMinutes": 24 * 60}, monday, monday, float("inf")),
        # Midnight in Kathmandu is 18:15.
        ({"horizonDays": 3, "minimumNoticeMinutes": 600}, None, None, 18.25 * 3600),
        ({"horizonDays": 3}, monday + timedelta(days=7), None, 18.25 * 3600),
        ({"maxSessionsPerDay": 3}, None, None, 0),
        ({"acceptingRequests": False}, monday, monday, float("inf")),
    ):
        await mentor.ok("PUT", PATH, policy)
        dates = [each and str(each) for each in (start, end)]
        _, seconds_valid = await list_slots(api.services.db, mentor.id, *dates)
        assert seconds_valid == seconds, (policy, start, end)


async def test_read_slots_after_each_change_shows_it(api: Api) -> None:
    """The response is cached, and each change makes it stale."""
    mentor = await api.mentor("mia", windows_of("09:00-10:00", 0))
    nine, override = [iso(at(9))], f"/mentor/overrides/{MONDAY:%Y-%m-%d}"
    time_off = {"startsAt": iso(at(9)), "endsAt": iso(at(10))}
    for change, undo in (
        (("PUT", override, {"slots": []}), ("DELETE", override, None)),
        (("PUT", PATH, {"acceptingRequests": False}), ("PUT", PATH, {})),
        (("POST", "/mentor/time-off", time_off), ("DELETE", "/mentor/time-off/{}", None)),
        (
            ("PUT", "/mentor/availability", {"slots": []}),
            ("PUT", "/mentor/availability", {"slots": windows_of("09:00-10:00", 0)}),
        ),
    ):
        assert await offered(api, mentor) == nine
        made = await mentor.ok(*change)
        assert await offered(api, mentor) == [], change
        method, path, body = undo
        await mentor.ok(method, path.format(made.get("id")), body)
    assert await offered(api, mentor) == nine
