"""Load that records each confirmed write, ways to break things, and a comparison with the database.

A writer asks for a time and accepts it, again and again, each call with an ``Idempotency-Key`` of
its own, and repeats a call that got no response until it has one. So at the end the database must
hold what was confirmed, and nothing else.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import socket
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

import asyncpg
import orjson
import psutil
from tornado.httputil import HTTPHeaders

from tests.client import Mentor, Response, User, asking, check, day_after_tomorrow
from tests.conftest import tried
from tests.starting import PATIENCE, postgres_processes, postmaster

SLOT = timedelta(minutes=15)
KEY = "Idempotency-Key"


# Connections that show what HTTP clients hide --------------------------------------------------


class Refused(Exception):
    """The connection was refused; nothing was sent."""


class Dropped(Exception):
    """The connection ended after the request, before the first byte of a response."""


class Torn(Exception):
    """The connection ended within the response."""


class Line:
    """One connection, kept open as long as the server allows."""

    def __init__(self, base: str) -> None:
        self._address = urlsplit(base)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        #: Whether the last call reused an open connection.
        self.was_kept = False

    async def ask(
        self, method: str, path: str, token: str | None, json: Any = None, **headers: str
    ) -> Response:
        self.was_kept = self._streams is not None
        reader, writer = self._streams or await self._connect()
        writer.write(message(method, path, token, json, **headers))
        try:
            response = await read_response(reader)
        except (Dropped, Torn):
            self.close()
            raise
        if response.headers.get("Connection") == "close":
            self.close()
        check(method, path, response)
        return response

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            self._streams = await asyncio.open_connection(
                self._address.hostname, self._address.port
            )
        except OSError as error:
            raise Refused from error
        return self._streams

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def message(method: str, path: str, token: str | None, json: Any = None, **headers: str) -> bytes:
    body = b"" if json is None else orjson.dumps(json)
    lines = [f"{method} /api{path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
    lines += ["Content-Type: application/json"] * (json is not None)
    lines += [f"Authorization: Bearer {token}"] * (token is not None)
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def read_response(reader: asyncio.StreamReader) -> Response:
    try:
        first = await reader.readexactly(1)
    except (asyncio.IncompleteReadError, OSError) as error:
        raise Dropped from error
    try:
        start, _, rest = (first + await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")
        headers = HTTPHeaders.parse(rest.decode())
        body = await reader.readexactly(int(headers.get("Content-Length", "0")))
    except (asyncio.IncompleteReadError, OSError) as error:
        raise Torn from error
    return Response(int(start.split()[1]), headers, body)


# The load --------------------------------------------------------------------------------------


@dataclass
class Load:
    """``base`` is the server's address, without ``/api``."""

    base: str
    #: Connections may be refused and dropped at any time: repeat the call.
    server_may_vanish: bool = False
    #: Writers end at the first call that gets no response instead of repeating it.
    giving_up: bool = False
    #: Ids of the confirmed requests, each with its booking's once that was confirmed.
    confirmed: dict[str, str | None] = field(default_factory=dict)
    #: Keys of calls that got no response and were not repeated.
    unanswered: list[str] = field(default_factory=list)
    #: Number of calls by kind of failure.
    met: Counter[str] = field(default_factory=Counter)
    reads: int = 0
    _over: bool = False
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def writes(self) -> int:
        return len(self.confirmed) + sum(booking is not None for booking in self.confirmed.values())

    @asynccontextmanager
    async def running(
        self, name: str = "", keeping: int = 4, fresh: int = 2, readers: int = 2
    ) -> AsyncIterator[None]:
        """Writers on kept connections, writers on a new connection for each call, and readers."""
        number = itertools.count()
        mentors = [
            await make_mentor(self.base, f"mentor-{name}{next(number)}")
            for _ in range(keeping + fresh)
        ]
        work = [self._write(mentor, f"mentee-{name}", True) for mentor in mentors[:keeping]]
        work += [self._write(mentor, f"mentee-{name}", False) for mentor in mentors[keeping:]]
        work += [
            self._read(mentor) for mentor in itertools.islice(itertools.cycle(mentors), readers)
        ]
        self._over = False
        self._tasks = [asyncio.create_task(each) for each in work]
        try:
            yield
            self._over = True
            await asyncio.wait_for(asyncio.gather(*self._tasks), PATIENCE)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def progress(self, writes: int) -> None:
        """Wait until this many more are confirmed."""
        goal = self.writes + writes
        await self.until(lambda: self.writes >= goal)

    async def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            for task in self._tasks:
                if task.done() and not task.cancelled() and (error := task.exception()):
                    raise error
            assert time.monotonic() < deadline, (self.writes, self.met)
            await asyncio.sleep(0.01)

    async def meets(self, trouble: str) -> None:
        times = self.met[trouble]
        await self.until(lambda: self.met[trouble] > times)

    async def ended(self) -> None:
        await self.until(lambda: all(task.done() for task in self._tasks))

    async def _write(self, mentor: Mentor, mentee_name: str, keep: bool) -> None:
        mentee = User(self.base, f"{mentee_name}-of-{mentor.sub}")
        line = Line(self.base)
        try:
            for number in itertools.count():
                if self._over:
                    break
                at = day_after_tomorrow(0) + number * SLOT
                request = await self._confirmed(
                    line, keep, mentee, "/requests", asking(mentor, at, duration=15)
                )
                if request is None:
                    break
                self.confirmed[request["id"]] = None
                accepted = await self._confirmed(
                    line, keep, mentor, f"/requests/{request['id']}/accept"
                )
                if accepted is None:
                    break
                self.confirmed[request["id"]] = accepted["booking"]["id"]
        finally:
            line.close()

    async def _confirmed(
        self, line: Line, keep: bool, user: User, path: str, json: Any = None
    ) -> Any:
        """Repeat a call until it gets a response; return that, or None if none came."""
        key = os.urandom(8).hex()
        headers = {KEY: key} | ({} if keep else {"Connection": "close"})
        while True:
            response = await self._try(line, "POST", path, user.token, json, **headers)
            if response is not None and response.status < 300:
                return response.json
            if self.giving_up:
                self.unanswered.append(key)
                return None
            await asyncio.sleep(0.02)

    async def _read(self, mentor: Mentor) -> None:
        line = Line(self.base)
        paths = [f"/mentors/{mentor.id}", "/requests?limit=1", "/sessions?limit=1"]
        try:
            for path in itertools.cycle(paths):
                response = await self._try(line, "GET", path, mentor.token)
                self.reads += 1
                if self._over or (self.giving_up and response is None):
                    break
                await asyncio.sleep(0.01)
        finally:
            line.close()

    async def _try(
        self,
        line: Line,
        method: str,
        path: str,
        token: str | None,
        json: Any = None,
        **headers: str,
    ) -> Response | None:
        """Return a success, or None for an allowed failure; anything else fails the test."""
        try:
            response = await line.ask(method, path, token, json, **headers)
        except Refused:
            self.met["refused"] += 1
            assert self.server_may_vanish or self.giving_up
            return None
        except (Dropped, Torn) as error:
            kind = type(error).__name__.lower()
            self.met[f"{kind}, {'kept' if line.was_kept else 'fresh'} connection"] += 1
            if not self.server_may_vanish:
                # A server may close the connection between two requests only.
                assert self.giving_up
                assert kind == "dropped"
                assert line.was_kept
            return None
        if response.status < 300:
            return response
        self.met[str(response.status)] += 1
        if response.status == 409:
            # The previous call still waits for a response, which does not come.
            assert "still being processed" in response.message, response
        else:
            assert response.status == 503, (method, path, response)
        assert int(response.headers["Retry-After"]) > 0
        return None


