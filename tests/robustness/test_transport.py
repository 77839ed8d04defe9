"""The HTTP transport: order of responses, limits, slow readers, and versions of HTTP."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tornado.ioloop import IOLoop
from tornado.testing import bind_unused_port

from mentorapi import server
from mentorapi.auth.tokens import Caller, Verifier
from mentorapi.config import Settings
from mentorapi.http.connection import HEAD_SECONDS, Connection
from mentorapi.http.parser import RequestParser
from mentorapi.http.transport import Server
from tests.client import SECRET, Api, is_error
from tests.robustness.bad_input import exchange, split_responses
from tests.robustness.test_bodies import head


def get(path: str, **headers: str) -> bytes:
    return head(f"GET /api{path} HTTP/1.1", **headers)


def patch(api: Api, body: bytes, **headers: str) -> bytes:
    """Return the head of a change of the profile."""
    token = {"Authorization": f"Bearer {api.user('mia').token}"}
    kind = {"Content_Type": "application/json"}
    return head("PATCH /api/mentor/me HTTP/1.1", **token, **kind, **headers)


def chunks(*pieces: bytes, trailer: bytes = b"") -> bytes:
    framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return framed + b"0\r\n" + trailer + b"\r\n"


# Order -------------------------------------------------------------------------------------------


async def test_send_pipelined_writes_and_reads_responds_in_order(api: Api) -> None:
    raw = b""
    for number in range(10):
        body = b'{"headline": "%d"}' % number
        raw += patch(api, body, Content_Length=str(len(body))) + body
        raw += patch(api, body, Transfer_Encoding="chunked") + chunks(body[:5], body[5:])
        raw += get("/nope") + get("/mentors")
    raw += get("/mentors", Connection="close")
    for pieces in ([raw], [raw[place : place + 97] for place in range(0, len(raw), 97)]):
        responses, rest, closed = await exchange(api.base, *pieces, patience=20)
        assert [one.status for one in responses] == [200, 200, 404, 200] * 10 + [200]
        for place in (0, 1):
            headlines = [one.json["headline"] for one in responses[place:40:4]]
            assert headlines == [str(number) for number in range(10)]
        assert (rest, closed) == (b"", True)


async def test_send_thousands_of_pipelined_requests_delays_no_other(api: Api) -> None:
    await api.nobody.get("/mentors")
    flood = asyncio.create_task(
        exchange(
            api.base, get("/mentors") * 5000 + get("/mentors", Connection="close"), patience=50
        )
    )
    asked = 0
    while not flood.done():
        assert (await api.nobody.get("/mentors")).status == 200
        asked += 1
    responses, rest, closed = await flood
    assert (len(responses), rest, closed) == (5001, b"", True)
    assert asked > 5


async def test_close_sending_side_still_gets_all_responses(api: Api) -> None:
    raw = get("/mentors") + get("/requests") + get("/nope")
    responses, rest, closed = await exchange(api.base, raw, half_close=True)
    assert [one.status for one in responses] == [200, 401, 404]
    assert (rest, closed) == (b"", True)


async def test_close_sending_side_after_a_bad_body_still_gets_the_refusal(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of the client's bytes arrives before the handler reads the body."""
    ended = asyncio.Event()
    eof_received, caller_of = Connection.eof_received, Verifier.caller_of

    def note_end(connection: Connection) -> bool:
        ended.set()
        return eof_received(connection)

    async def wait_for_end(verifier: Verifier, header: str | None) -> Caller:
        await ended.wait()
        return await caller_of(verifier, header)

    monkeypatch.setattr(Connection, "eof_received", note_end)
    monkeypatch.setattr(Verifier, "caller_of", wait_for_end)
    raw = patch(api, b"", Transfer_Encoding="chunked") + b"no chunk"
    (response,), rest, closed = await exchange(api.base, raw, half_close=True)
    assert is_error(response, 400, "Not a valid HTTP/1.1 request")
    assert (rest, closed) == (b"", True)


# Slow readers ------------------------------------------------------------------------------------


@pytest.fixture
def narrow(api: Api, io_loop: IOLoop) -> Iterator[tuple[Server, int]]:
    """A server, and its port. The system takes few bytes of a response; the others wait."""
    http_server = server.http_server(api.app, api.services.settings)
    listening, port = bind_unused_port()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    http_server.add_sockets([listening])
    yield http_server, port
    http_server.stop()
    io_loop.run_sync(http_server.close_all_connections)


async def request_description(port: int, client: socket.socket, further: bytes = b"") -> bytes:
    """Request a long response, and send further requests. Returns the first byte."""
    loop = asyncio.get_running_loop()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    await loop.sock_connect(client, ("127.0.0.1", port))
    await loop.sock_sendall(client, get("/openapi.json") + further)
    return await loop.sock_recv(client, 1)


async def read_to_the_end(client: socket.socket) -> bytes:
    received = b""
    async with asyncio.timeout(10):
        while chunk := await asyncio.get_running_loop().sock_recv(client, 65536):
            received += chunk
    return received


