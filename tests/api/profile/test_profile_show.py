"""GET /mentor/me: the caller's profile, and how complete it is."""

from __future__ import annotations

import unicodedata
from typing import Any

from mentorapi.schemas.validation import is_visible
from tests.client import Api, User

MESSAGE = "Complete your profile to get started"
WINDOW = {"dayOfWeek": 0, "startTime": "09:00", "endTime": "10:00"}

#: The field or setting, a value, and what it adds to the completeness.
WEIGHTS = [
    ("fullName", "John Doe", 15),
    ("headline", "Engineer", 15),
    ("bio", "10+ years", 15),
    ("expertise", ["Mentoring"], 15),
    ("profileImageUrl", "https://example.com/john.png", 10),
    ("sessionRate", 0.01, 10),
    ("slots", [WINDOW], 10),
    ("location", "Lagos", 5),
    ("links", {"linkedin": "https://linkedin.com/in/johndoe"}, 5),
]


async def test_show_profile_without_one_has_the_guides_response(api: Api) -> None:
    response = await api.user("jane").get("/mentor/me")
    assert response.status == 200
    assert response.json == {
        "profile": None,
        "isProfileCreated": False,
        "profileCompleteness": 0,
        "message": MESSAGE,
    }


async def test_show_profile_creates_none(api: Api) -> None:
    jane = api.user("jane")
    for path in ("/mentor/me", "/mentor/availability", "/mentor/dashboard"):
        await jane.get(path)
    assert (await jane.ok("GET", "/mentor/me"))["isProfileCreated"] is False
    assert (await api.nobody.get("/mentors")).json == []


async def test_show_new_profile_has_the_defaults(api: Api) -> None:
    user = api.user("john", name=None)
    profile = await user.ok("PATCH", "/mentor/me", {})
    assert await user.ok("GET", "/mentor/me") == {
        "profile": {
            "id": profile["id"],
            "userId": "john",
            "fullName": None,
            "headline": None,
            "bio": None,
            "expertise": [],
            "languages": [],
            "location": None,
            "profileImageUrl": None,
            "links": {},
            "sessionDuration": 60,
            "bufferTime": 0,
            "timezone": "UTC",
            "defaultMeetingLink": None,
            "sessionRate": 0,
            "sessionCurrency": "NGN",
            "visibility": "public",
        },
        "isProfileCreated": True,
        "profileCompleteness": 0,
        "message": MESSAGE,
    }


async def test_show_full_profile_has_every_field_and_no_message(api: Api) -> None:
    profile = {
        "fullName": "John Doe",
        "headline": "Senior Software Engineer",
        "bio": "10+ years in software development…",
        "expertise": ["Mentoring", "Career guidance"],
        "languages": ["en", "pt-BR"],
        "location": "Lagos, Nigeria",
        "profileImageUrl": "https://example.com/john.png",
        "links": {"linkedin": "https://linkedin.com/in/johndoe"},
        "sessionRate": 5000,
        "sessionCurrency": "USD",
        "visibility": "private",
    }
    settings = {
        "sessionDuration": 90,
        "bufferTime": 15,
        "timezone": "WAT",
        "defaultMeetingLink": "https://meet.google.com/abc",
    }
    mentor = await api.mentor("john", [WINDOW], **profile, **settings)
    assert await mentor.ok("GET", "/mentor/me") == {
        "profile": {"id": mentor.id, "userId": "john", **profile, **settings},
        "isProfileCreated": True,
        "profileCompleteness": 100,
    }


async def test_show_completeness_weighs_each_part_as_in_the_contract(api: Api) -> None:
    assert sum(weight for _, _, weight in WEIGHTS) == 100
    for name, value, weight in WEIGHTS:
        method, path = (
            ("PUT", "/mentor/availability") if name == "slots" else ("PATCH", "/mentor/me")
        )
        alone = api.user(f"only {name}", name=None)
        await alone.ok(method, path, {name: value})
        shown = await alone.ok("GET", "/mentor/me")
        assert (shown["profileCompleteness"], shown["message"]) == (weight, MESSAGE), name

        others = {part: filled for part, filled, _ in WEIGHTS if part not in (name, "slots")}
        windows = [] if name == "slots" else [WINDOW]
        missing = await mentor_without_name(api, f"no {name}", windows, others)
        shown = await missing.ok("GET", "/mentor/me")
        assert (shown["profileCompleteness"], shown["message"]) == (100 - weight, MESSAGE), name
        await missing.ok(method, path, {name: value})
        shown = await missing.ok("GET", "/mentor/me")
        assert shown["profileCompleteness"] == 100
        assert "message" not in shown


