"""The names of errors for programs: in ``X-Error-Code``, and in the ``details`` of a validation."""

from __future__ import annotations

import pytest

from mentorapi import errors, openapi
from tests.client import Api, Response, asking, day_after_tomorrow
from tests.robustness.test_http import raw

#: Clients compare with these. Codes may be added, never changed or removed.
CODES = """
already_reviewed bad_request body_too_large completion_not_confirmable duplicate_request
idempotency_key_in_use idempotency_key_reused image_not_found internal_error invalid_image
malformed_form malformed_json mentor_not_found method_not_allowed not_acceptable not_completable
not_confirmable not_disputable not_ended not_found not_party_to_request not_party_to_session
not_rejectable not_reschedulable not_reviewable only_mentee_cancels_request
only_mentee_confirms_completion only_mentee_disputes only_mentee_reviews only_mentor_accepts
only_mentor_completes only_mentor_confirms only_mentor_rejects only_mentor_reschedules
only_parties_cancel_session profile_not_found request_in_past request_not_cancellable
request_not_found request_to_self session_not_cancellable session_not_found slot_taken unauthorized
unavailable unsupported_media_type validation_failed window_not_found
"""


def code_of(response: Response) -> str:
    return response.headers["X-Error-Code"]


def details_of(response: Response) -> list[tuple[str, str]]:
    return [(detail["field"], detail["code"]) for detail in response.json["details"]]


def test_compare_codes_with_known_list_finds_each() -> None:
    assert set(CODES.split()) <= set(errors.CODES)


def test_read_openapi_lists_every_code_of_each_error() -> None:
    document = openapi.document()
    components = document["components"]
    assert components["schemas"]["ErrorCode"]["enum"] == errors.CODES
    for methods in document["paths"].values():
        for described in methods.values():
            for status, response in described["responses"].items():
                if "$ref" in response:
                    response = components["responses"][response["$ref"].rpartition("/")[2]]
                assert ("X-Error-Code" in response["headers"]) == (int(status) >= 400)


async def test_raise_error_in_handler_responds_with_its_code(api: Api) -> None:
    mentor, jane, ken = await api.mentor(), api.user("jane"), api.user("ken")
    request = await api.request(jane, mentor)
    accept = f"/requests/{request['id']}/accept"
    assert code_of(await jane.post("/requests", asking(mentor))) == "duplicate_request"
    assert code_of(await jane.post(accept)) == "only_mentor_accepts"
    await mentor.ok("POST", accept)
    assert code_of(await ken.post("/requests", asking(mentor))) == "slot_taken"
    assert code_of(await mentor.post(accept)) == "not_acceptable"
    assert code_of(await jane.get("/mentors/x")) == "mentor_not_found"
    assert code_of(await jane.get("/mentor/dashboard")) == "profile_not_found"


@pytest.mark.own_server
async def test_raise_error_outside_handlers_responds_with_its_code(api: Api) -> None:
    jane = api.user("jane")
    assert code_of(await api.nobody.get("/requests")) == "unauthorized"
    assert code_of(await api.nobody.get("/nope")) == "not_found"
    assert code_of(await api.nobody.request("FOO", "/mentors")) == "method_not_allowed"
    assert code_of(await api.nobody.request("HEAD", "/requests")) == "unauthorized"
    assert code_of(await jane.patch("/mentor/me", body=b"{")) == "malformed_json"
    large = await jane.patch("/mentor/me", body=b" " * 2_000_000)
    assert (large.status, code_of(large)) == (413, "body_too_large")
    other = await jane.patch("/mentor/me", body=b"x", headers={"Content-Type": "text/plain"})
    assert (other.status, code_of(other)) == (415, "unsupported_media_type")
    await api.db.execute("ALTER TABLE requests RENAME TO away")
    assert code_of(await jane.get("/requests")) == "internal_error"
    api.services.draining = True
    away = await raw(api, "GET /readyz HTTP/1.1")
    assert (away.status, code_of(away)) == (503, "unavailable")


async def test_send_good_request_has_no_error_code(api: Api) -> None:
    assert "X-Error-Code" not in (await api.nobody.get("/mentors")).headers


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"mentorId": ...}, ("mentorId", "required")),
        ({"surprise": 1}, ("surprise", "unknown_field")),
        ({"topic": 1}, ("topic", "type")),
        ({"topic": " "}, ("topic", "blank")),
        ({"topic": "x" * 201}, ("topic", "too_long")),
        ({"scheduledDate": "2026-02-30"}, ("scheduledDate", "format")),
        ({"scheduledTime": "9:00"}, ("scheduledTime", "format")),
        ({"duration": 5}, ("duration", "out_of_range")),
    ],
)
async def test_send_wrong_value_has_a_code_in_its_detail(
    api: Api, change: dict[str, object], expected: tuple[str, str]
) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    body = {name: value for name, value in (asking(mentor) | change).items() if value is not ...}
    response = await jane.post("/requests", body)
    assert (code_of(response), details_of(response)) == ("validation_failed", [expected])


async def test_break_rule_beyond_the_schema_has_a_code_in_its_detail(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    window = {"dayOfWeek": 0, "startTime": "10:00", "endTime": "09:00"}
    backwards = await mentor.put("/mentor/availability", {"slots": [window]})
    assert details_of(backwards) == [("slots.0.startTime", "order")]
    window = {"dayOfWeek": 0, "startTime": "09:00", "endTime": "10:00"}
    twice = await mentor.put("/mentor/availability", {"slots": [window, window]})
    assert details_of(twice) == [("slots.1", "overlap")]
    session = await api.session(jane, mentor, day_after_tomorrow())
    moved = {"newStartTime": "2020-01-01T09:00:00Z", "newEndTime": "2020-01-01T10:00:00Z"}
    past = await mentor.put(f"/sessions/{session['id']}/reschedule", moved)
    assert details_of(past) == [("newStartTime", "past")]
    assert details_of(await jane.get("/sessions?role=%FF")) == [("role", "encoding")]


async def test_send_many_wrong_values_lists_fifty(api: Api) -> None:
    mentor = await api.mentor()
    response = await mentor.put("/mentor/availability", {"slots": [{"x": 1}] * 100})
    assert len(response.json["details"]) == 50