async def make_mentor(base: str, sub: str) -> Mentor:
    mentor = Mentor(base, sub, name=sub)
    week = [{"dayOfWeek": day, "startTime": "00:00", "endTime": "24:00"} for day in range(7)]
    await mentor.ok("PUT", "/mentor/availability", {"slots": week})
    mentor.id = (await mentor.ok("PATCH", "/mentor/me", {}))["id"]
    return mentor


# Comparison with the database ------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """The rows of a load in the database."""

    writes: int
    #: Requests in the database that no response confirmed.
    unconfirmed: int
    #: Keys of calls without a response that had an effect.
    secret: list[str]


async def look_for(load: Load, url: str) -> Found:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            """
            SELECT r.id::text, b.id::text AS booking_id
            FROM requests AS r LEFT JOIN bookings AS b ON b.request_id = r.id
            """
        )
        secret = await connection.fetch(
            "SELECT key FROM idempotency_keys WHERE key = ANY($1)", load.unanswered
        )
    finally:
        await connection.close()
    there = {row["id"]: row["booking_id"] for row in rows}
    assert len(there) == len(rows), "a request with two bookings"
    writes = sum(request in there for request in load.confirmed)
    writes += sum(
        booking is not None and there.get(request) == booking
        for request, booking in load.confirmed.items()
    )
    unconfirmed = len(there.keys() - load.confirmed.keys())
    unconfirmed += sum(
        there.get(request) is not None and booking is None
        for request, booking in load.confirmed.items()
    )
    return Found(writes, unconfirmed, [row["key"] for row in secret])


