"""Framing: this server and nginx in front of it read the same bytes as one request."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from tornado.testing import bind_unused_port

from mentorapi import errors
from mentorapi.http.base import ApiHandler
from mentorapi.http.parser import RequestParser
from tests.conftest import tried
from tests.operations.test_deployment import NGINX, needs_nginx
from tests.robustness import ambiguous
from tests.robustness.ambiguous import CASES
from tests.starting import PATIENCE, free_port, wait_until

#: Method, path and body.
Read: TypeAlias = tuple[str, str, bytes]

RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

#: Cases sent at the same time.
AT_ONCE = 150

#: Correct requests that nginx refuses. Behind nginx, the server never gets them.
REFUSED_BY_NGINX = {
    ambiguous.post(b"Content-Length: \t3"),
    ambiguous.post(b"Content-Length: 3\t"),
    ambiguous.post(b"Content-Length:\t3", version=b"HTTP/1.0"),
    ambiguous.post(b"Content-Length:3\t", version=b"HTTP/1.0"),
    b"GET /@%00 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
}

CONFIG = """
daemon off;
pid {folder}/pid;
error_log {folder}/errors;
events {{}}
http {{
    access_log off;
    lingering_close off;
    lingering_timeout 300ms;
    client_body_temp_path {folder};
    proxy_temp_path {folder};
    fastcgi_temp_path {folder};
    uwsgi_temp_path {folder};
    scgi_temp_path {folder};
    # What is incomplete stays so.
    client_header_timeout 300ms;
    client_body_timeout 300ms;
    keepalive_timeout 300ms;
    upstream backend {{ server 127.0.0.1:{backend}; keepalive 8; }}
    server {{
        # Accept a connection when bytes have arrived. Otherwise the time for the head may be over
        # before a busy machine has sent them.
        listen 127.0.0.1:{port} deferred;
        location / {{
            proxy_pass http://backend;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
}}
"""


class Reader:
    """The server's reading of the bytes of one connection."""

    def __init__(self) -> None:
        self.parser = RequestParser(16 * 1024)
        self.open = True

    def feed(self, data: bytes) -> Iterator[Read]:
        parser = self.parser
        parser.add(data)
        try:
            while self.open and parser.advance():
                if parser.received:
                    yield parser.method, parser.target, bytes(parser.body)
                    self.open = parser.keep_alive
                    parser.begin()
        except errors.ApiError:
            self.open = False


class Backend:
    """A server behind nginx that records what it reads, by the number of the case."""

    def __init__(self) -> None:
        self.seen: dict[str, list[Read]] = defaultdict(list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests = Reader()
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                for request in requests.feed(data):
                    if number := re.search(r"\d{4}", request[1]):
                        self.seen[number[0]].append(request)
                    writer.write(RESPONSE)
                if not requests.open:
                    break
        writer.close()


def connects(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


async def send(port: int, raw: bytes) -> None:
    """Send to nginx, and wait until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(raw)
    with suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while await reader.read(65536):
                pass
    writer.close()


@needs_nginx
async def test_send_ambiguous_requests_are_read_as_by_nginx(tmp_path: Path) -> None:
    backend = Backend()
    listening, backend_port = bind_unused_port()
    server = await asyncio.start_server(backend.serve, sock=listening)
    port = free_port()
    config = tmp_path / "nginx.conf"
    config.write_text(CONFIG.format(folder=tmp_path, backend=backend_port, port=port))
    command = [str(NGINX), "-c", str(config), "-e", str(tmp_path / "errors")]
    nginx = await asyncio.create_subprocess_exec(*command, stderr=subprocess.DEVNULL)
    try:
        await asyncio.to_thread(wait_until, lambda: connects(port))
        for start in range(0, len(CASES), AT_ONCE):
            await asyncio.gather(*(send(port, raw) for raw in CASES[start : start + AT_ONCE]))
    finally:
        nginx.terminate()
        await nginx.wait()
    server.close()
    refused_by_nginx = set()
    for number, raw in enumerate(CASES, 1000):
        ours = [one for one in Reader().feed(raw) if one[0] in ApiHandler.SUPPORTED_METHODS]
        theirs = backend.seen[str(number)]
        if ours and not theirs:
            refused_by_nginx.add(raw.replace(b"%d" % number, b"@").partition(b"GET /@/next")[0])
        else:
            assert ours == theirs[: len(ours)], raw
    assert refused_by_nginx == REFUSED_BY_NGINX
    tried["ambiguous requests, read as nginx reads them"] += len(CASES)
    assert len(CASES) > 500
    assert sum(map(len, backend.seen.values())) > 300


def test_read_ambiguous_requests_in_pieces_finds_the_same() -> None:
    for raw in CASES:
        whole = list(Reader().feed(raw))
        pieces = Reader()
        found = []
        for place in range(0, len(raw), 7):
            found += pieces.feed(raw[place : place + 7])
        assert found[: len(whole)] == whole, raw
