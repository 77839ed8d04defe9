"""Texts have a visible character, and lines have no control characters."""

from __future__ import annotations

import pytest

from mentorapi.schemas.validation import is_visible
from tests.client import ALWAYS, Api, Response, asking

#: Invisible: blanks, format characters, Hangul fillers, Braille, marks, tags.
INVISIBLE = [
    " ",
    "\u00a0\u3000",
    "\u00ad",
    "\u034f",
    "\u115f\u1160",
    "\u180e",
    "\u200b",
    "\u200d",
    "\u202e\u2066",
    "\u2028",
    "\u2060",
    "\u2800",
    "\u3164",
    "\ufe0f",
    "\ufeff",
    "\uffa0",
    "\U000e0041",
    "\U000e0200",
    "\U0001d159",
    " \u200b\u2060\u3164\u2800\u00ad ",
]

VISIBLE = [
    "a",
    "é",
    "e\u0301",
    "中",
    "د",
    "!",
    "€",
    "👩\u200d💻",
    "🏴\U000e0067\U000e007f",
    "\u200bx",
]


def details_of(response: Response) -> list[tuple[str, str]]:
    return [(detail["field"], detail["code"]) for detail in response.json["details"]]


@pytest.mark.parametrize("text", INVISIBLE, ids=ascii)
def test_check_text_of_invisible_characters_is_blank(text: str) -> None:
    assert not is_visible(text)


@pytest.mark.parametrize("text", VISIBLE, ids=ascii)
def test_check_text_with_a_visible_character_is_visible(text: str) -> None:
    assert is_visible(text)


async def test_send_required_text_without_visible_character_is_refused(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    for text in INVISIBLE:
        response = await jane.post("/requests", asking(mentor, topic=text))
        assert details_of(response) == [("topic", "blank")], ascii(text)
        response = await mentor.patch("/mentor/me", {"fullName": text, "expertise": ["x", text]})
        assert details_of(response) == [("expertise.1", "blank"), ("fullName", "blank")]
        response = await mentor.patch("/mentor/me", {"links": {text: "https://example.com"}})
        assert details_of(response) == [("links", "blank")]
    body = {"slots": ALWAYS, "timezone": "\u2060"}
    response = await mentor.put("/mentor/availability", body)
    assert details_of(response) == [("timezone", "blank")]


async def test_send_line_with_control_character_is_refused(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    for character in "\n\r\t\b\x01\x7f\x85":
        text = f"a{character}b"
        fields = {"fullName": text, "headline": text, "location": text, "expertise": [text]}
        response = await mentor.patch("/mentor/me", fields)
        expected = ["expertise.0", "fullName", "headline", "location"]
        assert details_of(response) == [(field, "control_character") for field in expected]
        response = await jane.post("/requests", asking(mentor, topic=text, location=text))
        assert details_of(response) == [
            ("location", "control_character"),
            ("topic", "control_character"),
        ]
    # Longer texts may have several lines.
    profile = await mentor.ok("PATCH", "/mentor/me", {"bio": "One\n\tTwo"})
    assert profile["bio"] == "One\n\tTwo"


async def test_store_joined_emoji_returns_it_unchanged(api: Api) -> None:
    mentor = await api.mentor()
    for text in VISIBLE:
        profile = await mentor.ok("PATCH", "/mentor/me", {"fullName": text, "headline": text})
        assert (profile["fullName"], profile["headline"]) == (text, text)


async def test_send_token_with_invisible_name_stores_no_name(api: Api) -> None:
    await api.user("jane", name="Jane").ok("GET", "/requests")
    for text in INVISIBLE:
        await api.user("jane", name=text).ok("GET", "/requests")
    (row,) = await api.db.fetch("SELECT name FROM users")
    assert row["name"] == "Jane"