def note(load: Load, found: Found, what_was_killed: str, times: int) -> None:
    """Count it in the summary of the test run."""
    tried["writes confirmed under faults"] += load.writes
    tried["of them found afterwards"] += found.writes
    tried[what_was_killed] += times
    tried["responses 503 under faults, all with Retry-After"] += load.met["503"]


# Breaking things -------------------------------------------------------------------------------


def kill_postgres(data_dir: Path) -> None:
    """Kill the postmaster and all its children at once, as in a power failure."""
    children = postgres_processes(data_dir)
    os.kill(postmaster(data_dir), signal.SIGKILL)
    for process in children:
        with suppress(psutil.NoSuchProcess):
            process.kill()


class Proxy:
    """A proxy between the server and PostgreSQL.

    ``cut`` decides, for each chunk that would pass, whether the connection is cut instead: by
    whether it comes from PostgreSQL, and what it holds.
    """

    def __init__(self, database_url: str) -> None:
        self._upstream = urlsplit(database_url)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.cut: Callable[[bool, bytes], bool] = lambda _from_database, _chunk: False
        self.cuts = 0
        #: Drop everything silently.
        self.silent = False

    async def start(self) -> str:
        """Start it; return the URL of the database through this proxy."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        user = self._upstream.netloc.rpartition("@")[0]
        netloc = f"{user}@127.0.0.1:{port}" if user else f"127.0.0.1:{port}"
        return urlunsplit(self._upstream._replace(netloc=netloc, query=""))

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        folder = parse_qs(self._upstream.query).get("host")
        if folder:
            return await asyncio.open_unix_connection(f"{folder[0]}/.s.PGSQL.5432")
        return await asyncio.open_connection(self._upstream.hostname, self._upstream.port or 5432)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await self._connect()
        self._writers |= {writer, upstream_writer}
        try:
            await asyncio.gather(
                self._pass_on(False, reader, upstream_writer, writer),
                self._pass_on(True, upstream_reader, writer, upstream_writer),
            )
        finally:
            self._writers -= {writer, upstream_writer}

    async def _pass_on(
        self,
        from_database: bool,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        other: asyncio.StreamWriter,
    ) -> None:
        with suppress(OSError):
            while chunk := await reader.read(65536):
                if self.silent:
                    continue
                if self.cut(from_database, chunk):
                    self.cuts += 1
                    other.transport.abort()
                    break
                writer.write(chunk)
        writer.transport.abort()


async def send_and_leave(base: str, data: bytes, politely: bool) -> None:
    address = urlsplit(base)
    _reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(data)
    await writer.drain()
    if not politely:
        reset = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
    writer.close()
