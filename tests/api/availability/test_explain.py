"""GET /mentor/availability/explain: why a time is not free."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.api.availability.test_zones import windows_of
from tests.client import ALWAYS, Api, Mentor, asking, coming, fields_of, is_error, iso
from tests.clock import Clock

MONDAY = coming(0)
PATH = "/mentor/availability/explain"


def at(hour: int, minute: int = 0) -> datetime:
    return MONDAY + timedelta(hours=hour, minutes=minute)


async def reasons(mentor: Mentor, start: datetime, **more: Any) -> dict[str, str]:
    response = await mentor.ok("GET", PATH, startsAt=iso(start), **more)
    found = {one["code"]: one["detail"] for one in response["reasons"]}
    assert response["free"] == (not found)
    assert len(found) == len(response["reasons"])
    return found


async def test_explain_each_reason_names_it(api: Api, clock: Clock) -> None:
    mentor, jane = (
        await api.mentor("mia", windows_of("09:00-17:00", 0), bufferTime=15),
        api.user("j"),
    )
    session = await api.session(jane, mentor, at(10))
    assert await reasons(mentor, at(9, 0), duration=45) == {}
    (hours,) = (await reasons(mentor, at(8, 45), duration=30)).items()
    assert hours == ("outside_hours", f"The hours on {MONDAY:%Y-%m-%d} (UTC) are 09:00-17:00")
    assert await reasons(mentor, at(24)) == {
        "outside_hours": f"There are no hours on {MONDAY + timedelta(days=1):%Y-%m-%d} (UTC)"
    }
    taken = await reasons(mentor, at(10, 30))
    assert taken == {
        "session": f"There is session {session['id']} from {iso(at(10))} to {iso(at(11))}"
    }
    near = await reasons(mentor, at(11, 14))
    assert near == {
        "buffer": f"15 minutes stay free around the session from {iso(at(10))} to {iso(at(11))}"
    }
    await mentor.ok("POST", "/mentor/time-off", {"startsAt": iso(at(14)), "endsAt": iso(at(15))})
    assert await reasons(mentor, at(13, 30)) == {
        "time_off": f"Time off from {iso(at(14))} to {iso(at(15))}"
    }
    await mentor.ok("PUT", "/mentor/policy", {"maxSessionsPerDay": 1, "maxSessionsPerWeek": 1})
    assert list(await reasons(mentor, at(15))) == ["day_full", "week_full"]
    await clock.stop_at(at(8))
    await mentor.ok("PUT", "/mentor/policy", {"minimumNoticeMinutes": 90, "horizonDays": 6})
    assert list(await reasons(mentor, at(9, 0), duration=30)) == ["notice"]
    assert list(await reasons(mentor, at(7 * 24 + 9))) == ["horizon"]
    await mentor.ok("PUT", "/mentor/policy", {"acceptingRequests": False})
    assert list(await reasons(mentor, at(15))) == ["paused"]
    assert list(await reasons(mentor, at(7))) == ["outside_hours", "paused", "past"]


async def test_explain_taken_time_names_the_sessions_that_it_meets(api: Api) -> None:
    mentor = await api.mentor()
    for number, start in enumerate((at(9), at(10), at(23, 30))):
        await api.session(api.user(f"ann{number}"), mentor, start)
    assert list(await reasons(mentor, at(10))) == ["session"]
    (detail,) = (await reasons(mentor, at(9, 30))).values()
    assert detail.count("session ") == 2
    await mentor.ok("PUT", "/mentor/availability", {"slots": ALWAYS, "bufferTime": 45})
    assert list(await reasons(mentor, at(10))) == ["session", "buffer"]
    assert list(await reasons(mentor, at(22, 15), duration=30)) == []
    assert list(await reasons(mentor, at(22, 16), duration=30)) == ["buffer"]


async def test_explain_is_free_exactly_when_a_request_is_admitted(api: Api) -> None:
    mentor = await api.mentor("mia", windows_of("09:00-12:30 14:00-18:00", 0), bufferTime=15)
    await api.session(api.user("jane"), mentor, at(10))
    await mentor.ok("POST", "/mentor/time-off", {"startsAt": iso(at(16)), "endsAt": iso(at(17))})
    for minute in range(8 * 60, 19 * 60, 15):
        start = at(0, minute)
        free = not await reasons(mentor, start, duration=30)
        response = await api.user(f"ann{minute}").post(
            "/requests", asking(mentor, start, duration=30)
        )
        assert (response.status == 201) == free, start


async def test_explain_private_profile_shows_its_calendar(api: Api) -> None:
    mentor = await api.mentor("mia", windows_of("09:00-17:00", 0), visibility="private")
    assert await reasons(mentor, at(9)) == {}
    assert list(await reasons(mentor, at(8))) == ["outside_hours"]


async def test_explain_wrong_question_is_refused(api: Api) -> None:
    mentor = await api.mentor()
    start = iso(at(9))
    assert fields_of(await mentor.get(PATH)) == ["startsAt"]
    assert fields_of(await mentor.get(PATH, startsAt=start[:-1])) == ["startsAt"]
    for duration in (14, 181, "x", -60):
        assert fields_of(await mentor.get(PATH, startsAt=start, duration=duration)) == ["duration"]
    for fraction in ("30", "00.001", "59.999999"):
        response = await mentor.get(PATH, startsAt=start.replace(":00Z", f":{fraction}Z"))
        assert fields_of(response) == ["startsAt"], fraction
    assert (await mentor.get(PATH, startsAt=start.replace(":00Z", ":00.000Z"))).status == 200
    for extreme in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:00Z"):
        assert not (await mentor.ok("GET", PATH, startsAt=extreme))["free"]
    jane = api.user("jane")
    assert is_error(await jane.get(PATH, startsAt=start), 404, "Mentor profile not found")
