"""GET /mentor/availability: the mentor's weekly windows and settings."""

from __future__ import annotations

import uuid

from tests.client import Api, is_error

EXAMPLE = {
    "sessionDuration": 60,
    "bufferTime": 15,
    "timezone": "WAT",
    "defaultMeetingLink": "https://meet.google.com/abc-def-ghi",
    "slots": [
        {"dayOfWeek": 0, "startTime": "09:00", "endTime": "10:00"},
        {"dayOfWeek": 0, "startTime": "10:00", "endTime": "11:00"},
        {"dayOfWeek": 0, "startTime": "14:00", "endTime": "15:00"},
        {"dayOfWeek": 1, "startTime": "09:00", "endTime": "10:00"},
    ],
}


async def test_show_example_of_the_guide_returns_it_with_ids(api: Api) -> None:
    mentor = api.user("john")
    put = await mentor.ok("PUT", "/mentor/availability", EXAMPLE)
    assert await mentor.ok("GET", "/mentor/availability") == put
    ids = [window.pop("id") for window in put["slots"]]
    assert put == EXAMPLE | {"availabilityTimezone": "UTC"}
    assert len(set(ids)) == 4
    assert {uuid.UUID(window_id).version for window_id in ids} == {7}


async def test_show_windows_in_any_order_sorts_them_by_day_and_time(api: Api) -> None:
    mentor = api.user("john")
    slots = EXAMPLE["slots"]
    await mentor.ok("PUT", "/mentor/availability", {"slots": slots[::-1]})
    found = (await mentor.ok("GET", "/mentor/availability"))["slots"]
    assert [{**window, "id": None} for window in found] == [{**slot, "id": None} for slot in slots]


async def test_show_new_profile_has_defaults_and_no_windows(api: Api) -> None:
    mentor = api.user("john")
    await mentor.ok("PATCH", "/mentor/me", {})
    assert await mentor.ok("GET", "/mentor/availability") == {
        "sessionDuration": 60,
        "bufferTime": 0,
        "timezone": "UTC",
        "availabilityTimezone": "UTC",
        "defaultMeetingLink": None,
        "slots": [],
    }


async def test_show_without_profile_is_not_found(api: Api) -> None:
    response = await api.user("jane").get("/mentor/availability")
    assert is_error(response, 404, "Mentor profile not found")
    assert (await api.user("jane").ok("GET", "/mentor/me"))["isProfileCreated"] is False


async def test_show_as_two_mentors_returns_each_ones_own(api: Api) -> None:
    one, other = api.user("one"), api.user("other")
    await one.ok("PUT", "/mentor/availability", {"slots": EXAMPLE["slots"][:1]})
    await other.ok("PUT", "/mentor/availability", {"slots": EXAMPLE["slots"][3:]})
    (window,) = (await one.ok("GET", "/mentor/availability"))["slots"]
    assert (window["dayOfWeek"], window["startTime"]) == (0, "09:00")