async def test_stop_while_a_response_is_sent_sends_all_of_it(
    api: Api, narrow: tuple[Server, int]
) -> None:
    http_server, port = narrow
    with socket.socket() as client:
        received = await request_description(port, client)
        http_server.stop()
        finishing = asyncio.create_task(http_server.finish_requests(api.services.metrics))
        await asyncio.sleep(0)
        (response,), rest = split_responses(received + await read_to_the_end(client))
        await finishing
    assert (response.status, rest) == (200, b"")
    assert len(response.body) > 100_000


async def test_close_sending_side_during_a_response_closes_after_it(
    narrow: tuple[Server, int],
) -> None:
    with socket.socket() as client:
        received = await request_description(narrow[1], client)
        client.shutdown(socket.SHUT_WR)
        (response,), rest = split_responses(received + await read_to_the_end(client))
    assert (response.status, rest) == (200, b"")


async def test_reach_the_deadline_during_a_response_runs_no_further_request(
    api: Api, narrow: tuple[Server, int]
) -> None:
    http_server, port = narrow
    body = b'{"headline": "Late"}'
    with socket.socket() as client:
        write = patch(api, body, Content_Length=str(len(body))) + body
        received = await request_description(port, client, write)
        (connection,) = http_server.connections
        connection.enforce_deadlines(time.monotonic() + HEAD_SECONDS)
        (response,), rest = split_responses(received + await read_to_the_end(client))
    await http_server.finish_requests(api.services.metrics)
    assert (response.status, rest) == (200, b"")
    assert (await api.user("mia").get("/mentor/me")).json["isProfileCreated"] is False


class ResetSocket:
    """A socket whose client resets the connection after no byte was found."""

    def recv(self, *_: int) -> bytes:
        raise BlockingIOError

    def shutdown(self, _: int) -> None:
        raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))


