"""DELETE /mentor/availability/:id: delete one weekly window."""

from __future__ import annotations

import asyncio
import uuid

from tests.client import Api, coming, is_error

WINDOWS = [
    {"dayOfWeek": 0, "startTime": "09:00", "endTime": "10:00"},
    {"dayOfWeek": 0, "startTime": "10:00", "endTime": "11:00"},
]
NOT_FOUND = "Availability pattern not found"


async def test_delete_window_removes_its_slots(api: Api) -> None:
    mentor = await api.mentor("mia", WINDOWS)
    monday = f"{coming(0):%Y-%m-%d}"
    path = f"/mentors/{mentor.id}/availability?startDate={monday}&endDate={monday}"
    assert len((await api.nobody.get(path)).json["slots"]) == 2

    first, second = (await mentor.ok("GET", "/mentor/availability"))["slots"]
    response = await mentor.delete(f"/mentor/availability/{first['id']}")
    assert (response.status, response.json) == (200, {"message": "Availability pattern deleted"})
    assert (await mentor.ok("GET", "/mentor/availability"))["slots"] == [second]
    (slot,) = (await api.nobody.get(path)).json["slots"]
    assert slot["startTime"] == "10:00"


async def test_delete_window_twice_is_not_found(api: Api) -> None:
    mentor = await api.mentor("mia", WINDOWS)
    first, _ = (await mentor.ok("GET", "/mentor/availability"))["slots"]
    path = f"/mentor/availability/{first['id']}"
    responses = await asyncio.gather(*(mentor.delete(path) for _ in range(5)))
    assert sorted(response.status for response in responses) == [200, 404, 404, 404, 404]
    assert is_error(await mentor.delete(path), 404, NOT_FOUND)


async def test_delete_window_of_another_mentor_is_not_found(api: Api) -> None:
    mentor, other = await api.mentor("mia", WINDOWS), await api.mentor("max", WINDOWS)
    windows = (await mentor.ok("GET", "/mentor/availability"))["slots"]
    response = await other.delete(f"/mentor/availability/{windows[0]['id']}")
    assert is_error(response, 404, NOT_FOUND)
    assert (await mentor.ok("GET", "/mentor/availability"))["slots"] == windows


async def test_delete_unknown_window_is_not_found(api: Api) -> None:
    mentor = await api.mentor("mia", WINDOWS)
    for window_id in (uuid.uuid4(), mentor.id, "slot-1", "0", "%FF", "%00"):
        response = await mentor.delete(f"/mentor/availability/{window_id}")
        assert is_error(response, 404, NOT_FOUND), window_id
    assert len((await mentor.ok("GET", "/mentor/availability"))["slots"]) == 2


async def test_delete_window_without_profile_misses_the_profile(api: Api) -> None:
    mentor = await api.mentor("mia", WINDOWS)
    first, _ = (await mentor.ok("GET", "/mentor/availability"))["slots"]
    for window_id in (first["id"], "slot-1"):
        response = await api.user("jane").delete(f"/mentor/availability/{window_id}")
        assert is_error(response, 404, "Mentor profile not found")
    assert len((await mentor.ok("GET", "/mentor/availability"))["slots"]) == 2


async def test_delete_last_window_lowers_completeness(api: Api) -> None:
    mentor = await api.mentor("mia", WINDOWS[:1])
    before = (await mentor.ok("GET", "/mentor/me"))["profileCompleteness"]
    (window,) = (await mentor.ok("GET", "/mentor/availability"))["slots"]
    await mentor.ok("DELETE", f"/mentor/availability/{window['id']}")
    assert (await mentor.ok("GET", "/mentor/me"))["profileCompleteness"] == before - 10
