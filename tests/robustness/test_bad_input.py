"""Random input: no 500, each error in the one format, checks in their order, and only effects
that were requested.

``pytest tests/robustness/test_bad_input.py --inputs=20000`` tries more, with
other random inputs each time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tornado.ioloop import IOLoop
from tornado.testing import bind_unused_port

from mentorapi import errors, server
from mentorapi.auth.development import make_token
from mentorapi.http import body as json_body
from mentorapi.http import connection
from mentorapi.http.query import read_parameters
from mentorapi.http.transport import Server
from tests.client import (
    SECRET,
    Api,
    Client,
    Mentor,
    Response,
    asking,
    check_documented,
    day_after_tomorrow,
    is_error,
)
from tests.conftest import tried
from tests.robustness.bad_input import (
    FIELD,
    SQL,
    TARGETS,
    Call,
    Target,
    calls,
    exchange,
)

INPUTS = 1000

#: Their shares: all operations, Authorization headers, bytes on a socket.
CALLS, TOKENS, WIRE = 0.8, 0.08, 0.12

UNKNOWN = "01a1b2c3-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def api(shared_api: Api) -> Api:
    """One server for all tests: the input of one test must not affect the next."""
    return shared_api


@pytest.fixture(autouse=True)
def nothing_is_a_fault(api: Api, io_loop: IOLoop, caplog: pytest.LogCaptureFixture) -> Iterator:
    yield
    faults = [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert not faults, faults[0].getMessage()
    assert io_loop.run_sync(lambda: api.nobody.get("/mentors")).status == 200


@pytest.fixture(scope="module")
def people(api: Api, io_loop: IOLoop) -> list[Client]:
    """A mentor, a mentee, a stranger, and at the end a client without a token."""

    async def meet() -> list[Client]:
        mentor = await api.mentor("mia", bufferTime=15, sessionRate=5000)
        return [mentor, api.user("ann"), api.user("sly"), api.nobody]

    return io_loop.run_sync(meet)


@pytest.fixture(scope="module")
def ids(api: Api, people: list[Client], io_loop: IOLoop) -> list[str]:
    """Ids of existing resources, and of none."""
    mentor, mentee, *_ = people

    async def make() -> list[str]:
        session = await api.session(mentee, mentor, day_after_tomorrow(15))
        completed = await api.completed(mentee, mentor)
        request = await api.request(mentee, mentor)
        by_hand = await api.by_hand(mentee, mentor, at=day_after_tomorrow(18))
        return [session["id"], completed["id"], request["id"], by_hand, mentor.id, UNKNOWN]

    return io_loop.run_sync(make)


def trying(request: pytest.FixtureRequest, share: float) -> Callable[[Any], Any]:
    """Settings for this share of the inputs: deterministic, unless a number is given."""
    asked = request.config.getoption("--inputs")
    return settings(
        max_examples=max(5, round((asked or INPUTS) * share)),
        derandomize=asked is None,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )


# Every operation --------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_send_random_input_to_any_operation_causes_no_fault(
    target: Target,
    api: Api,
    people: list[Client],
    ids: list[str],
    io_loop: IOLoop,
    request: pytest.FixtureRequest,
) -> None:
    @trying(request, CALLS / len(TARGETS))
    @given(calls(target, ids, len(people)))
    def send(call: Call) -> None:
        tried["random inputs to the operations"] += 1
        caller = people[call.caller]
        response = io_loop.run_sync(lambda: deliver(caller, target, call))
        assert response.status < 500, response
        if len(call.body or b"") > target.spec.max_body:
            assert response.status in (401, 413)
        elif not target.spec.public and caller is api.nobody:
            assert response.status == 401
        elif input_is_wrong(target, call):
            # For every caller, also if the resource does not exist.
            assert response.status in (400, 415)

    send()


async def deliver(caller: Client, target: Target, call: Call) -> Response:
    query = "&".join(f"{quote(name)}={quote(value)}" for name, value in call.query)
    path = call.path + (f"?{query}" if query else "")
    return await caller.request(target.method, path, body=call.body, headers=dict(call.headers))


def input_is_wrong(target: Target, call: Call) -> bool:
    spec = target.spec
    if spec.query is not None:
        arguments: dict[str, list[bytes]] = {}
        for name, value in call.query:
            # Tornado leaves out parameters without a value.
            arguments.setdefault(name, []).extend([value.strip().encode()] if value else [])
        try:
            read_parameters({name: values for name, values in arguments.items() if values}, spec)
        except errors.ValidationFailed:
            return True
    if spec.body is None or (not call.body and spec.body_optional):
        return False
    if not json_body.is_json(call.headers.get("Content-Type", "")):
        return True
    try:
        return bool(spec.check_body(spec.normalize_body(json_body.parse(call.body or b""))))
    except errors.MalformedJson:
        return True


@pytest.mark.parametrize("target", [one for one in TARGETS if not one.spec.public], ids=str)
async def test_send_wrong_input_without_token_is_unauthorized(target: Target, api: Api) -> None:
    path = target.template.replace("{", "").replace("}", "")
    response = await api.nobody.request(target.method, f"{path}?page=x", body="{", headers={})
    assert is_error(response, 401, "Missing or invalid token")


@pytest.mark.parametrize("target", [one for one in TARGETS if one.spec.body is not None], ids=str)
async def test_send_wrong_body_to_missing_resource_fails_validation(
    target: Target, api: Api, people: list[Client]
) -> None:
    path = target.template.replace("{requestId}", UNKNOWN).replace("{sessionId}", UNKNOWN)
    response = await people[2].request(target.method, path, {"surprise": 1})
    assert is_error(response, 400, "Validation failed")
    unknown = {"field": "surprise", "code": "unknown_field", "message": "is not a known field"}
    assert unknown in response.json["details"]


# Texts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", [*SQL, "<script>alert(1)</script>", "\u202e\u200bz\u0301😀", "\\u0000"]
)
async def test_store_any_text_returns_it_unchanged(text: str, api: Api) -> None:
    sub = f"writer {text}"
    mentor: Mentor = await api.mentor(sub)
    own = {"fullName": text, "headline": text, "bio": text, "location": text, "expertise": [text]}
    profile = await mentor.ok("PATCH", "/mentor/me", own | {"links": {text: "https://example.com"}})
    assert {name: profile[name] for name in own} == own
    assert profile["links"] == {text: "https://example.com"}
    windows = {"slots": [{"dayOfWeek": 0, "startTime": "00:00", "endTime": "24:00"}]}
    kept = await mentor.ok("PUT", "/mentor/availability", windows | {"timezone": text})
    assert kept["timezone"] == text
    page = (await api.nobody.get(f"/mentors/{mentor.id}")).json
    assert {name: page[name] for name in own} == own
    assert page["userId"] == sub
    found = (await api.nobody.get("/mentors/search", q=text)).json
    if any(letter.isalnum() for letter in text):
        assert mentor.id in [one["id"] for one in found]

    mentor = await api.mentor(sub)
    mentee = api.user(f"reader {text}", name=text)
    words = {"topic": text, "message": text, "location": text}
    request = await mentee.ok("POST", "/requests", asking(mentor, **words))
    assert {name: request[name] for name in words} == words
    assert (request["menteeId"], request["mentee"]["name"]) == (mentee.sub, text)
    rejected = await mentor.ok("POST", f"/requests/{request['id']}/reject", {"reason": text})
    assert rejected["rejectionReason"] == text
    completed = await api.completed(mentee, mentor, **words)
    assert {name: completed[name] for name in words} == words
    path = f"/sessions/{completed['id']}"
    reviewed = await mentee.ok("POST", f"{path}/review", {"rating": 5, "comment": text})
    assert reviewed["review"]["comment"] == text
    session = await api.session(mentee, mentor, **words)
    path = f"/sessions/{session['id']}"
    cancelled = await mentor.ok("POST", f"{path}/cancel", {"reason": text})
    assert (cancelled["cancellationReason"], cancelled["cancelledBy"]) == (text, sub)


# Tokens -----------------------------------------------------------------------------------------

ENVELOPES = st.sampled_from(["Bearer {}", "bearer  {}", "Bearer\t{}", "Basic {}", "{}", "{} x"])


GOOD = make_token(SECRET, sub="ann", ttl_seconds=86_400)


@st.composite
def authorizations(draw: st.DrawFn) -> str:
    match draw(st.integers(0, 3)):
        case 0:
            return draw(FIELD)
        case 1:
            token = draw(FIELD)
        case 2:
            place = draw(st.integers(0, len(GOOD) - 1))
            letter = draw(st.sampled_from("AZaz09-_.=+/"))
            token = GOOD[:place] + letter + GOOD[place + 1 :]
        case _:
            parts = GOOD.split(".")
            token = ".".join(draw(st.lists(st.sampled_from([*parts, "", "e30"]), max_size=6)))
    return draw(ENVELOPES).format(token)


def test_send_random_authorization_is_unauthorized(
    api: Api, people: list[Client], io_loop: IOLoop, request: pytest.FixtureRequest
) -> None:
    @trying(request, TOKENS)
    @given(authorizations())
    def send(header: str) -> None:
        tried["random Authorization headers"] += 1
        response = io_loop.run_sync(
            lambda: api.nobody.request(
                "GET", "/requests/pending-count", headers={"Authorization": header}
            )
        )
        if response.status == 200:
            # Two last letters can decode to the same bytes.
            assert header.lower().startswith("bearer ")
            assert header.split()[1][:-1] == GOOD[:-1]
        else:
            assert response.status == 401
            expected = ("Bearer", 'Bearer error="invalid_token"')
            assert response.headers["WWW-Authenticate"] in expected

    send()


# Limits -----------------------------------------------------------------------------------------


def http(start: str, body: bytes = b"", **headers: str) -> bytes:
    fields = {"Host": "localhost", "Connection": "close"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [start, *(f"{name}: {value}" for name, value in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


GET = "GET /api/mentors HTTP/1.1"
POST = "POST /api/requests HTTP/1.1"


async def test_send_too_long_headers_is_refused_and_closes(api: Api) -> None:
    for piece in ({"X_Long": "x" * 20_000}, {f"X_{n}": "x" * 500 for n in range(40)}):
        (response,), rest, closed = await exchange(api.base, http(GET, **piece))
        assert is_error(response, 431, "The URL and the headers are too long")
        assert (rest, closed) == (b"", True)
    responses, _, _ = await exchange(api.base, http(GET, Authorization="Bearer " + "e" * 10_000))
    assert [one.status for one in responses] == [200]


async def test_send_token_of_64_kb_is_refused_and_closes(api: Api) -> None:
    raw = http(POST, Authorization="Bearer " + "e" * 65536)
    (response,), _, closed = await exchange(api.base, raw)
    assert (response.status, closed) == (431, True)


@pytest.mark.parametrize("length", [1024 * 1024 + 1, 9 * 1024**2, 2**31, 2**63, 10**30])
async def test_announce_too_large_body_is_refused_before_it_is_read(api: Api, length: int) -> None:
    raw = http(POST, Content_Length=str(length), Content_Type="application/json")
    responses, _, closed = await exchange(api.base, raw)
    assert closed
    assert is_error(responses[0], 413, "Body is too large")
    assert len(responses) == 1


@pytest.mark.parametrize("size", [1024 * 1024 + 1, 4 * 1024**2, 7 * 1024**2])
async def test_send_too_large_chunked_body_is_refused(
    api: Api, people: list[Client], size: int
) -> None:
    chunk = b"%x\r\n%b\r\n" % (64 * 1024, b"x" * 64 * 1024)
    raw = http(
        POST,
        Authorization=f"Bearer {people[1].token}",
        Content_Type="application/json",
        Transfer_Encoding="chunked",
    )
    pieces = [chunk] * (size // (64 * 1024)) + [b"1\r\nx\r\n0\r\n\r\n"]
    responses, _, _ = await exchange(api.base, raw, *pieces)
    assert [one.status for one in responses] == [413]
    assert is_error(responses[0], 413, "Body is too large")


async def test_send_endless_chunked_body_closes_the_connection(api: Api) -> None:
    raw = http(POST, Content_Type="application/json", Transfer_Encoding="chunked")
    chunk = b"%x\r\n%b\r\n" % (1024 * 1024, b"x" * 1024 * 1024)
    _, _, closed = await exchange(api.base, raw, *[chunk] * 80)
    assert closed


# Malformed HTTP ---------------------------------------------------------------------------------

JSON = {"Content_Type": "application/json"}
CHUNKED = {"Authorization": f"Bearer {GOOD}", "Transfer_Encoding": "chunked"}

#: The bytes sent, and the allowed statuses; none if the server closes the connection.
HARDLY_HTTP = {
    "no length": (http(POST, **JSON), [401]),
    "a negative length": (http(POST, b"{}", Content_Length="-2"), [400]),
    "a length with a sign": (http(POST, b"{}", Content_Length="+2"), [400]),
    "a length in hex": (http(POST, b"{}", Content_Length="0x2"), [400]),
    "two lengths": (http(POST, b"{}", Content_Length="2, 3"), [400]),
    "length and chunks": (
        http(POST, b"0\r\n\r\n", Content_Length="5", Transfer_Encoding="chunked"),
        [400],
    ),
    "an unknown coding": (http(POST, b"{}", Transfer_Encoding="gzip, chunked"), [400]),
    "chunks of no size": (http(POST, b"zz\r\n{}\r\n0\r\n\r\n", **CHUNKED), [400]),
    "chunks of a negative size": (
        http(POST, b"-2\r\n{}\r\n0\r\n\r\n", **CHUNKED),
        [400],
    ),
    "chunks of a giant size": (
        http(POST, b"fffffffffffffffff\r\n", **CHUNKED),
        [400],
    ),
    "a chunk that is longer than it says": (
        http(POST, b"1\r\n{}\r\n0\r\n\r\n", **CHUNKED),
        [400],
    ),
    "a field without a colon": (b"GET /api/mentors HTTP/1.1\r\nHost: a\r\nbroken\r\n\r\n", [400]),
    "a field with a blank before its colon": (
        b"GET /api/mentors HTTP/1.1\r\nHost : a\r\n\r\n",
        [400],
    ),
    "two hosts": (b"GET /api/mentors HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", [400]),
    "no host": (b"GET /api/mentors HTTP/1.1\r\n\r\n", [400]),
    "a host that is none": (b"GET /api/mentors HTTP/1.1\r\nHost: a b<>\r\n\r\n", [400]),
    "NUL in the path": (b"GET /api/\0 HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
    "NUL in a field": (b"GET /api/mentors HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", [400]),
    "no HTTP": (b"EHLO example.com\r\n\r\n", [400]),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 60 + b"\r\n\r\n", [400]),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400]),
    "HTTP/1.0": (b"GET /api/mentors HTTP/1.0\r\n\r\n", [200]),
    "an unknown method": (http("BREW /api/mentors HTTP/1.1"), [405]),
    "CONNECT": (http("CONNECT example.com:443 HTTP/1.1"), [404, 405]),
    "TRACE": (http("TRACE /api/mentors HTTP/1.1"), [405]),
    "two blanks": (http("GET  /api/mentors HTTP/1.1"), [400]),
    "a URL without a host": (http("GET http:///api/mentors HTTP/1.1"), [400]),
    "a URL with a user": (http("GET http://a@b/api/mentors HTTP/1.1"), [400]),
    "a URL with a host that is none": (http("GET http://a<>/api/mentors HTTP/1.1"), [400]),
    "a URL of another kind": (http("GET ftp://a/api/mentors HTTP/1.1"), [404]),
    "a URL without a path": (http("GET http://a HTTP/1.1"), [302]),
    "a URL and no Host": (b"GET http://a/api/mentors HTTP/1.1\r\n\r\n", [400]),
    "a path that leaves": (http("GET /api/../../etc/passwd HTTP/1.1"), [404]),
    "a path with two slashes": (http("GET //evil.example/api/mentors HTTP/1.1"), [404]),
    "a query of 9 KB": (http(f"GET /api/mentors/search?q={'x' * 9000} HTTP/1.1"), [400]),
    "300 parameters": (http(f"GET /api/mentors?{'page=1&' * 1500} HTTP/1.1"), [200, 400]),
    "a query of no UTF-8": (http("GET /api/mentors/search?q=%ff%fe HTTP/1.1"), [400]),
    "Expect": (http(POST, **JSON, Content_Length="9999999", Expect="100-continue"), [413]),
}


@pytest.mark.parametrize("case", HARDLY_HTTP)
async def test_send_malformed_http_is_refused_without_fault(case: str, api: Api) -> None:
    raw, allowed = HARDLY_HTTP[case]
    responses, rest, closed = await exchange(api.base, raw)
    assert (rest, closed) == (b"", True)
    assert [one.status in allowed for one in responses] == [True]


async def test_send_pipelined_requests_responds_in_order(api: Api) -> None:
    paths = ["mentors", f"mentors/{UNKNOWN}", "nowhere", "requests"] * 10
    *row, last = [f"GET /api/{path} HTTP/1.1" for path in paths]
    raw = b"".join(http(start, Connection="keep-alive") for start in row) + http(last)
    responses, rest, _ = await exchange(api.base, raw)
    assert [one.status for one in responses] == [200, 404, 404, 401] * 10
    assert rest == b""


async def test_send_bytes_after_refused_body_is_not_read_as_request(api: Api) -> None:
    smuggled = http("GET /api/nowhere HTTP/1.1")
    for raw in (
        http(POST, smuggled, Content_Length=str(9 * 1024**2)),
        http(POST, b"zz\r\n" + smuggled, Transfer_Encoding="chunked"),
        http(POST, b"0\r\n\r\n" + smuggled, Content_Length="5", Transfer_Encoding="chunked"),
        http(POST, smuggled, Content_Length="3, 4"),
    ):
        responses, rest, closed = await exchange(api.base, raw)
        assert closed
        assert 404 not in [one.status for one in responses]
        assert rest.count(b"HTTP/1.1") <= 1


def test_send_random_bytes_never_causes_a_fault(
    api: Api, people: list[Client], io_loop: IOLoop, request: pytest.FixtureRequest
) -> None:
    body = orjson.dumps(asking(people[0]))
    good = http(
        POST,
        body,
        Authorization=f"Bearer {people[2].token}",
        Content_Type="application/json",
        Content_Length=str(len(body)),
        Connection="close",
    )
    noise = st.binary(min_size=1, max_size=3) | st.sampled_from(
        [b"\r\n", b"\r\n\r\n", b"\n", b"\0", b": ", b"HTTP/1.1", b"chunked", b"\xff" * 50]
    )
    edits = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 8), noise), min_size=1, max_size=4)

    # Several at once, since the server waits when bytes are missing.
    @trying(request, WIRE / AT_ONCE)
    @given(st.lists(edits, min_size=AT_ONCE, max_size=AT_ONCE))
    def send(several: list[list[tuple[float, int, bytes]]]) -> None:
        tried["random bytes on a socket"] += len(several)
        raws = [edited(good, one) for one in several]
        for responses, rest, _ in io_loop.run_sync(lambda: exchange_all(api.base, raws)):
            assert all(one.status < 500 for one in responses)
            assert rest == b""

    send()


AT_ONCE = 10


def edited(raw: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    for where, gone, added in edits:
        place = round(where * len(raw))
        raw = raw[:place] + added + raw[place + gone :]
    return raw


async def exchange_all(base: str, raws: list[bytes]) -> list[tuple[list[Response], bytes, bool]]:
    return await asyncio.gather(*(exchange(base, raw, patience=0.3) for raw in raws))


# Slow clients -----------------------------------------------------------------------------------

SHORT = 0.4


@pytest.fixture
def hasty_server(
    api: Api, monkeypatch: pytest.MonkeyPatch, io_loop: IOLoop
) -> Iterator[tuple[Server, int]]:
    """A server with short timeouts, and its port."""
    for name in ("HEAD_SECONDS", "BODY_SECONDS", "READ_SECONDS"):
        monkeypatch.setattr(connection, name, SHORT)
    http_server = server.http_server(api.app, api.services.settings)
    listening, port = bind_unused_port()
    http_server.add_sockets([listening])
    yield http_server, port
    http_server.stop()
    io_loop.run_sync(http_server.close_all_connections)


@pytest.fixture
def hasty(hasty_server: tuple[Server, int]) -> str:
    """The address of the server with short timeouts."""
    return f"http://127.0.0.1:{hasty_server[1]}"


SLOW = {
    "a client that sends nothing": [b""] * 400,
    "whose headers never end": [b"GET /api/mentors HTTP/1.1\r\n"] + [b"X: y\r\n"] * 400,
    "a client that sends single letters": [b"%c" % letter for letter in b"GET /api/" + b"a" * 400],
    "whose body never ends": [http(POST, Authorization=f"Bearer {GOOD}", Content_Length="1000")]
    + [b" "] * 400,
    "whose chunks never end": [http(POST, **CHUNKED)] + [b"1\r\nx\r\n"] * 400,
    "whose giant chunk never comes": [http(POST, b"ffffffffffffffff\r\n", **CHUNKED)]
    + [b"x"] * 400,
    "a client that continues too late": [http(GET, Connection="keep-alive")] + [b""] * 400,
}


@pytest.mark.parametrize("client", SLOW)
async def test_send_request_too_slowly_closes_the_connection(client: str, hasty: str) -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    # It is closed long before the client ends, so what arrives does not extend the time.
    responses, rest, closed = await exchange(hasty, *SLOW[client], pause=0.05, patience=15)
    assert (rest, closed) == (b"", True)
    in_body = "body" in client or "chunk" in client
    if in_body:
        assert is_error(responses[0], 408, "The body did not arrive in time")
        check_documented("POST", "/requests", responses[0])
    assert loop.time() - start > SHORT * 0.9


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux cuts these")
async def test_read_no_responses_closes_the_connection(hasty_server: tuple[Server, int]) -> None:
    loop, asked, (http_server, port) = asyncio.get_running_loop(), 300, hasty_server
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        await loop.sock_connect(client, ("127.0.0.1", port))
        wanted = http("GET /api/openapi.json HTTP/1.1", Connection="keep-alive")
        await loop.sock_sendall(client, wanted * asked)
        for is_open in (True, False):
            while bool(http_server.connections) != is_open:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        received = bytearray()
        with contextlib.suppress(ConnectionError):
            while chunk := await loop.sock_recv(client, 65536):
                received += chunk
    assert received.count(b"HTTP/1.1 200") < asked


async def test_request_beside_many_slow_clients_ends_soon(hasty: str) -> None:
    slow = [
        asyncio.create_task(exchange(hasty, *pieces, pause=0.05))
        for pieces in list(SLOW.values()) * 30
    ]
    await asyncio.sleep(0.1)
    response = await asyncio.wait_for(Client(hasty).get("/mentors"), 10)
    assert response.status == 200
    assert all(closed for _, _, closed in await asyncio.gather(*slow))


# Multipart --------------------------------------------------------------------------------------

B = "b0undary"
PNG = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89"
    b"\0\0\0\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\0\x05\0\x01\xff\x89\x99=\x1d\0\0\0\0IEND\xaeB`\x82"
)


def part(content: bytes, disposition: str = 'form-data; name="file"; filename="a.png"') -> bytes:
    head = f"--{B}\r\nContent-Disposition: {disposition}\r\n"
    return head.encode() + b"Content-Type: image/png\r\n\r\n" + content + b"\r\n"


END = f"--{B}--\r\n".encode()
FORM = f"multipart/form-data; boundary={B}"
TRAVERSAL = "../../../../tmp/evil.png"

#: Content type, body, and the allowed statuses.
FORMS = {
    "as it should be": (FORM, part(PNG) + END, [200]),
    "no boundary": ("multipart/form-data", part(PNG) + END, [400]),
    "an empty boundary": ("multipart/form-data; boundary=", part(PNG) + END, [400]),
    "another boundary": ("multipart/form-data; boundary=other", part(PNG) + END, [400]),
    "a quoted boundary": (f'multipart/form-data; boundary="{B}"', part(PNG) + END, [200]),
    "two boundaries": (f"{FORM}; boundary=other", part(PNG) + END, [200, 400]),
    "a boundary of 70 KB": ("multipart/form-data; boundary=" + "b" * 9000, part(PNG) + END, [400]),
    "no end": (FORM, part(PNG), [400]),
    "a wrong end": (FORM, part(PNG) + b"--other--\r\n", [400]),
    "cut in the middle": (FORM, (part(PNG) + END)[:90], [400]),
    "nothing": (FORM, b"", [400]),
    "no part": (FORM, END, [400]),
    "bare line feeds": (FORM, (part(PNG) + END).replace(b"\r\n", b"\n"), [400]),
    "thousands of parts": (FORM, part(b"x", 'form-data; name="x"') * 5000 + END, [400]),
    "a part with giant headers": (FORM, part(PNG, "form-data; x=" + "x" * 500_000) + END, [400]),
    "a part with many headers": (
        FORM,
        f"--{B}\r\n".encode() + b"X: y\r\n" * 20_000 + part(PNG)[len(B) + 4 :] + END,
        [400],
    ),
    "no disposition": (FORM, part(PNG).replace(b"Content-Disposition", b"X") + END, [400]),
    "a part without a name": (FORM, part(PNG, 'form-data; filename="a"') + END, [400]),
    "a field instead of a file": (FORM, part(PNG, 'form-data; name="file"') + END, [400]),
    "a file of another name": (FORM, part(PNG, 'form-data; name="x"; filename="a"') + END, [400]),
    "two files": (FORM, part(PNG) * 2 + END, [400]),
    "a file and a field": (FORM, part(b"x", 'form-data; name="file"') + part(PNG) + END, [400]),
    "a name that leaves": (
        FORM,
        part(PNG, f'form-data; name="file"; filename="{TRAVERSAL}"') + END,
        [200],
    ),
    "a name with NUL": (
        FORM,
        part(PNG, 'form-data; name="file"; filename="a\0b"') + END,
        [200, 400],
    ),
    "an encoded name": (
        FORM,
        part(PNG, "form-data; name=\"file\"; filename*=utf-8''%2e%2e%2fevil%00.png") + END,
        [200, 400],
    ),
    "a name in no charset": (
        FORM,
        part(PNG, "form-data; name=\"file\"; filename*=nope''%ff") + END,
        [200, 400],
    ),
    "a charset field": (
        FORM,
        part(b"utf-7", 'form-data; name="_charset_"') + part(PNG) + END,
        [400],
    ),
    "a charset of its own": (f"{FORM}; charset=utf-7", part(PNG) + END, [200, 400]),
    "a form in a form": (
        FORM,
        part(b"--in\r\n\r\n\r\n--in--").replace(b"image/png", b"multipart/mixed; boundary=in")
        + END,
        [400],
    ),
    "base64": (
        FORM,
        part(PNG).replace(b"image/png", b"x\r\nContent-Transfer-Encoding: base64"),
        [400],
    ),
    "no image": (FORM, part(b"GIF89a<script>alert(1)</script>") + END, [400]),
    "an empty file": (FORM, part(b"") + END, [400]),
    "JSON": ("application/json", b"{}", [415]),
    "no type": ("", part(PNG) + END, [415]),
}


@pytest.mark.parametrize("case", FORMS)
async def test_upload_malformed_form_causes_no_fault(
    case: str, api: Api, people: list[Client]
) -> None:
    content_type, body, allowed = FORMS[case]
    folder: Path = api.services.settings.data_dir
    response = await people[0].request(
        "PATCH", "/mentor/profile-image", body=body, headers={"Content-Type": content_type}
    )
    assert response.status in allowed, response
    # The folder has the profile's image only, under a generated name.
    files = [path for path in folder.rglob("*") if path.is_file()]  # noqa: ASYNC240
    assert len(files) <= 1
    assert not any("evil" in path.name for path in files)


@pytest.mark.parametrize(
    "name",
    [
        "../secret",
        "..%2fsecret",
        "%2e%2e%2fsecret",
        "..%5csecret",
        "%2fetc%2fpasswd",
        "....//secret",
        "%00",
        "a%00.webp",
        ".AAAAAAAAAAAAAAAAAAAAAA.webp.tmp",
        "AAAAAAAAAAAAAAAAAAAAAA.webp%0a",
        "AAAAAAAAAAAAAAAAAAAAAA.webp",
        "%c0%ae%c0%ae%2fsecret",
        "a" * 5000,
    ],
)
async def test_get_image_by_path_outside_the_folder_is_refused(name: str, api: Api) -> None:
    folder: Path = api.services.settings.data_dir
    (folder / "secret").write_text("secret")
    try:
        raw = http(f"GET /api/images/{name} HTTP/1.1", Connection="close")
        responses, rest, _ = await exchange(api.base, raw)
    finally:
        (folder / "secret").unlink()
    assert rest == b""
    assert [one.status for one in responses] in ([404], [400])