async def test_reset_an_idle_connection_while_it_is_closed_lets_the_drain_go_on(
    api: Api, narrow: tuple[Server, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    http_server, port = narrow
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        client.setblocking(False)
        await loop.sock_connect(client, ("127.0.0.1", port))
        await loop.sock_sendall(client, get("/nope"))
        assert await loop.sock_recv(client, 1)
        (connection,) = http_server.connections
        monkeypatch.setattr(connection, "_socket", ResetSocket())
        http_server.stop()
        await http_server.finish_requests(api.services.metrics)
        await read_to_the_end(client)


# Versions ----------------------------------------------------------------------------------------


async def test_send_http_1_0_keeps_the_connection_only_when_asked(api: Api) -> None:
    old = b"GET /api/mentors HTTP/1.0\r\n"
    responses, rest, closed = await exchange(api.base, old + b"\r\n" + old + b"\r\n")
    assert ([one.status for one in responses], rest, closed) == ([200], b"", True)
    kept = old + b"Connection: keep-alive\r\n\r\n"
    responses, rest, closed = await exchange(api.base, kept, kept, old + b"\r\n", pause=0.02)
    assert [one.headers.get("Connection") for one in responses] == ["keep-alive"] * 2 + ["close"]
    assert (rest, closed) == (b"", True)


async def test_offer_another_protocol_is_ignored(api: Api) -> None:
    upgrade = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c"}
    raw = get("/mentors", **upgrade) + get("/nope", Connection="close")
    responses, rest, closed = await exchange(api.base, raw)
    assert ([one.status for one in responses], rest, closed) == ([200, 404], b"", True)
    raw = patch(api, b"{}", Content_Length="2", **upgrade) + b"{}"
    (response,), rest, closed = await exchange(api.base, raw)
    assert is_error(response, 400, "Not a valid HTTP/1.1 request")
    assert (rest, closed) == (b"", True)


async def test_search_with_letters_as_curl_sends_them_finds_the_mentor(api: Api) -> None:
    await api.mentor("zoe", fullName="Zoë")
    raw = "GET /api/mentors/search?q=Zoë HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()
    (response,), _, _ = await exchange(api.base, raw)
    assert [one["fullName"] for one in response.json] == ["Zoë"]


async def test_send_whole_url_is_read_as_its_path_and_host(api: Api) -> None:
    mentor, cache = await api.mentor("mia"), api.services.cache
    paths = f"/api/mentors/{mentor.id}", "/api/mentors/search?q=mia&x=http://x/y", "/nope"
    hits = cache.hits
    found = []
    for base in ("", "http://b", "HTTPS://b:1"):
        raw = b"".join(head(f"GET {base}{path} HTTP/1.1") for path in paths)
        responses, _, _ = await exchange(api.base, raw + get("/nope", Connection="close"))
        found.append([(one.status, one.json) for one in responses])
    assert [status for status, _ in found[0]] == [200, 200, 404, 404]
    assert found[0] == found[1] == found[2]
    # Both spellings share the responses that are kept.
    assert cache.hits == hits + 4
    (response,), _, _ = await exchange(
        api.base, head("PATCH http://b/api/mentor/me HTTP/1.1", Connection="close")
    )
    assert response.status == 401


def test_parse_whole_url_replaces_the_host() -> None:
    parser = RequestParser(1024)
    parser.add(b"GET http://b:1?x HTTP/1.1\r\nHost: a\r\n\r\n")
    assert parser.advance()
    assert (parser.target, parser.headers["host"]) == ("/?x", "b:1")


# Bodies ------------------------------------------------------------------------------------------


async def test_expect_continue_gets_a_100_when_the_body_is_wanted(api: Api) -> None:
    parts, body = urlsplit(api.base), b'{"headline": "x"}'
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    for _ in range(2):
        writer.write(patch(api, body, Content_Length=str(len(body)), Expect="100-continue"))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
        assert b'"headline":"x"' in (await reader.read(65536)).replace(b" ", b"")
    writer.close()


async def test_send_trailers_leaves_the_next_request_alone(api: Api) -> None:
    body, trailer = (
        b'{"headline": "x"}',
        b"X-Request-Id: stolen\r\nOrigin: https://evil.example\r\n",
    )
    raw = patch(api, body, Transfer_Encoding="chunked") + chunks(body, trailer=trailer)
    responses, rest, _ = await exchange(api.base, raw + get("/mentors", Connection="close"))
    assert [one.status for one in responses] == [200, 200]
    assert "stolen" not in [one.headers["X-Request-Id"] for one in responses]
    assert rest == b""


@pytest.mark.parametrize(
    "endless",
    [b"3;" + b"x" * 70_000, b"3\r\nabc\r\n0\r\nX: " + b"y" * 70_000],
    ids=["extension", "trailer"],
)
async def test_send_endless_chunk_framing_is_refused(endless: bytes, api: Api) -> None:
    raw = patch(api, b"", Transfer_Encoding="chunked")
    pieces = [endless[place : place + 5000] for place in range(0, len(endless), 5000)]
    (response,), rest, closed = await exchange(api.base, raw, *pieces, pause=0.005)
    assert is_error(response, 400, "Not a valid HTTP/1.1 request")
    assert (rest, closed) == (b"", True)


async def test_send_many_tiny_chunks_is_read_within_a_moment(api: Api) -> None:
    body = b'{"headline": "x"' + b" " * 60_000 + b"}"
    raw = patch(api, body, Transfer_Encoding="chunked", Connection="close")
    raw += chunks(*(body[place : place + 1] for place in range(len(body))))
    (response,), _, _ = await exchange(api.base, raw, patience=20)
    assert (response.status, response.json["headline"]) == (200, "x")


def test_parse_a_piece_with_two_requests_is_refused() -> None:
    """It cannot happen as long as pieces end where requests end; the parser checks it."""
    parser = RequestParser(1024)
    parser.head_received = True
    with pytest.raises(ValueError, match="two requests"):
        parser.on_url(b"/")


# Proxies -----------------------------------------------------------------------------------------


class TestBehindProxy:
    @pytest.fixture
    def settings(self) -> Settings:
        return replace(Settings(jwt_secret=SECRET), behind_proxy=True)

    async def test_send_proxy_headers_takes_the_client_from_them(
        self, api: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen = []
        handle = api.app.handle
        monkeypatch.setattr(
            api.app, "handle", lambda request: seen.append(request) or handle(request)
        )
        for headers in (
            {"X_Forwarded_For": "192.0.2.1, 192.0.2.2"},
            {"X_Forwarded_For": "192.0.2.1", "X_Real_Ip": "2001:db8::1"},
            {"X_Forwarded_For": "nonsense"},
            {"X_Real_Ip": "a.example"},
            {},
        ):
            await exchange(api.base, get("/mentors", Connection="close", **headers))
        found = [request.remote_ip for request in seen]
        assert found == ["192.0.2.2", "2001:db8::1", "127.0.0.1", "127.0.0.1", "127.0.0.1"]


# slowhttptest ------------------------------------------------------------------------------------

SLOW = {
    "heads": ["-H", "-i", "1"],
    "bodies": ["-B", "-i", "1", "-s", "60000", "-t", "POST"],
    "reading": ["-X", "-w", "10", "-y", "20", "-n", "1", "-z", "5", "-k", "10"],
}


@pytest.mark.skipif(
    shutil.which("slowhttptest") is None, reason="no slowhttptest: apt-get install slowhttptest"
)
@pytest.mark.parametrize("attack", SLOW)
async def test_run_slowhttptest_leaves_the_service_available(
    attack: str, api: Api, tmp_path: Path
) -> None:
    options = ["-c", "200", "-r", "200", "-l", "3", "-p", "2", "-g", "-o", str(tmp_path / "report")]
    command = ["slowhttptest", *SLOW[attack], *options, "-u", f"{api.base}/api/openapi.json"]
    # A busy machine may pause the server for some seconds, but hardly each time.
    for _ in range(3):
        attacking = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.DEVNULL
        )
        asked = 0
        while attacking.returncode is None:
            assert (await api.nobody.get("/mentors")).status == 200
            asked += 1
            await asyncio.sleep(0.05)
        report = (tmp_path / "report.csv").read_text()
        available = {line.split(",")[-1] for line in report.splitlines()[1:]}
        if asked > 3 and available and "0" not in available:
            return
    raise AssertionError((asked, report))
