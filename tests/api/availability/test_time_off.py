"""Time off: times in which a mentor takes no sessions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.api.availability.test_zones import local_mentor, starts, windows_of
from tests.client import ALWAYS, Api, asking, coming, fields_of, is_error, iso
from tests.clock import Clock

MONDAY = coming(0)
PATH = "/mentor/time-off"


def at(hour: int, minute: int = 0) -> datetime:
    return MONDAY + timedelta(hours=hour, minutes=minute)


def instants(start: datetime, end: datetime, **more: Any) -> dict[str, Any]:
    return {"startsAt": iso(start), "endsAt": iso(end), **more}


async def test_add_time_off_removes_what_it_touches(api: Api) -> None:
    mentor = await api.mentor("mia", windows_of("08:00-13:00", 0))
    added = await mentor.ok("POST", PATH, instants(at(9, 30), at(11), note="Dentist"))
    assert added | {"id": ""} == {
        "id": "",
        "startsAt": iso(at(9, 30)),
        "endsAt": iso(at(11)),
        "startDate": None,
        "endDate": None,
        "note": "Dentist",
        "conflicts": [],
    }
    hours = [iso(at(8)), iso(at(11)), iso(at(12))]
    assert await starts(api, mentor, MONDAY.date(), 1) == hours
    for start, status in ((at(8, 31), 409), (at(8, 30), 201), (at(10, 59), 409), (at(11), 201)):
        response = await api.user(f"ann{start}").post("/requests", asking(mentor, start))
        assert response.status == status, start
    del added["conflicts"]
    assert await mentor.ok("GET", PATH) == [added]


async def test_add_time_off_lists_what_it_meets_and_cancels_nothing(api: Api) -> None:
    mentor = await api.mentor()
    jane, joe, jill, jack = (api.user(name) for name in ("jane", "joe", "jill", "jack"))
    session = await api.session(jane, mentor, at(9))
    request = await api.request(joe, mentor, at(11, 30))
    await api.session(jill, mentor, at(8))
    gone = await api.session(jack, mentor, at(10))
    await jack.ok("POST", f"/sessions/{gone['id']}/cancel")
    added = await mentor.ok("POST", PATH, instants(at(9), at(12)))
    shown = [(one["object"], one["id"], one["mentee"]["name"]) for one in added["conflicts"]]
    assert shown == [("session", session["id"], "Jane"), ("request", request["id"], "Joe")]
    assert [one["status"] for one in added["conflicts"]] == ["confirmed", "pending"]
    assert [one["startTime"] for one in added["conflicts"]] == [iso(at(9)), iso(at(11, 30))]
    assert await jane.ok("GET", f"/sessions/{session['id']}") == session
    accepted = await mentor.ok("POST", f"/requests/{request['id']}/accept")
    assert accepted["booking"]["status"] == "confirmed"


async def test_add_days_off_takes_whole_days_of_the_zone(api: Api, clock: Clock) -> None:
    await clock.stop_at(datetime(2027, 3, 1, tzinfo=UTC))
    mentor = await local_mentor(api, "America/New_York", ALWAYS)
    body = {"startDate": "2027-03-14", "endDate": "2027-03-15", "note": None}
    added = await mentor.ok("POST", PATH, body)
    # The first of the two days has 23 hours.
    assert (added["startsAt"], added["endsAt"]) == ("2027-03-14T05:00:00Z", "2027-03-16T04:00:00Z")
    assert (added["startDate"], added["endDate"]) == ("2027-03-14", "2027-03-15")
    shown = await starts(api, mentor, datetime(2027, 3, 14, tzinfo=UTC).date(), 3)
    assert [shown[4], shown[5]] == ["2027-03-14T04:00:00Z", "2027-03-16T04:00:00Z"]


async def test_change_zone_moves_days_off_and_no_instants(api: Api) -> None:
    mentor = await api.mentor()
    day = at(48).date()
    await mentor.ok("POST", PATH, {"startDate": f"{day}", "endDate": f"{day}"})
    await mentor.ok("POST", PATH, instants(at(9), at(12)))
    body = {"slots": ALWAYS, "availabilityTimezone": "Asia/Tokyo"}
    await mentor.ok("PUT", "/mentor/availability", body)
    by_instant, by_day = await mentor.ok("GET", PATH)
    assert (by_instant["startsAt"], by_instant["endsAt"]) == (iso(at(9)), iso(at(12)))
    # Tokyo is nine hours ahead.
    assert (by_day["startsAt"], by_day["endsAt"]) == (iso(at(39)), iso(at(63)))


async def test_delete_one_of_two_overlapping_keeps_the_other(api: Api) -> None:
    mentor = await api.mentor("mia", windows_of("08:00-13:00", 0))
    first = await mentor.ok("POST", PATH, instants(at(8), at(10)))
    await mentor.ok("POST", PATH, instants(at(9), at(11)))
    path = f"{PATH}/{first['id']}"
    assert is_error(await (await api.mentor("max")).delete(path), 404, "Time off not found")
    assert await mentor.ok("DELETE", path) == {"message": "Time off deleted"}
    assert is_error(await mentor.delete(path), 404, "Time off not found")
    hours = [iso(at(hour)) for hour in (8, 11, 12)]
    assert await starts(api, mentor, MONDAY.date(), 1) == hours


async def test_list_time_off_shows_what_is_not_over(api: Api, clock: Clock) -> None:
    mentor = await api.mentor()
    for hour in (12, 9):
        await mentor.ok("POST", PATH, instants(at(hour), at(hour + 2)))
    await clock.stop_at(at(11))
    response = await mentor.get(PATH, limit=1)
    assert [one["startsAt"] for one in response.json] == [iso(at(12))]
    assert response.headers["X-Total-Count"] == "1"
    # Time off may have begun already.
    await mentor.ok("POST", PATH, instants(at(8), at(11, 1)))


NOW = datetime(2027, 6, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        (instants(NOW + 2 * DAY, NOW + DAY), "endsAt", "must be after startsAt"),
        (instants(NOW + DAY, NOW + DAY), "endsAt", "must be after startsAt"),
        (instants(NOW - DAY, NOW), "endsAt", "must be in the future"),
        (instants(NOW, NOW + 366 * DAY + timedelta(seconds=1)), "endsAt", "at most 366 days"),
        (instants(NOW + 733 * DAY, NOW + 734 * DAY), "startsAt", "within two years"),
        (
            {"startsAt": "2027-06-11T00:00:00.1231Z", "endsAt": "2027-06-11T00:00:00.1239Z"},
            "endsAt",
            "must be after startsAt",
        ),
        ({"startsAt": iso(NOW + DAY)}, "endsAt", "is required"),
        ({}, "endsAt", "is required"),
        ({"note": "x"}, "endsAt", "is required"),
        ({"startDate": "2027-06-11"}, "endDate", "is required"),
        (
            {"startDate": "2027-06-11", "endDate": "2027-06-10"},
            "endDate",
            "not be before startDate",
        ),
        ({"startDate": "2027-06-08", "endDate": "2027-06-09"}, "endDate", "in the future"),
        ({"startDate": "2027-06-11", "endDate": "2028-06-11"}, "endDate", "at most 366 days"),
        ({"startDate": "2029-06-11", "endDate": "2029-06-12"}, "startDate", "within two years"),
        ({"startDate": "2027-06-11", "endDate": "2027-02-30"}, "endDate", "must be a date"),
        ({"startDate": "2027-06-11", "endsAt": iso(NOW + DAY)}, "endsAt", "combined with days"),
        ({"startsAt": "2027-06-11T09:00:00", "endsAt": iso(NOW + DAY)}, "startsAt", "offset"),
        (instants(NOW, NOW + DAY, note="x" * 501), "note", "at most 500"),
        (instants(NOW, NOW + DAY, reason="x"), "reason", "not a known field"),
    ],
)
async def test_add_wrong_time_off_is_refused(
    api: Api, clock: Clock, body: Any, field: str, message: str
) -> None:
    await clock.stop_at(NOW)
    mentor = await api.mentor()
    response = await mentor.post(PATH, body)
    assert fields_of(response)[:1] == [field]
    assert message in response.json["details"][0]["message"]


async def test_add_longest_time_off_succeeds(api: Api, clock: Clock) -> None:
    await clock.stop_at(NOW)
    mentor = await local_mentor(api, "Africa/Lagos", ALWAYS)
    for body in (
        instants(NOW - 300 * DAY, NOW + 66 * DAY),
        instants(NOW + 731 * DAY, NOW + 1000 * DAY),
        {"startDate": "2027-06-10", "endDate": "2028-06-09"},
        {"startDate": "2029-06-10", "endDate": "2029-06-10", "startsAt": None, "endsAt": None},
    ):
        assert (await mentor.post(PATH, body)).status == 201, body
    for years in ("0001", "9999"):
        day = f"{years}-12-31"
        response = await mentor.post(PATH, {"startDate": day, "endDate": day})
        assert response.status == 400


async def test_add_time_off_twice_with_one_key_adds_it_once(api: Api) -> None:
    mentor = await api.mentor()
    headers = {"Idempotency-Key": str(uuid4())}
    for _ in range(2):
        await mentor.ok("POST", PATH, instants(at(9), at(10)), headers=headers)
    assert len(await mentor.ok("GET", PATH)) == 1


async def test_take_time_off_without_profile_is_not_found(api: Api) -> None:
    jane = api.user("jane")
    for response in (
        await jane.get(PATH),
        await jane.post(PATH, instants(at(9), at(10))),
        await jane.delete(f"{PATH}/{uuid4()}"),
    ):
        assert is_error(response, 404, "Mentor profile not found")
