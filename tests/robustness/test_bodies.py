"""Bodies of any size and shape: cheap to check, refused as early as possible, with a short
response."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import time
from collections.abc import Callable
from random import Random
from string import ascii_letters
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

from mentorapi import errors
from mentorapi.http import body as json_body
from mentorapi.schemas.validation import details_of, validator_of
from tests.client import Api, is_error
from tests.robustness.bad_input import TARGETS, Target, exchange

MAX_MILLISECONDS = 50
MAX_ANSWER = 16 * 1024

WITH_BODY = [target for target in TARGETS if target.spec.body is not None]
#: The operations with the largest JSON bodies.
PROFILE, WINDOWS = (
    next(target for target in TARGETS if str(target) == name)
    for name in ("PATCH /mentor/me", "PUT /mentor/availability")
)


# Shapes ------------------------------------------------------------------------------------------


def repeat(start: bytes, item: bytes, end: bytes) -> Callable[[int], bytes]:
    """A function from a size to a body of as many items as fit."""

    def make(size: int) -> bytes:
        times = (size - len(start) - len(end) + 1) // (len(item) + 1)
        return start + b",".join([item] * times) + end

    return make


def numbered(start: bytes, item: str, end: bytes) -> Callable[[int], bytes]:
    """The same, with a different number in each item."""

    def make(size: int) -> bytes:
        times = (size - len(start) - len(end) + 1) // (len(item % 0) + 1)
        return start + b",".join((item % number).encode() for number in range(times)) + end

    return make


def fill(start: bytes, item: bytes, end: bytes) -> Callable[[int], bytes]:
    return lambda size: start + item * ((size - len(start) - len(end)) // len(item)) + end


WINDOW = b'{"dayOfWeek":0,"startTime":"09:00","endTime":"10:00"}'
BAD_WINDOW = b'{"dayOfWeek":9,"startTime":"9","endTime":"x","a":1}'

SHAPES: dict[str, Callable[[int], bytes]] = {
    "objects in slots": repeat(b'{"slots":[', b"{}", b"]}"),
    "500 objects in slots": lambda size: b'{"slots":[' + b",".join([b"{}"] * 500) + b"]}",
    "numbers in slots": repeat(b'{"slots":[', b"1", b"]}"),
    "lists in slots": repeat(b'{"slots":[', b"[[]]", b"]}"),
    "500 good windows": lambda size: b'{"slots":[' + b",".join([WINDOW] * 500) + b"]}",
    "500 bad windows": lambda size: b'{"slots":[' + b",".join([BAD_WINDOW] * 500) + b"]}",
    "450 good windows, 50 bad ones": lambda size: (
        b'{"slots":[' + b",".join([WINDOW] * 450 + [BAD_WINDOW] * 50) + b"]}"
    ),
    "windows with long names": numbered(b'{"slots":[', '{"%04d' + "\\u0001" * 200 + '":1}', b"]}"),
    "empty texts in expertise": repeat(b'{"expertise":[', b'""', b"]}"),
    "50 long texts in expertise": lambda size: (
        b'{"expertise":[' + b",".join([b'"' + b" " * (size // 50 - 10) + b'"'] * 50) + b"]}"
    ),
    "links": numbered(b'{"links":{', '"%06d":"x"', b"}}"),
    "20 long links": lambda size: json.dumps(
        {"links": {"\x01" * 500 + str(number): "http://" + "a" * 5000 for number in range(20)}}
    ).encode()[:size],
    "unknown fields": numbered(b"{", '"%06x":1', b"}"),
    "60 unknown fields with long names": lambda size: (
        b"{" + b",".join(b'"%02d%b":1' % (n, b"\\u0001" * 100) for n in range(60)) + b"}"
    ),
    "one unknown field, deep": fill(b'{"a":' * 60, b" ", b"1" + b"}" * 60),
    "a field again and again": repeat(b"{", b'"bio":1', b"}"),
    "fields again and again below": repeat(b'{"x":[', b'{"a":1,"a":1}', b"]}"),
    "two long names that are the same": lambda size: (
        b'{"%b":1,"%b":2}' % (b"x" * (size // 2 - 10), b"x" * (size // 2 - 10))
    ),
    "a long name": fill(b'{"', b"x", b'":1}'),
    "a long text": fill(b'{"bio":"', b" ", b'"}'),
    "a long text of escapes": fill(b'{"bio":"', b"\\u0001", b'"}'),
    "a long text with commas": fill(b'{"bio":"', b",[{", b'"}'),
    "a long reason": fill(b'{"reason":"', b"\xf0\x9f\x9a\x80", b'"}'),
    "a long topic": fill(b'{"topic":"', b" ", b'"}'),
    "a long URL": fill(b'{"profileImageUrl":"http://', b"a", b'"}'),
    "a long choice": fill(b'{"status":"', b"a", b'"}'),
    "a list for a choice": repeat(b'{"status":[', b'{"a":"b"}', b"]}"),
    "a list for a text": repeat(b'{"bio":[', b'{"a":"b"}', b"]}"),
    "texts": repeat(b"[", b'""', b"]"),
    "fractions": repeat(b'{"x":[', b"1.5", b"]}"),
    "exponents": repeat(b'{"x":[', b"1e9", b"]}"),
    "long numbers": repeat(b'{"x":[', b"1" * 4000, b"]}"),
    "a long number": fill(b'{"rating":', b"1", b"}"),
    "a long fraction": fill(b'{"sessionRate":0.', b"1", b"}"),
    "a long exponent": fill(b'{"sessionRate":1E', b"1", b"}"),
    "lists in lists": lambda size: (
        b'{"x":' + b"[" * (size // 2 - 6) + b"]" * (size // 2 - 6) + b"}"
    ),
    "lists in lists, 900 levels": lambda size: b'{"x":' + b"[" * 900 + b"]" * 900 + b"}",
    "objects in objects": fill(b"", b'{"a":', b""),
    "blanks": fill(b"{", b" ", b"}"),
    "no JSON": fill(b"", b"x", b""),
    "quotes": fill(b"", b'"', b""),
    "backslashes": fill(b'{"bio":"', b"\\\\", b'"}'),
}


def validate(target: Target, body: bytes) -> bytes:
    """The response to a refused body, as the server builds it; empty for a valid one."""
    try:
        details = target.spec.check_body(json_body.parse(body))
    except errors.ApiError as error:
        return orjson.dumps(error.body())
    return orjson.dumps(errors.ValidationFailed(details).body()) if details else b""


def milliseconds(call: Callable[[], object]) -> float:
    """Processor time, which excludes other processes; the best of five near the limit."""
    best = float("inf")
    for _ in range(5):
        start = time.thread_time()
        call()
        best = min(best, (time.thread_time() - start) * 1000)
        if best < MAX_MILLISECONDS / 2:
            break
    return best


@pytest.mark.parametrize("target", WITH_BODY, ids=str)
def test_validate_any_shape_is_quick_and_its_response_short(target: Target) -> None:
    for name, make in SHAPES.items():
        body = make(target.spec.max_body)
        assert len(body) <= target.spec.max_body, name
        response = validate(target, body)
        assert len(response) <= MAX_ANSWER, (name, len(response))
        took = milliseconds(lambda body=body: validate(target, body))
        assert took < MAX_MILLISECONDS, (name, took)


@pytest.mark.parametrize("target", [PROFILE, WINDOWS], ids=str)
async def test_send_any_shape_gets_a_short_response(target: Target, api: Api) -> None:
    user = api.user("mia")
    for name, make in SHAPES.items():
        body = make(target.spec.max_body)
        response = await user.request(target.method, target.template, body=body)
        assert response.status in (200, 400), name
        assert response.status == 200 or len(response.content) <= MAX_ANSWER, name
        assert len(response.json.get("details", ())) <= 50, name


def test_validate_too_long_list_skips_its_entries() -> None:
    details = details_of(WINDOWS.spec._body_validator, {"slots": [{}] * 501})
    assert details == [
        {"field": "slots", "code": "too_many", "message": "must have at most 500 entries"}
    ]
    links = {str(number): "x" for number in range(41)}
    details = details_of(PROFILE.spec._body_validator, {"links": links})
    assert details == [
        {"field": "links", "code": "too_many", "message": "must have at most 40 entries"}
    ]


def test_validate_many_findings_lists_fifty() -> None:
    details = WINDOWS.spec.check_body({"slots": [{}] * 500})
    assert len(details) == 50
    assert details[0] == {
        "field": "slots.0.dayOfWeek",
        "code": "required",
        "message": "is required",
    }
    details = PROFILE.spec.check_body({f"x{number:03}": 1 for number in reversed(range(200))})
    assert [one["field"] for one in details] == [f"x{number:03}" for number in range(50)]


async def test_send_long_unknown_field_shortens_its_name_in_the_response(api: Api) -> None:
    response = await api.user("mia").patch("/mentor/me", {"x" * 5000: 1})
    assert is_error(response, 400, "Validation failed")
    (detail,) = response.json["details"]
    assert (detail["field"], detail["message"]) == ("x" * 120 + "…", "is not a known field")


def test_validate_nested_lists_too_long_stops_at_each_level() -> None:
    """No schema of the API is that deep yet."""
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(3):
        schema = {"type": "array", "maxItems": 10, "items": schema}
    value: list[Any] = [[[1] * 10] * 10] * 9 + [[[1] * 11]]
    assert len(details_of(validator_of(schema), value)) == 50
    value = [[["a"] * 11] * 10]
    details = details_of(validator_of(schema), value)
    assert {one["message"] for one in details} == {"must have at most 10 entries"}
    assert len(details) == 10


# Refused at the head -----------------------------------------------------------------------------


def head(start: str, **headers: str) -> bytes:
    fields = {"Host": "localhost"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    lines = [start, *(f"{name}: {value}" for name, value in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


#: Headers of a body with an allowed length, and of a chunked one.
ANNOUNCED = [{"Content_Length": "60000"}, {"Transfer_Encoding": "chunked"}]


async def first_response(api: Api, raw: bytes) -> bytes:
    """The response before the body is sent."""
    parts = urlsplit(api.base)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(raw)
        async with asyncio.timeout(10):
            return await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()


@pytest.mark.parametrize("announced", ANNOUNCED, ids=["length", "chunks"])
async def test_send_wrong_headers_is_refused_before_the_body(
    announced: dict[str, str], api: Api
) -> None:
    good = {"Authorization": f"Bearer {api.user('mia').token}", **announced}
    for target in TARGETS:
        if not target.spec.public:
            path = "/api" + target.template.replace("{", "").replace("}", "")
            for token in ({}, {"Authorization": "Bearer x"}):
                raw = head(f"{target.method} {path} HTTP/1.1", **announced, **token)
                assert (await first_response(api, raw)).startswith(b"HTTP/1.1 401"), target
    for start, status in (
        ("POST /api/nowhere", b"404"),
        ("POST /api/mentors", b"405"),
        ("BREW /api/mentors", b"405"),
        ("POST /livez", b"405"),
        ("DELETE /api/requests", b"405"),
    ):
        for headers in (announced, good):
            response = await first_response(api, head(f"{start} HTTP/1.1", **headers))
            assert response.split()[1] == status, start


async def test_announce_too_large_body_is_refused_at_its_headers(api: Api) -> None:
    for target in TARGETS:
        path = "/api" + target.template.replace("{", "").replace("}", "")
        length = str(target.spec.max_body + 1)
        raw = head(f"{target.method} {path} HTTP/1.1", Content_Length=length)
        assert (await first_response(api, raw)).startswith(b"HTTP/1.1 413"), target


@pytest.mark.parametrize("announced", ["length", "chunks"])
async def test_upload_six_megabytes_is_refused_with_a_response(announced: str, api: Api) -> None:
    """The client reads nothing before it has sent everything."""
    user, parts = api.user("mia"), urlsplit(api.base)
    photo = b"x" * 5_900_000

    def upload(path: str, token: str | None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        body = photo if announced == "length" else iter([photo])
        connection.request("PATCH", path, body, headers, encode_chunked=announced == "chunks")
        response = connection.getresponse()
        assert response.headers["Connection"] == "close"
        try:
            return response.status, response.read()
        finally:
            connection.close()

    for _ in range(5):
        for path in ("/api/mentor/profile-image", "/api/mentor/me"):
            status, body = await asyncio.to_thread(upload, path, user.token)
            assert (status, orjson.loads(body)["message"]) == (413, "Body is too large")
        status, _ = await asyncio.to_thread(upload, "/api/mentor/profile-image", None)
        assert status == (413 if announced == "length" else 401)
        status, _ = await asyncio.to_thread(upload, "/api/nowhere", None)
        assert status == 404


async def test_send_bad_token_with_small_body_keeps_the_connection(api: Api) -> None:
    body = b'{"topic": "x"}'
    first = head("POST /api/requests HTTP/1.1", Content_Length=str(len(body))) + body
    last = head("GET /api/mentors HTTP/1.1", Connection="close")
    responses, rest, closed = await exchange(api.base, first, first, last, pause=0.05)
    assert [one.status for one in responses] == [401, 401, 200]
    assert (rest, closed) == (b"", True)


async def test_announce_refused_body_without_sending_it_closes_connection(api: Api) -> None:
    for headers in ({"Content_Length": "90000000"}, {"Transfer_Encoding": "chunked"}):
        raw = head("POST /api/requests HTTP/1.1", **headers)
        responses, rest, closed = await exchange(api.base, raw, patience=20)
        assert [one.status for one in responses] == [413 if "Content_Length" in headers else 401]
        assert (rest, closed) == (b"", True)


async def test_send_endless_refused_body_closes_the_connection(api: Api) -> None:
    raw = head("POST /api/requests HTTP/1.1", Transfer_Encoding="chunked")
    chunk = b"%x\r\n%b\r\n" % (1024 * 1024, b"x" * 1024 * 1024)
    _, _, closed = await exchange(api.base, raw, *[chunk] * 80, patience=30)
    assert closed


async def test_expect_continue_with_bad_token_is_refused(api: Api) -> None:
    raw = head("POST /api/requests HTTP/1.1", Content_Length="90", Expect="100-continue")
    responses, rest, closed = await exchange(api.base, raw)
    assert ([one.status for one in responses], rest, closed) == ([401], b"", True)


# Ids ---------------------------------------------------------------------------------------------

#: Longer than an index entry even when compressed, and as long as the headers may be.
LONG_IDS = [
    "".join(Random(1).choices(ascii_letters, k=2700)),
    "".join(Random(2).choices(ascii_letters, k=12_000)),
    "%C3%A9" * 1300,
]


@pytest.mark.parametrize("target", [one for one in TARGETS if "{" in one.template], ids=str)
async def test_send_very_long_id_never_causes_a_fault(target: Target, api: Api) -> None:
    user = api.user("mia")
    for long_id in LONG_IDS:
        for headers in ({}, {"Idempotency-Key": "k" * 255}):
            path = re.sub(r"\{\w+\}", long_id, target.template)
            body = b"{}" if target.spec.body is not None else None
            response = await user.request(target.method, path, body=body, headers=headers)
            needs_body = target.spec.body and not target.spec.body_optional
            wanted = 400 if needs_body or "{date}" in target.template else 404
            assert response.status == wanted, (response, headers)
            if wanted == 400:
                assert is_error(response, 400, "Validation failed")


async def test_send_a_name_twice_is_refused_also_with_equal_values(api: Api) -> None:
    mentor = await api.mentor()
    for body in (b'{"slots":[],"slots":[]}', b'{"slots":[],"bufferTime":0,"bufferTime":0}'):
        response = await mentor.put("/mentor/availability", body=body)
        assert (response.status, response.headers["X-Error-Code"]) == (400, "malformed_json")
    assert len((await mentor.ok("GET", "/mentor/availability"))["slots"]) == 7
