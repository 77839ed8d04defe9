"""Rules for every request: methods, bodies, queries, headers, origins and failures."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import re
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.iostream import StreamClosedError
from tornado.tcpclient import TCPClient

from mentorapi.app import ROUTES
from mentorapi.config import Settings
from mentorapi.http import connection
from mentorapi.http.base import NO_ID
from mentorapi.repositories import mentors
from tests.client import SECRET, Api, Response, User, asking, check, fields_of, is_error
from tests.serving import refused_connections

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

#: The quick reference of the guide. All operations but the public ones need a token.
GUIDE = """
GET     /mentors                                public
GET     /mentors/search                         public
GET     /mentors/{id}                           public
GET     /mentors/{id}/reviews                   public
GET     /mentors/{id}/availability              public
GET     /mentor/me
PATCH   /mentor/me
PATCH   /mentor/profile-image
GET     /mentor/availability
PUT     /mentor/availability
DELETE  /mentor/availability/{id}
GET     /mentor/dashboard
GET     /mentor/reviews
POST    /requests
GET     /requests
GET     /requests/my-requests/{id}
GET     /requests/pending-count
GET     /requests/{id}
POST    /requests/{id}/accept
POST    /requests/{id}/reject
PATCH   /requests/{id}
PATCH   /requests/{id}/cancel
GET     /sessions
GET     /sessions/{id}
POST    /sessions/{id}/confirm
POST    /sessions/{id}/complete
POST    /sessions/{id}/confirm-completion
POST    /sessions/{id}/dispute
POST    /sessions/{id}/cancel
PUT     /sessions/{id}/reschedule
POST    /sessions/{id}/review
"""


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> Settings:
    """The settings, with those of an ``indirect`` parameter."""
    return replace(Settings(jwt_secret=SECRET), **getattr(request, "param", {}))


def with_origins(*origins: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("settings", [{"cors_origins": origins}], indirect=True)


def path_of(template: str) -> str:
    """Return a path that fits a template, without the prefix."""
    return re.sub(r"\{\w+\}", NO_ID, template).removeprefix("/api")


# Routes and methods ------------------------------------------------------------------------------


def test_compare_routes_with_guide_finds_each() -> None:
    found = {
        (method, re.sub(r"\{\w+\}", "{id}", template)): spec.public
        for template, handler in ROUTES
        for method, spec in handler.operations().items()
    }
    for line in GUIDE.strip().splitlines():
        method, path, *public = line.split()
        assert found.pop((method, f"/api{path}")) is bool(public), line
    # Of the operations that the guide does not name, only reads are public.
    assert {method for (method, _), public in found.items() if public} == {"GET"}
    assert not [path for (_, path), public in found.items() if public and "/mentor/" in path]


async def test_request_without_token_works_on_public_routes_only(api: Api) -> None:
    for template, handler in ROUTES:
        for method, spec in handler.operations().items():
            response = await api.nobody.request(method, path_of(template))
            if spec.public:
                # 400 where parameters are required.
                assert response.status in (200, 400, 404), (method, template)
            else:
                assert is_error(response, 401, "Missing or invalid token"), (method, template)
                assert response.headers["WWW-Authenticate"] == "Bearer"


async def test_request_private_route_with_bad_token_is_unauthorized(api: Api) -> None:
    stranger = User(api.base, "eve")
    stranger.token += "x"
    for template, handler in ROUTES:
        for method, spec in handler.operations().items():
            if not spec.public:
                response = await stranger.request(method, path_of(template))
                assert response.status == 401, (method, template)


async def test_request_unknown_route_is_not_found_with_any_token(api: Api) -> None:
    for path in (
        "/nope",
        "/mentors/",
        "/mentor",
        "/mentor/me/",
        "/MENTORS",
        "/mentors/search/x",
        "/requests/x/unknown",
        "/requests/x/accept/y",
        "/sessions//confirm",
        "//mentors",
        "/mentors%2Fsearch",
        "/../api/mentors",
        "/%00",
        "/%FF",
        "/" + "x" * 5000,
    ):
        for client in (api.nobody, api.user("jane")):
            for method in (*METHODS, "OPTIONS", "TRACE", "FOO"):
                response = await client.request(method, path)
                assert response.status == 404, (method, path)
                assert response.message.startswith("No such route: /api"), path
                assert len(response.message) <= 200


async def test_request_outside_the_prefix_is_not_found(api: Api) -> None:
    for path in ("/mentors", "/favicon.ico", "/robots.txt", "/apix/mentors", "/API/mentors"):
        response = await raw(api, f"GET {path} HTTP/1.1")
        assert response.status == 404, path
        assert response.json["error"] == "Not Found"


async def test_get_root_or_prefix_redirects_to_the_documentation(api: Api) -> None:
    for path in ("/", "/api", "/api/", "/docs"):
        for method in ("GET", "HEAD"):
            response = await raw(api, f"{method} {path} HTTP/1.1")
            assert (response.status, response.body) == (302, b""), path
            assert response.headers["Location"] == "/api/docs"
        refused = await raw(api, f"POST {path} HTTP/1.1", "Content-Length: 0")
        assert is_error(refused, 405, "Method not allowed")
        assert refused.headers["Allow"] == "GET, HEAD, OPTIONS"
    assert (await api.nobody.get("/docs")).status == 200


async def test_request_with_wrong_method_names_the_right_ones(api: Api) -> None:
    for template, handler in ROUTES:
        right = {*handler.operations(), "OPTIONS"}
        right |= {"HEAD"} if "GET" in right else set()
        for method in {*METHODS, "HEAD", "TRACE", "PROPFIND", "FOO", "get"} - right:
            response = await api.nobody.request(method, path_of(template))
            assert response.status == 405, (method, template)
            assert set(response.headers["Allow"].split(", ")) == right
            if method != "HEAD":
                assert is_error(response, 405, "Method not allowed")


async def test_options_of_route_names_its_methods(api: Api) -> None:
    for template, handler in ROUTES:
        response = await api.nobody.request("OPTIONS", path_of(template))
        assert (response.status, response.body) == (204, b""), template
        assert set(handler.operations()) < set(response.headers["Allow"].split(", "))


async def test_head_of_route_equals_get_without_the_body(api: Api) -> None:
    mentor = await api.mentor()
    paths = (
        "/mentors",
        f"/mentors/{mentor.id}",
        "/mentor/me",
        "/sessions",
        "/requests/pending-count",
    )
    for path in paths:
        get, head = await mentor.get(path), await mentor.request("HEAD", path)
        assert (head.status, head.body) == (200, b""), path
        for name in ("Content-Type", "Content-Length", "X-Total-Count"):
            assert head.headers.get(name) == get.headers.get(name), (path, name)
    for path, status in (("/mentor/me", 401), (f"/mentors/{NO_ID}", 404), ("/mentors?page=0", 400)):
        response = await api.nobody.request("HEAD", path)
        assert (response.status, response.body) == (status, b"")


# The order of checks -----------------------------------------------------------------------------


async def test_request_without_token_precedes_wrong_input(api: Api) -> None:
    for body, kind in (
        (b"{", "application/json"),
        (b'{"nope": 1}', "application/json"),
        (b"x", "text/plain"),
        (b"x", "multipart/form-data"),
        (b"\xff" * 1000, "application/x-www-form-urlencoded"),
        (b"", ""),
    ):
        for path in ("/requests", f"/sessions/{NO_ID}/review", f"/requests/{NO_ID}/reject"):
            response = await api.nobody.post(path, body=body, headers={"Content-Type": kind})
            assert is_error(response, 401, "Missing or invalid token"), (path, body)
    for path in ("/requests?role=x", "/sessions?page=0", "/mentor/reviews", "/requests/nonsense"):
        assert (await api.nobody.get(path)).status == 401, path


async def test_request_with_wrong_input_precedes_missing_resource(api: Api) -> None:
    jane = api.user("jane")
    assert fields_of(await jane.post(f"/requests/{NO_ID}/reject", {"x": 1})) == ["x"]
    assert fields_of(await jane.patch("/requests/nonsense", {})) == ["status"]
    assert fields_of(await jane.post(f"/sessions/{NO_ID}/review", {})) == ["rating"]
    assert fields_of(await jane.put(f"/sessions/{NO_ID}/reschedule", {"newStartTime": 1})) == [
        "newEndTime",
        "newStartTime",
    ]
    assert fields_of(await jane.get(f"/requests/my-requests/{NO_ID}", page=0)) == ["page"]
    body = {"mentorId": NO_ID, "topic": "x", "scheduledDate": "x", "scheduledTime": "09:00"}
    assert fields_of(await jane.post("/requests", body)) == ["scheduledDate"]


async def test_request_with_several_errors_reports_them_in_order(
    api: Api,
) -> None:
    mentor, jane, eve = await api.mentor(), api.user("jane"), api.user("eve")
    request = await api.request(jane, mentor)
    await mentor.ok("POST", f"/requests/{request['id']}/reject")
    path = f"/requests/{request['id']}/accept"
    assert (await eve.post(f"/requests/{NO_ID}/accept")).status == 404
    assert is_error(await eve.post(path), 403, "Only the mentor can accept this request")
    assert is_error(await jane.post(path), 403, "Only the mentor can accept this request")
    assert is_error(await mentor.post(path), 409, "Only pending requests can be accepted")
    assert fields_of(await eve.post(path, {"reason": "x"})) == ["reason"]


# Bodies ------------------------------------------------------------------------------------------


UNSOUND = [
    b"",
    b" ",
    b"{",
    b"}",
    b"nonsense",
    b"{'bio': 'x'}",
    b'{"bio": "x",}',
    b'{"bio": "x"} {"bio": "y"}',
    b'{"bio": "x"}x',
    b'{"bio": "x" /* y */}',
    b'{bio: "x"}',
    b'{"bio": "line\nbreak"}',
    b'{"bio": "\x01"}',
    b'{"bio": "\\x41"}',
    b'{"bio": "\\ud800"}',
    b'{"bio": "\\udc00\\ud800"}',
    b'{"\\ud800": "x"}',
    b'{"bio": "\xff"}',
    b'{"bio": "\xed\xa0\x80"}',
    b'{"bio": "\xc0\x80"}',
    b'{"bio": "\\u0000"}',
    b'{"bio": "a\\u0000b"}',
    b'{"expertise": ["a", "\\u0000"]}',
    b'{"links": {"\\u0000": "https://example.com"}}',
    b'{"bio": "\x00"}',
    b'\x00{"bio": "x"}',
    b'\xef\xbb\xbf{"bio": "x"}',
    '{"bio": "x"}'.encode("utf-16"),
    '{"bio": "x"}'.encode("utf-32"),
    b'{"sessionRate": NaN}',
    b'{"sessionRate": Infinity}',
    b'{"sessionRate": -Infinity}',
    b'{"sessionRate": nan}',
    b'{"sessionRate": 01}',
    b'{"sessionRate": +1}',
    b'{"sessionRate": 1.}',
    b'{"sessionRate": .5}',
    b'{"sessionRate": 0x10}',
    b'{"sessionRate": 1e400}',
    b'{"sessionRate": 1' + b"0" * 400 + b"}",
    b'{"sessionRate": 1' + b"0" * 10_000 + b"}",
    b'{"bio": "x", "bio": "y"}',
    b'{"bio": "x", "bio": null}',
    b'{"bio": null, "bio": ""}',
    b'{"sessionRate": true, "sessionRate": 1}',
    b'{"sessionRate": 0, "sessionRate": false}',
    b'{"sessionRate": 1, "sessionRate": "1"}',
    b'{"links": {"a": "https://a.b", "a": "https://c.d"}}',
    b'{"expertise": ["x"], "expertise": ["y"]}',
    b'{"links": {"a": [1]}, "links": {"a": [true]}}',
    b'{"bio": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"bio": ' + b"[" * 500 + b"]" * 500 + b"}",
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b'{"x": 1E-99999999999999999999}',
    b'{"x": 1E+99999999999999999999}',
    b'{"x": 0E+1000000000000000000}',
    b'{"x": -0.0E-1000000000000000000}',
    b'{"x": 0E+999999999999999999}',
    b'{"x": [' + b"1," * 4000 + b"1]}",
    b'{"bio": "x"' + b',"bio":"x"' * 4000 + b"}",
    b'{"bio": "x", "bio": "x"}',
    b'{"sessionRate": 1, "sessionRate": 1.0}',
    b'{"links": {"a": "https://a.b"}, "links": {"a": "https://a.b"}}',
    b'{"' + b"x" * 10_000 + b'": 1, "' + b"x" * 10_000 + b'": 2}',
]


async def test_send_malformed_json_is_a_bad_request(api: Api) -> None:
    user = api.user("mia")
    for body in UNSOUND:
        response = await user.patch("/mentor/me", body=body)
        assert response.status == 400, body[:80]
        assert response.message.startswith("Body is not valid JSON"), response.message
        assert len(response.message) < 200
    assert (await user.ok("GET", "/mentor/me"))["isProfileCreated"] is False


async def test_send_unusual_but_valid_json_succeeds(api: Api) -> None:
    user = api.user("mia")
    for body, name, value in (
        (b'\r\n\t {"bio": "x"} \n', "bio", "x"),
        (b'{"bio": "\\ud83d\\ude80"}', "bio", "🚀"),
        (b'{"bio": "\\u00e9\\/\\b"}', "bio", "é/\b"),
        (b'{"bio": "\\u0001"}', "bio", "\x01"),
        (b'{"b\\u0069o": "y"}', "bio", "y"),
        (b'{"sessionRate": 1E+2}', "sessionRate", 100),
        (b'{"sessionRate": -0.0}', "sessionRate", 0),
    ):
        response = await user.patch("/mentor/me", body=body)
        assert (response.status, response.json.get(name)) == (200, value), body


async def test_send_body_that_is_no_object_is_refused(api: Api) -> None:
    user = api.user("mia")
    for body in (b"null", b"[]", b'"x"', b"5", b"true", b'[{"bio": "x"}]'):
        response = await user.patch("/mentor/me", body=body)
        assert fields_of(response) == [""], body
        assert response.json["details"][0]["message"] == "must be an object"


async def test_send_wrong_values_names_each_place_and_reason(api: Api) -> None:
    slot = {"dayOfWeek": 7, "startTime": "9:00", "endTime": "10:00"}
    body = {"slots": [{**slot, "dayOfWeek": 0, "startTime": "09:00"}, slot], "timeZone": "WAT"}
    response = await api.user("mia").put("/mentor/availability", body)
    assert response.json == {
        "statusCode": 400,
        "message": "Validation failed",
        "error": "Bad Request",
        "details": [
            {
                "field": "slots.1.dayOfWeek",
                "code": "out_of_range",
                "message": "must be at most 6",
            },
            {
                "field": "slots.1.startTime",
                "code": "format",
                "message": "must be a time of day, HH:mm",
            },
            {
                "field": "timeZone",
                "code": "unknown_field",
                "message": "is not a known field",
            },
        ],
    }


async def test_send_integer_with_point_or_exponent_succeeds(api: Api) -> None:
    user = api.user("mia")
    for number in ("60", "60.0", "60.000", "6e1", "6.0E+1", "600e-1"):
        body = f'{{"slots": [], "sessionDuration": {number}}}'
        response = await user.put("/mentor/availability", body=body)
        assert (response.status, response.json["sessionDuration"]) == (200, 60), number
    for number in ("60.5", "60.0000001", '"60"', "6e2"):
        body = f'{{"slots": [], "sessionDuration": {number}}}'
        assert (await user.put("/mentor/availability", body=body)).status == 400, number


async def test_send_other_content_type_is_refused(api: Api) -> None:
    user = api.user("mia")
    body = orjson.dumps({"bio": "x"})
    for kind in (
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "application/jsonx",
        "application/xml",
        "json",
        "*/*",
        "",
    ):
        response = await user.patch("/mentor/me", body=body, headers={"Content-Type": kind})
        assert is_error(response, 415, "Content-Type must be application/json"), kind
        response = await user.post(
            f"/requests/{NO_ID}/reject", body=b"{}", headers={"Content-Type": kind}
        )
        assert response.status == 415, kind
    for kind in ("application/json", "application/json;charset=UTF-8", "APPLICATION/JSON ; a=b"):
        response = await user.patch("/mentor/me", body=body, headers={"Content-Type": kind})
        assert response.status == 200, kind


async def test_send_body_in_another_coding_is_refused(api: Api) -> None:
    mentor, body = await api.mentor("mia"), gzip.compress(b"{}")
    request = await api.request(api.user("jane"), mentor)
    for method, path, kind in (
        ("PUT", "/mentor/policy", "application/json"),
        ("POST", f"/requests/{request['id']}/reject", "application/json"),
        ("PATCH", "/mentor/profile-image", "multipart/form-data; boundary=x"),
    ):
        for coding in ("gzip", "GZIP", "br", "x", "identity, gzip"):
            headers = {"Content-Type": kind, "Content-Encoding": coding}
            response = await mentor.request(method, path, body=body, headers=headers)
            assert is_error(response, 415, "Content-Encoding is not supported"), (path, coding)
            assert response.headers["Accept-Encoding"] == "identity"
            assert response.headers["X-Error-Code"] == "unsupported_coding"
    for coding in ("identity", "Identity", ""):
        headers = {"Content-Type": "application/json", "Content-Encoding": coding}
        response = await mentor.request("PUT", "/mentor/policy", body=b"{}", headers=headers)
        assert response.status == 200, coding


async def test_send_unknown_expectation_ignores_it(api: Api) -> None:
    assert (await api.nobody.get("/mentors", headers={"Expect": "x"})).status == 200


async def test_send_no_body_where_it_is_optional_succeeds(api: Api) -> None:
    mentor = await api.mentor()
    for number, options in enumerate(
        (
            {},
            {"json": {}},
            {"body": b""},
            {"headers": {"Content-Type": "text/plain"}},
            {"json": {"reason": "No time."}},
        )
    ):
        request = await api.request(api.user(f"mentee{number}"), mentor)
        response = await mentor.request("POST", f"/requests/{request['id']}/reject", **options)
        assert (response.status, response.json["status"]) == (200, "rejected"), options
    for body in (b"null", b"[]", b'""'):
        response = await mentor.post(f"/requests/{request['id']}/reject", body=body)
        assert fields_of(response) == [""], body
    assert fields_of(await mentor.post(f"/requests/{request['id']}/accept", {"a": 1})) == ["a"]


async def test_send_no_body_where_it_is_required_is_refused(api: Api) -> None:
    jane = api.user("jane")
    assert (await jane.post("/requests")).status == 415
    assert (await jane.post("/requests", body=b"")).status == 400


async def test_send_body_where_none_belongs_ignores_it(api: Api) -> None:
    jane = api.user("jane")
    response = await jane.request("GET", "/requests/pending-count", body=b"{nonsense")
    assert (response.status, response.json) == (200, 0)
    response = await api.nobody.request(
        "GET", "/mentors", body=b"\xff", headers={"Content-Type": "x"}
    )
    assert response.status == 200


async def test_send_body_above_limit_of_operation_is_refused(api: Api) -> None:
    user = api.user("mia")
    for template, handler in ROUTES:
        for method, spec in handler.operations().items():
            body = b"{}".ljust(spec.max_body)
            response = await user.request(method, path_of(template), body=body)
            assert response.status < 500, (method, template)
            assert response.status != 413, (method, template)
            for client in (user, api.nobody):
                response = await client.request(method, path_of(template), body=body + b" ")
                assert is_error(response, 413, "Body is too large"), (method, template)
    response = await user.patch("/mentor/me", body=b'{"bio": "x"}'.ljust(12 * 1024 * 1024))
    assert is_error(response, 413, "Body is too large")


async def test_send_largest_useful_body_succeeds(api: Api) -> None:
    """The text is indented, and every character is escaped."""
    user = api.user("mia")
    rocket = "\N{ROCKET}"
    profile = {
        "fullName": rocket * 120,
        "headline": rocket * 200,
        "bio": rocket * 5000,
        "expertise": [rocket * 58 + f"{number:02}" for number in range(50)],
        "location": rocket * 200,
        "profileImageUrl": "https://example.com/".ljust(2048, "a"),
        "links": {
            rocket * 58 + f"{number:02}": "https://example.com/".ljust(2048, "a")
            for number in range(20)
        },
        "sessionRate": 5000.25,
    }
    response = await user.patch("/mentor/me", body=json.dumps(profile, indent=8))
    assert (response.status, response.json | profile) == (200, response.json)
    windows = [
        {
            "dayOfWeek": number // 72,
            "startTime": f"{number % 72 // 3:02}:{number % 3 * 20:02}",
            "endTime": f"{number % 72 // 3:02}:{number % 3 * 20 + 20:02}".replace(":60", ":59"),
        }
        for number in range(500)
    ]
    link = "https://example.com/".ljust(2048, "a")
    body = {"slots": windows, "timezone": rocket * 64, "defaultMeetingLink": link}
    response = await user.put("/mentor/availability", body=json.dumps(body, indent=8))
    assert response.status == 200, response
    assert len(response.json["slots"]) == 500
    mentor = await api.mentor("max")
    texts = {"topic": rocket * 200, "message": rocket * 2000, "location": rocket * 200}
    body = asking(mentor) | texts
    response = await user.post("/requests", body=json.dumps(body, indent=8))
    assert response.status == 201, response


async def test_send_chunked_body_above_limit_is_refused(api: Api) -> None:
    user = api.user("mia")
    for pieces, status in ((3, 200), (4, 413), (20, 413)):
        response = await chunked(user, "/mentor/me", b'{"bio": "x"}', *[b" " * 65_536] * pieces)
        assert response.status == status, pieces
    assert response.message == "Body is too large"


async def test_request_after_an_error_uses_the_same_connection(api: Api) -> None:
    request = f"GET /api/nope HTTP/1.1\r\nHost: {urlsplit(api.base).netloc}\r\n\r\n"
    stream = await TCPClient().connect("127.0.0.1", urlsplit(api.base).port or 0)
    for _ in range(3):
        await stream.write(request.encode())
        head = await stream.read_until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 404")
        length = int(re.search(rb"Content-Length: (\d+)", head)[1])  # type: ignore[index]
        await stream.read_bytes(length)
    stream.close()


# Queries -----------------------------------------------------------------------------------------


async def test_send_unknown_parameter_ignores_it(api: Api) -> None:
    mentor = await api.mentor()
    for path in ("/mentors", "/mentor/me", f"/mentors/{mentor.id}", "/requests", "/sessions"):
        for query in ("?x=1", "?x", "?=", "?&&", "?X=%00", "?x=%FF", "?%FF=1", "?Page=0&LIMIT=0"):
            assert (await mentor.get(path + query)).status == 200, path + query


async def test_send_known_parameter_twice_is_refused(api: Api) -> None:
    jane = api.user("jane")
    for path in (
        "/mentors?limit=1&page=1&limit=1",
        "/mentors/search?q=a&limit=2&limit=3",
        "/requests?limit=&limit=5",
    ):
        response = await jane.get(path)
        (detail,) = response.json["details"]
        assert detail == {"field": "limit", "code": "repeated", "message": "must occur once"}
    assert (await jane.get("/requests?x=1&x=2&role=sent")).status == 200


async def test_send_parameter_that_is_no_text_is_refused(api: Api) -> None:
    jane = api.user("jane")
    for value in ("%FF", "%00", "%ED%A0%80", "a%00"):
        assert fields_of(await jane.get(f"/requests?role={value}")) == ["role"], value
        assert fields_of(await jane.get(f"/sessions?page={value}")) == ["page"], value


async def test_send_flag_other_than_true_or_false_is_refused(api: Api) -> None:
    jane = api.user("jane")
    for value in ("true", "false"):
        assert await jane.ok("GET", "/sessions", upcoming=value, past=value) == []
    for value in ("", "1", "0", "yes", "True", "TRUE", "null"):
        assert fields_of(await jane.get("/sessions", upcoming=value)) == ["upcoming"], value


async def test_list_any_array_has_the_same_pages(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    await api.session(jane, mentor)
    for path in (
        "/mentors",
        "/mentors/search",
        "/requests",
        "/sessions",
        f"/requests/my-requests/{mentor.id}",
    ):
        response = await jane.get(path)
        assert (len(response.json), response.headers["X-Total-Count"]) == (1, "1"), path
        beyond = await jane.get(path, page=2, limit=1)
        assert (beyond.json, beyond.headers["X-Total-Count"]) == ([], "1"), path
        assert fields_of(await jane.get(path, limit=1001)) == ["limit"], path
        assert fields_of(await jane.get(path, page=0)) == ["page"], path


async def test_list_in_pages_keeps_the_filters(api: Api) -> None:
    mentor = await api.mentor()
    for number in range(3):
        await api.request(api.user(f"mentee{number}"), mentor)
    response = await mentor.get("/requests", role="received", status="pending", limit=2)
    assert response.headers["Link"] == (
        '</api/requests?role=received&status=pending&page=2&limit=2>; rel="next"'
    )
    following = await mentor.get("/requests?role=received&status=pending&page=2&limit=2")
    assert len(following.json) == 1
    assert "Link" not in following.headers
    odd = await mentor.get("/requests?limit=2&%C3%A9=%FF&role=received&&x")
    assert odd.headers["Link"] == (
        '</api/requests?%C3%A9=%FF&role=received&x&page=2&limit=2>; rel="next"'
    )


async def test_list_with_special_characters_escapes_them_in_the_link(api: Api) -> None:
    for number in range(2):
        await api.mentor(f"mentor{number}")
    response = await raw(api, 'GET /api/mentors?limit=1&x=a>;"\\é%20+ HTTP/1.1')
    assert response.headers["Link"] == (
        '</api/mentors?x=a%3E;%22%5C%C3%A9%20+&page=2&limit=1>; rel="next"'
    )


async def test_send_unusual_digits_or_line_ends_in_dates_is_refused(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    good = asking(mentor)
    for name in ("scheduledDate", "scheduledTime"):
        arabic = "".join(chr(0x660 + int(c)) if c.isdigit() else c for c in good[name])
        wide = "".join(chr(0xFF10 + int(c)) if c.isdigit() else c for c in good[name])
        for value in (good[name] + "\n", " " + good[name], good[name] + " ", arabic, wide, ""):
            response = await jane.post("/requests", {**good, name: value})
            assert fields_of(response) == [name], value
    assert (await jane.post("/requests", good)).status == 201


async def test_read_instants_have_no_fraction_or_three_digits(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    request = await api.request(jane, mentor)
    for stored, shown in (
        ("09:00:00", "09:00:00Z"),
        ("09:00:00.5", "09:00:00.500Z"),
        ("09:00:00.120", "09:00:00.120Z"),
        ("09:00:00.123456", "09:00:00.123Z"),
        ("09:00:00.000999", "09:00:00Z"),
        ("09:00:59.999999", "09:00:59.999Z"),
    ):
        await api.db.execute(
            "UPDATE requests SET created_at = $1::text::timestamptz", f"2026-02-12 {stored}+00"
        )
        found = await jane.ok("GET", f"/requests/{request['id']}")
        assert found["createdAt"] == f"2026-02-12T{shown}"


# Headers -----------------------------------------------------------------------------------------


async def test_send_valid_request_id_returns_it(api: Api) -> None:
    for given in ("abc", "7f9c24e8-3b12-4d6f", "a.b_c:d/e+f=", "x" * 128):
        for path, status in (("/mentors", 200), ("/nope", 404), ("/mentor/me", 401)):
            response = await api.nobody.get(path, headers={"X-Request-Id": given})
            assert (response.status, response.headers["X-Request-Id"]) == (status, given)


async def test_send_no_valid_request_id_creates_one(api: Api) -> None:
    made = set()
    given = ("", "x" * 129, "a b", "<script>", "é", '"', "a,b", "a;b", "a\tb")
    for headers in (None, *({"X-Request-Id": value} for value in given)):
        for path in ("/mentors", "/nope"):
            response = await api.nobody.get(path, headers=headers)
            made.add(response.headers["X-Request-Id"])
    assert len(made) == 2 * (len(given) + 1)
    assert all(re.fullmatch(r"[A-Za-z0-9-]{16,64}", request_id) for request_id in made)


async def test_read_public_after_each_write_asks_again(api: Api) -> None:
    mentor = await api.mentor(headline="Before")
    paths = ("/mentors", "/mentors/search?q=mia", f"/mentors/{mentor.id}")
    paths += (f"/mentors/{mentor.id}/reviews", f"/mentors/{mentor.id}/availability")
    for path in paths:
        # From the database, then from memory.
        for _ in range(2):
            response = await api.nobody.get(path)
            assert response.headers["Cache-Control"] == "public, no-cache", path
        known = {"If-None-Match": response.headers["ETag"]}
        assert (await api.nobody.get(path, headers=known)).status == 304, path
    await mentor.ok("PATCH", "/mentor/me", {"headline": "After"})
    card = (await api.nobody.get("/mentors", headers=known)).json[0]
    assert card["headline"] == "After"


async def test_send_any_request_has_security_headers(api: Api) -> None:
    mentor = await api.mentor()
    responses = [
        await api.nobody.get("/mentors"),
        await mentor.get("/mentor/me"),
        await api.nobody.get("/nope"),
        await api.nobody.get("/mentor/me"),
        await mentor.post("/mentors"),
        await mentor.post("/requests", body=b"{"),
        await mentor.post("/requests", body=b" " * 2_000_000),
    ]
    for response in responses:
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Content-Type"] == "application/json; charset=UTF-8"
        assert "Server" not in response.headers
    for response in responses[1:]:
        assert response.headers["Cache-Control"] == "no-store", response


# Other origins -----------------------------------------------------------------------------------

APP, OTHER = "https://app.example.com", "http://localhost:3000"


async def from_origin(
    api: Api, origin: str, path: str = "/mentors", method: str = "GET"
) -> Response:
    return await api.nobody.request(method, path, headers={"Origin": origin})


def cors_headers(response: Response) -> set[str]:
    return {name for name in response.headers if name.startswith("Access-Control-")}


async def test_send_origin_without_configured_ones_has_no_cors_headers(api: Api) -> None:
    for method in ("GET", "OPTIONS"):
        response = await from_origin(api, APP, method=method)
        assert not cors_headers(response)
        assert "Origin" not in response.headers.get("Vary", "")


@with_origins(APP, OTHER)
async def test_send_configured_origin_may_read_responses_and_errors(api: Api) -> None:
    for origin in (APP, OTHER):
        for path, status in (
            ("/mentors", 200),
            ("/mentors", 200),
            ("/nope", 404),
            ("/mentor/me", 401),
            ("/mentors?page=0", 400),
        ):
            response = await from_origin(api, origin, path)
            assert response.status == status
            assert response.headers["Access-Control-Allow-Origin"] == origin, path
            assert "Origin" in response.headers["Vary"]
            exposed = set(response.headers["Access-Control-Expose-Headers"].split(", "))
            assert {"Link", "X-Total-Count", "X-Request-Id", "Location", "Retry-After"} <= exposed
            assert "X-Error-Code" in exposed
            assert "Access-Control-Allow-Credentials" not in response.headers


@with_origins(APP, OTHER)
async def test_send_other_origin_has_no_cors_headers(api: Api) -> None:
    for origin in (
        "https://evil.example",
        "http://app.example.com",
        "https://app.example.com.evil.example",
        "https://xapp.example.com",
        "https://app.example.com:8443",
        "https://app.example.com/",
        "null",
        "*",
        "",
    ):
        for method in ("GET", "OPTIONS"):
            response = await from_origin(api, origin, method=method)
            assert not cors_headers(response), origin
            assert "Origin" in response.headers["Vary"]
    assert "Origin" in (await api.nobody.get("/mentors")).headers["Vary"]


@with_origins(APP)
async def test_send_preflight_without_token_succeeds(api: Api) -> None:
    for template, handler in ROUTES:
        for method in handler.operations():
            response = await api.nobody.request(
                "OPTIONS",
                path_of(template),
                headers={
                    "Origin": APP,
                    "Access-Control-Request-Method": method,
                    "Access-Control-Request-Headers": "authorization, content-type",
                },
            )
            assert (response.status, response.body) == (204, b"")
            assert response.headers["Access-Control-Allow-Origin"] == APP
            assert method in response.headers["Access-Control-Allow-Methods"].split(", ")
            allowed = response.headers["Access-Control-Allow-Headers"].lower().split(", ")
            assert {"authorization", "content-type", "x-request-id"} <= set(allowed)
            assert int(response.headers["Access-Control-Max-Age"]) > 0


@with_origins(APP)
async def test_send_preflight_with_any_headers_allows_them(api: Api) -> None:
    async def granted(names: str, origin: str = APP) -> list[str]:
        response = await api.nobody.request(
            "OPTIONS",
            "/mentors",
            headers={
                "Origin": origin,
                "Access-Control-Request-Method": "GET",
                "Access-Control-Request-Headers": names,
            },
        )
        assert response.status == 204
        if origin == APP:
            assert response.headers["Vary"].startswith("Origin, Access-Control-Request-Headers")
        return response.headers.get("Access-Control-Allow-Headers", "").lower().split(", ")

    known = await granted("")
    asked = ["traceparent", "baggage", "sentry-trace"]
    assert await granted(",".join(asked)) == known + asked
    assert await granted("Authorization, X-Mine\t,x-mine") == [*known, "x-mine"]
    for senseless in ("a b", "é", '"', "x" * 2000, ",,", "*/*"):
        assert await granted(senseless) == known, senseless
    assert await granted("traceparent", "https://evil.example") == [""]


@with_origins(APP)
async def test_send_wrong_path_or_method_from_a_page_shows_error(api: Api) -> None:
    """For a refused preflight a browser reports CORS, which would hide the wrong path."""
    for method, path, status in (
        ("GET", "/mentor/mee", 404),
        ("PATCH", "/sessions//cancel", 404),
        ("PUT", "/requests", 405),
    ):
        preflight = await api.nobody.request(
            "OPTIONS",
            path,
            headers={
                "Origin": APP,
                "Access-Control-Request-Method": method,
                "Access-Control-Request-Headers": "authorization",
            },
        )
        assert (preflight.status, preflight.body) == (204, b""), path
        assert preflight.headers["Access-Control-Allow-Origin"] == APP
        assert (preflight.headers["Allow"] == "OPTIONS") == (status == 404)
        assert method in preflight.headers["Access-Control-Allow-Methods"].split(", ")
        assert "authorization" in preflight.headers["Access-Control-Allow-Headers"].lower()
        response = await from_origin(api, APP, path, method=method)
        assert response.status == status
        assert response.headers["Access-Control-Allow-Origin"] == APP
    assert (await from_origin(api, APP, "/mentor/mee", method="OPTIONS")).status == 404


@with_origins(APP)
async def test_send_what_no_handler_gets_may_be_read_by_a_page(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*arguments: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(mentors, "show", fail)
    monkeypatch.setattr(connection, "BODY_SECONDS", 0.1)
    get, post = "GET /api/mentors HTTP/1.1", "POST /api/requests HTTP/1.1"
    token = f"Authorization: Bearer {api.user('jane').token}"
    json_type = "Content-Type: application/json"
    # The origin of these heads is unknown.
    for start, header, status in (
        (get, f"Authorization: Bearer {'e' * 20_000}", 431),
        (f"GET /api/mentors/search?q={'x' * 20_000} HTTP/1.1", "A: b", 431),
        (get, "A b: c", 400),
        ("GET /api/mentors HTTP/2.0", "A: b", 400),
        (post, f"Content-Length: {10**30}", 413),
    ):
        response = await raw(api, start, f"Origin: {APP}", header)
        assert response.status == status
        assert response.headers["Access-Control-Allow-Origin"] == "*", (start[:40], header[:40])
        assert "X-Error-Code" in response.headers["Access-Control-Expose-Headers"]
    for start, headers, status in (
        (post, [token, "Content-Length: 9999999"], 413),
        (post, [token, json_type, "Content-Length: 9"], 408),
        ("GET /api/nope HTTP/1.1", [], 404),
        ("BREW /api/mentors HTTP/1.1", [], 405),
        (f"GET /api/mentors/{NO_ID} HTTP/1.1", [], 500),
    ):
        response = await raw(api, start, f"Origin: {APP}", *headers)
        assert response.status == status
        assert response.headers["Access-Control-Allow-Origin"] == APP, (start, status)
        assert "X-Error-Code" in response.headers["Access-Control-Expose-Headers"]


@with_origins("*")
async def test_send_any_origin_with_star_may_read(api: Api) -> None:
    for origin in (APP, "https://evil.example", "null"):
        response = await from_origin(api, origin)
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in response.headers


@with_origins(APP, OTHER)
async def test_send_two_origins_gets_each_its_own_headers(api: Api) -> None:
    await api.mentor()
    for origin in (APP, OTHER, APP):
        response = await from_origin(api, origin)
        assert response.headers["Access-Control-Allow-Origin"] == origin
    assert not cors_headers(await from_origin(api, "https://evil.example"))


# Failures ----------------------------------------------------------------------------------------


@pytest.mark.own_server
async def test_cause_fault_shows_nothing_internal(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    mentor = await api.mentor()
    await api.db.execute("DROP TABLE reviews CASCADE")
    await api.db.execute("ALTER TABLE requests RENAME COLUMN topic TO secret_column")
    given = {"X-Request-Id": "find-me"}
    for path in ("/mentor/reviews?role=mentor", f"/mentors/{mentor.id}/reviews", "/requests"):
        with caplog.at_level(logging.ERROR):
            response = await mentor.get(path, headers=given)
        assert response.json == {
            "statusCode": 500,
            "message": "Internal server error",
            "error": "Internal Server Error",
        }
        assert response.headers["X-Request-Id"] == "find-me"
        assert not {"Link", "X-Total-Count", "ETag"} & set(response.headers)
    logged = [record for record in caplog.records if record.exc_info]
    assert len(logged) == 3
    assert (await mentor.get("/mentor/me")).status == 200


@pytest.mark.own_server
async def test_lose_database_responds_with_retry_after(api: Api, postgres: str) -> None:
    mentor = await api.mentor()
    async with refused_connections(api.db, postgres):
        for path in ("/mentor/me", "/mentors", "/requests", "/mentors/search?q=x"):
            for _ in range(2):
                response = await mentor.get(path)
                message = "Service temporarily unavailable, please try again"
                assert is_error(response, 503, message), path
                assert response.headers["Retry-After"] == "1"
                assert response.headers["Cache-Control"] == "no-store"
        assert (await api.nobody.get("/mentor/me")).status == 401
        assert (await api.nobody.get("/nope")).status == 404
    assert (await mentor.get("/mentor/me")).status == 200
    assert len((await api.nobody.get("/mentors")).json) == 1


# Helpers -----------------------------------------------------------------------------------------


async def raw(api: Api, request_line: str, *headers: str) -> Response:
    """Send bytes on a socket; return what the server sends."""
    address = urlsplit(api.base)
    stream = await TCPClient().connect("127.0.0.1", address.port or 0)
    lines = [request_line, f"Host: {address.netloc}", "Connection: close", *headers, "", ""]
    await stream.write("\r\n".join(lines).encode())
    try:
        text = await asyncio.wait_for(stream.read_until_close(), 10)
    except StreamClosedError:
        text = b""
    head, _, body = text.partition(b"\r\n\r\n")
    status = int(head.split()[1]) if head else 0
    names = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    return Response(status, names, body)  # type: ignore[arg-type]


async def chunked(user: User, path: str, *pieces: bytes) -> Response:
    async def produce(write: Any) -> None:
        for piece in pieces:
            await write(piece)

    fetched = await AsyncHTTPClient().fetch(
        HTTPRequest(
            f"{user.base}/api{path}",
            method="PATCH",
            headers={
                "Authorization": f"Bearer {user.token}",
                "Content-Type": "application/json",
            },
            body_producer=produce,
        ),
        raise_error=False,
    )
    response = Response(fetched.code, fetched.headers, fetched.body or b"")
    check("PATCH", path, response)
    return response