async def test_show_completeness_ignores_other_fields(api: Api) -> None:
    user = api.user("john", name=None)
    await user.ok("PATCH", "/mentor/me", {"visibility": "private", "sessionCurrency": "EUR"})
    settings = {"sessionDuration": 30, "timezone": "WAT", "defaultMeetingLink": "https://e.com/x"}
    await user.ok("PUT", "/mentor/availability", {"slots": [], **settings})
    assert (await user.ok("GET", "/mentor/me"))["profileCompleteness"] == 0


async def test_show_completeness_after_clearing_a_field_falls(api: Api) -> None:
    parts = {part: filled for part, filled, _ in WEIGHTS if part != "slots"}
    mentor = await api.mentor("mia", [WINDOW], **parts)
    assert (await mentor.ok("GET", "/mentor/me"))["profileCompleteness"] == 100
    for number, (changes, left) in enumerate(
        [
            ({"headline": ""}, 85),
            ({"bio": "\u00a0 \u2060"}, 70),
            ({"expertise": []}, 55),
            ({"links": None}, 50),
            ({"location": " \u200b"}, 45),
            ({"profileImageUrl": None}, 35),
            # The name of the token remains.
            ({"fullName": None}, 35),
        ]
    ):
        await mentor.ok("PATCH", "/mentor/me", changes)
        shown = await mentor.ok("GET", "/mentor/me")
        assert shown["profileCompleteness"] == left, number


async def test_show_completeness_does_not_count_invisible_text(api: Api) -> None:
    """What a required text may not consist of does not complete a profile, either."""
    user = api.user("john", name=None)
    seen = "A\u00e9\u4e2d\u05d0\uac00\u0e01\u2022\U0001f600"
    unseen = [
        *(chr(code) for code in range(1, 0x10000) if unicodedata.category(chr(code))[0] == "Z"),
        *"\u00ad\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202e\u2060\u2064\u2066\u206f",
        *"\ufeff\u115f\u1160\u3164\uffa0\u2800\U000e0001\U000e0020\U000e007f\n\t\x01\x7f\x9f",
    ]
    assert all(is_visible(one) for one in seen)
    assert not any(is_visible(one) for one in unseen)
    for bio, completeness in (("".join(unseen), 0), *((one, 15) for one in seen)):
        await user.ok("PATCH", "/mentor/me", {"bio": bio})
        shown = await user.ok("GET", "/mentor/me")
        assert shown["profileCompleteness"] == completeness, bio


async def mentor_without_name(
    api: Api, sub: str, windows: list[dict[str, Any]], profile: dict[str, Any]
) -> User:
    user = api.user(sub, name=None)
    await user.ok("PUT", "/mentor/availability", {"slots": windows})
    await user.ok("PATCH", "/mentor/me", profile)
    return user


async def test_show_completeness_after_setting_rate_to_0_counts_the_rate(api: Api) -> None:
    user = api.user("john", name=None)
    for changes, completeness in (
        ({"sessionCurrency": "USD"}, 0),
        ({"sessionRate": 0}, 10),
        ({"sessionRate": 50}, 10),
        ({"sessionRate": 0}, 10),
    ):
        await user.ok("PATCH", "/mentor/me", changes)
        assert (await user.ok("GET", "/mentor/me"))["profileCompleteness"] == completeness


async def test_show_completeness_counts_the_name_of_the_token(api: Api) -> None:
    user = api.user("john", name="John", picture="https://example.com/john.png")
    await user.ok("PATCH", "/mentor/me", {})
    assert (await user.ok("GET", "/mentor/me"))["profileCompleteness"] == 25
