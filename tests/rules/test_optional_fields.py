"""Null and empty texts, as forms send them, in the optional fields of bodies."""

from __future__ import annotations

from typing import Any

import pytest

from mentorapi import openapi
from mentorapi.app import ROUTES
from mentorapi.schemas.operation import Operation
from tests.client import ALWAYS, Api, asking, day_after_tomorrow, fields_of, instant

LINK = "https://meet.example.com/mia"

#: Bodies with optional fields, by the names of their operations.
SPECS = {
    spec.name: spec
    for _, handler in ROUTES
    for spec in handler.operations().values()
    if spec.body is not None and not spec.merge_patch
}


def optional_fields(schema: Any) -> list[str]:
    return sorted(schema.get("properties", {}).keys() - set(schema.get("required", ())))


@pytest.mark.parametrize("name", SPECS)
def test_validate_null_for_optional_field_reads_it_as_absent(name: str) -> None:
    spec = SPECS[name]
    schema: Any = spec.body
    whole = openapi.example_of(schema)
    for field in optional_fields(schema):
        if "null" in schema["properties"][field].get("type", ()):
            continue  # here null is a value
        read = spec.normalize_body(whole | {field: None})
        assert field not in read, field
        assert spec.check_body(read) == [], field


@pytest.mark.parametrize("name", SPECS)
def test_read_openapi_allows_null_for_each_optional_field(name: str) -> None:
    described: Any = SPECS[name].accepted_body
    for field in optional_fields(described):
        schema = described["properties"][field]
        kinds = [schema, *schema.get("anyOf", ())]
        assert any("null" in kind.get("type", ()) for kind in kinds), field
        assert None in schema.get("enum", [None]), field


def test_validate_null_within_list_reads_it_as_absent() -> None:
    inner = {
        "type": "object",
        "properties": {"id": {"type": "string"}, "at": {"type": "string"}},
        "required": ["at"],
    }
    body = {"type": "object", "properties": {"slots": {"type": "array", "items": inner}}}
    spec = Operation(name="x", summary="", response={}, body=body)
    assert spec.normalize_body({"slots": [{"id": None, "at": "x"}]}) == {"slots": [{"at": "x"}]}
    # Null for a required field stays, and validation refuses it.
    assert spec.normalize_body({"slots": [{"at": None}]}) == {"slots": [{"at": None}]}


async def test_post_request_with_nulls_takes_the_defaults(api: Api) -> None:
    mentor = await api.mentor(sessionDuration=90, defaultMeetingLink=LINK)
    for number, location in enumerate((None, "")):
        body = asking(mentor, message=None, duration=None, location=location)
        request = await api.user(f"jane{number}").ok("POST", "/requests", body)
        assert (request["message"], request["duration"]) == (None, 90)
        accepted = await mentor.ok("POST", f"/requests/{request['id']}/accept")
        assert accepted["booking"]["location"] == LINK
        await mentor.ok("POST", f"/sessions/{accepted['booking']['id']}/cancel", {"reason": None})


async def test_put_availability_with_nulls_leaves_settings_alone(api: Api) -> None:
    settings = {"sessionDuration": 90, "bufferTime": 15, "timezone": "WAT"}
    mentor = await api.mentor(**settings, defaultMeetingLink=LINK)
    body = {"slots": ALWAYS} | dict.fromkeys(settings)
    after = await mentor.ok("PUT", "/mentor/availability", body)
    assert {name: after[name] for name in settings} == settings
    assert after["defaultMeetingLink"] == LINK
    for empty in ("", None):
        await mentor.ok("PUT", "/mentor/availability", body | {"defaultMeetingLink": LINK})
        body |= {"defaultMeetingLink": empty}
        after = await mentor.ok("PUT", "/mentor/availability", body)
        assert after["defaultMeetingLink"] is None


async def test_send_null_reason_or_comment_stores_none(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    request = await api.request(jane, mentor)
    rejected = await mentor.ok("POST", f"/requests/{request['id']}/reject", {"reason": None})
    assert rejected["rejectionReason"] is None
    session = await api.completed(jane, mentor, day_after_tomorrow(13))
    path = f"/sessions/{session['id']}/review"
    reviewed = await jane.ok("POST", path, {"rating": 5, "comment": None})
    assert reviewed["review"]["comment"] is None
    assert instant(reviewed["review"]["createdAt"])


async def test_send_null_for_required_field_is_refused(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    assert fields_of(await jane.post("/requests", asking(mentor, topic=None))) == ["topic"]
    assert fields_of(await mentor.put("/mentor/availability", {"slots": None})) == ["slots"]


async def test_patch_with_an_empty_url_or_location_clears_it(api: Api) -> None:
    url = "https://example.com/me.png"
    for empty in ("", None):
        full = {"profileImageUrl": url, "location": "Lagos"}
        mentor = await api.mentor(**full)
        cleared = await mentor.ok("PATCH", "/mentor/me", dict.fromkeys(full, empty))
        assert (cleared["profileImageUrl"], cleared["location"]) == (None, None)
    # In other fields an empty text is a value.
    assert (await mentor.ok("PATCH", "/mentor/me", {"bio": ""}))["bio"] == ""
    assert fields_of(await mentor.patch("/mentor/me", {"fullName": ""})) == ["fullName"]
    assert fields_of(await mentor.patch("/mentor/me", {"visibility": None})) == ["visibility"]
