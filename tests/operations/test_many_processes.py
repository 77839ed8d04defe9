"""Several processes on one database, and several on one port."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import select
import shutil
import signal
import socket
import stat
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import psycopg
import pytest
from tornado.httpclient import AsyncHTTPClient
from tornado.ioloop import IOLoop

from mentorapi.database import embedded
from mentorapi.database.migrate import known
from tests.client import SECRET, Response, User, asking, is_error
from tests.conftest import FirstStarts, copy_folder, execute, on, tried
from tests.robustness import faults
from tests.robustness.faults import Line, Load, look_for, make_mentor, message
from tests.starting import Process, environment, free_port, responds, wait_until

#: For one process to hear of what another has done; it takes milliseconds.
SOON = 30.0

#: A database to clone.
MIGRATED = "migrated"

_numbers = itertools.count(1)

SESSIONS_MOVED = r'mentorapi_job_rows_changed_total\{kind="sessions",name="sweep"\}'

CACHE_HITS = r'mentorapi_cache_reads_total\{result="hit"\}'


@pytest.fixture(scope="module")
def server_url(
    tmp_path_factory: pytest.TempPathFactory, first_starts: FirstStarts, io_loop: IOLoop
) -> Iterator[str]:
    """The URL of a durable PostgreSQL: `run.py` refuses the faster one of the other tests."""
    folder = copy_folder(first_starts.migrated, tmp_path_factory.mktemp("own") / "var")
    with embedded.running(folder) as url:
        clone = f"CREATE DATABASE {MIGRATED} TEMPLATE mentorapi"
        io_loop.run_sync(lambda: execute(on(url, "postgres"), clone))
        yield url


@pytest.fixture
def empty_database_url(server_url: str, io_loop: IOLoop) -> str:
    io_loop.run_sync(lambda: execute(server_url, "CREATE DATABASE empty"))
    return on(server_url, "empty")


@pytest.fixture
def database_url(server_url: str, io_loop: IOLoop) -> str:
    """The URL of a migrated database."""
    name = f"test_{next(_numbers)}"
    clone = f"CREATE DATABASE {name} TEMPLATE {MIGRATED}"
    io_loop.run_sync(lambda: execute(server_url, clone))
    return on(server_url, name)


# One database, a port each -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def two(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The URLs of two processes that sweep all the time."""
    folder = tmp_path_factory.mktemp("two")
    settings = {"DATABASE_URL": server_url, "JWT_SECRET": SECRET, "SWEEP_INTERVAL": "0.05"}
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                Process(folder / name, complaints=folder / f"{name}.log", **settings)
            )
            for name in ("one", "another")
        ]
        yield [server.listening().removesuffix("/api") for server in started]


async def figure(base: str, name: str) -> float:
    text = (await AsyncHTTPClient().fetch(f"{base}/metrics")).body.decode()
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    assert found, name
    return float(found[1])


async def test_sweep_in_two_processes_moves_each_session_once(
    two: list[str], server_url: str
) -> None:
    mentor = await make_mentor(two[0], "swept")
    db = await asyncpg.connect(server_url)
    try:
        for batch in range(10):
            await db.execute(
                """
                INSERT INTO bookings (mentor_id, mentee_id, topic, start_time, end_time, status)
                SELECT $1, 'swept', 'Due', at, at + interval '30 minutes', 'confirmed'
                FROM generate_series(1, 50) AS number,
                     LATERAL (SELECT now() - (number + $2) * interval '1 hour') AS times (at)
                """,
                mentor.id,
                1 + 50 * batch,
            )
        # A sweep counts when it has committed.
        deadline = time.monotonic() + 30
        while (moved := sum([await figure(base, SESSIONS_MOVED) for base in two])) < 500:
            assert time.monotonic() < deadline
        changes = await db.fetch(
            """
            SELECT count(*) AS times, string_agg(c.source, ',') AS sources
            FROM bookings AS b INNER JOIN events AS c ON c.object_id = b.id
            WHERE b.topic = 'Due' AND c.status = 'pending_completion'
            GROUP BY b.id
            """
        )
    finally:
        await db.close()
    assert [tuple(row) for row in changes] == [(1, "sweep")] * 500
    assert moved == 500


async def test_write_at_one_process_shows_at_the_other(two: list[str]) -> None:
    mentor = await make_mentor(two[0], "seen")
    longest = 0.0
    for number in range(20):
        writer, reader = two if number % 2 else reversed(two)
        page = User(reader, "reader")
        for _ in range(2):
            await page.ok("GET", f"/mentors/{mentor.id}")
        headline = f"Headline {number}"
        await User(writer, "seen").ok("PATCH", "/mentor/me", {"headline": headline})
        written = time.monotonic()
        while (await page.ok("GET", f"/mentors/{mentor.id}"))["headline"] != headline:
            assert time.monotonic() < written + SOON
        longest = max(longest, time.monotonic() - written)
    hits = [await figure(base, CACHE_HITS) for base in two]
    assert min(hits) >= 10


LISTENING = """
    SELECT pid FROM pg_stat_activity
    WHERE application_name = 'mentorapi' AND query ~ '^(-- events.list_stale|LISTEN|NOTIFY)'
"""


async def test_write_while_listening_backends_hang_shows_soon(
    two: list[str], server_url: str
) -> None:
    mentor = await make_mentor(two[0], "hung")
    page, db = User(two[1], "reader"), await asyncpg.connect(server_url)

    async def shown_after(headline: str) -> float:
        """Return the seconds from a hang until the other process shows a change."""
        await page.ok("GET", f"/mentors/{mentor.id}")
        hung = [row["pid"] for row in await db.fetch(LISTENING)]
        assert hung
        start = time.monotonic()
        try:
            for pid in hung:
                os.kill(pid, signal.SIGSTOP)
            await User(two[0], "hung").ok("PATCH", "/mentor/me", {"headline": headline})
            while (await page.ok("GET", f"/mentors/{mentor.id}"))["headline"] != headline:
                assert time.monotonic() < start + SOON
        finally:
            for pid in hung:
                os.kill(pid, signal.SIGCONT)
        return time.monotonic() - start

    try:
        # A second and a half. A busy machine takes longer, but hardly each time.
        for number in range(3):
            if await shown_after(f"Headline {number}") < 5:
                break
        else:
            pytest.fail("the cache was stale for five seconds, three times")
    finally:
        await db.close()


async def test_send_fifty_duplicates_to_both_has_one_effect(
    two: list[str], server_url: str
) -> None:
    mentor = await make_mentor(two[0], "asked")
    mentees = [User(base, "asking") for base in two]
    headers = {"Idempotency-Key": "one"}

    async def ask(mentee: User) -> Response:
        return await mentee.post("/requests", asking(mentor), headers=headers)

    given = await asyncio.gather(*(ask(mentees[number % 2]) for number in range(50)))
    created = [response for response in given if response.status == 201]
    for response in given:
        if response.status != 201:
            message = "A request with this Idempotency-Key is still being processed"
            assert is_error(response, 409, message)
    assert len({response.body for response in created}) == 1
    assert sum("Idempotent-Replayed" not in response.headers for response in created) == 1
    for mentee in mentees:
        again = await ask(mentee)
        assert (again.body, again.headers["Idempotent-Replayed"]) == (created[0].body, "true")
    db = await asyncpg.connect(server_url)
    try:
        count = "SELECT count(*) FROM requests WHERE mentee_id = 'asking'"
        assert await db.fetchval(count) == 1
    finally:
        await db.close()


def test_start_both_at_once_on_empty_database_succeeds(
    empty_database_url: str, tmp_path: Path
) -> None:
    settings = {"DATABASE_URL": empty_database_url, "JWT_SECRET": SECRET}
    with ExitStack() as stack:
        started = [stack.enter_context(Process(tmp_path / number, **settings)) for number in "12"]
        assert all(responds(server.listening()) for server in started)
    with psycopg.connect(empty_database_url) as connection:
        query = "SELECT migration_id FROM _yoyo_migration ORDER BY migration_id"
        applied = [migration for (migration,) in connection.execute(query)]
    assert applied == sorted(known())


# One port ----------------------------------------------------------------------------------------


def test_start_two_processes_with_reuse_port_shares_one_port(
    database_url: str, tmp_path: Path
) -> None:
    settings = {"DATABASE_URL": database_url, "JWT_SECRET": SECRET}
    settings |= {"METRICS_ADDRESS": "127.0.0.1:0", "REUSE_PORT": "true"}
    with Process(tmp_path, **settings) as first:
        url = first.listening()
        with Process(tmp_path, PORT=port_of(url), **settings) as second:
            assert second.listening() == url
            metrics = [metrics_address(server) for server in (first, second)]
            assert all(responds(url) for _ in range(40))
            served = [requests_served(address) for address in metrics]
            assert sum(served) == 40
            assert min(served) > 0
            first.signal(signal.SIGTERM)
            assert first.ended() == 0
            assert all(responds(url) for _ in range(10))


def metrics_address(server: Process) -> str:
    found = re.search(r"Metrics on (\S+)", server.next_line())
    assert found
    return found[1]


def requests_served(metrics: str) -> float:
    with urllib.request.urlopen(metrics) as response:
        text = response.read().decode()
    (served,) = re.findall(
        r'^mentorapi_http_requests_total\{.*route="/api/mentors".*\} (\S+)$', text, re.M
    )
    return float(served)


def port_of(url: str) -> str:
    return str(urlsplit(url).port)


def test_restart_with_reuse_port_under_load_drops_no_request(
    database_url: str, tmp_path: Path, io_loop: IOLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "Line", CarefulLine)
    log = tmp_path / "log"
    settings: dict[str, Any] = {"DATABASE_URL": database_url, "JWT_SECRET": SECRET}
    settings |= {"REUSE_PORT": "true", "complaints": log}
    with ExitStack() as stack:
        old = stack.enter_context(Process(tmp_path, **settings))
        url = old.listening()
        load = Load(url.removesuffix("/api"))

        async def replace() -> None:
            async with load.running(keeping=2, fresh=2, readers=2):
                await load.progress(20)
                new = stack.enter_context(Process(tmp_path, PORT=port_of(url), **settings))
                await asyncio.to_thread(new.listening)
                old.signal(signal.SIGTERM)
                await asyncio.to_thread(old.ended)
                await load.progress(20)

        io_loop.run_sync(replace)
    assert_nothing_dropped(load, database_url, log, io_loop)


# Sockets of systemd ------------------------------------------------------------------------------


class CarefulLine(Line):
    """A connection that a client does not use again after the server has closed it."""

    async def ask(self, *arguments: Any, **more: Any) -> Response:
        if self._streams is not None:
            number = self._streams[1].get_extra_info("socket").fileno()
            if select.select([number], [], [], 0)[0]:
                self.close()
        return await super().ask(*arguments, **more)


def assert_nothing_dropped(load: Load, database_url: str, log: Path, io_loop: IOLoop) -> None:
    assert not load.met
    found = io_loop.run_sync(lambda: look_for(load, database_url))
    assert (found.writes, found.unconfirmed) == (load.writes, 0)
    assert " ERROR " not in log.read_text()
    tried["processes replaced under load, no request dropped"] += 1
    tried["requests meanwhile"] += load.writes + load.reads


def passing(listening: socket.socket) -> dict[str, Any]:
    """Return the arguments for a process that gets this socket as from systemd."""
    number = listening.fileno()
    script = f'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&{number}'
    return {"before": ["bash", "-c", script, "bash"], "pass_fds": [number]}


def test_restart_on_an_inherited_socket_drops_no_request(
    database_url: str,
    tmp_path: Path,
    io_loop: IOLoop,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """Between the two processes no server runs: connections and requests wait in the socket."""
    monkeypatch.setattr(faults, "Line", CarefulLine)
    rounds, log = request.config.getoption("--fault-rounds"), tmp_path / "log"
    settings: dict[str, Any] = {"DATABASE_URL": database_url, "JWT_SECRET": SECRET}
    settings |= {"complaints": log}
    with socket.create_server(("127.0.0.1", 0)) as listening, ExitStack() as stack:
        settings |= passing(listening)
        base = f"http://127.0.0.1:{listening.getsockname()[1]}"
        load = Load(base)

        def start() -> Process:
            server = stack.enter_context(Process(tmp_path, **settings))
            assert server.listening() == f"{base}/api"
            return server

        server = start()

        async def restart_again_and_again(server: Process) -> None:
            async with load.running(keeping=2, fresh=2, readers=2):
                for _ in range(rounds):
                    await load.progress(20)
                    server.signal(signal.SIGTERM)
                    assert await asyncio.to_thread(server.ended) == 0
                    server = await asyncio.to_thread(start)
                await load.progress(20)

        io_loop.run_sync(lambda: restart_again_and_again(server))
        assert_nothing_dropped(load, database_url, log, io_loop)


@pytest.mark.skipif(
    shutil.which("systemd-socket-activate") is None,
    reason="no systemd-socket-activate: apt-get install systemd",
)
def test_connect_to_socket_of_systemd_starts_the_server(database_url: str, tmp_path: Path) -> None:
    port = free_port()
    settings = {"DATABASE_URL": database_url, "JWT_SECRET": SECRET}
    names = environment(tmp_path, **settings).keys() - os.environ.keys()
    before = ["systemd-socket-activate", f"--listen=127.0.0.1:{port}"]
    before += [f"--setenv={name}" for name in names]
    with Process(tmp_path, before=before, **settings) as server:
        url = f"http://127.0.0.1:{port}/api"
        # Wait until systemd listens.
        wait_until(lambda: responds(url))
        assert server.listening() == url
        server.signal(signal.SIGTERM)
        assert server.ended() == 0


def test_start_on_an_inherited_connection_is_refused(database_url: str, tmp_path: Path) -> None:
    """As with Accept=yes in the socket unit."""
    settings = {"DATABASE_URL": database_url, "JWT_SECRET": SECRET}
    ours, theirs = socket.socketpair()
    with ours, theirs, Process(tmp_path, **settings, **passing(theirs)) as server:
        assert "set Accept=no" in server.complaint()
        assert server.ended() == 1


# A Unix socket -----------------------------------------------------------------------------------


def test_serve_on_a_unix_socket_replaces_the_file_left_behind(
    database_url: str, tmp_path: Path
) -> None:
    settings = {"DATABASE_URL": database_url, "JWT_SECRET": SECRET}
    path = tmp_path / "api.sock"
    settings |= {"HOST": f"unix:{path}"}
    with Process(tmp_path, **settings) as killed:
        assert killed.listening() == f"unix:{path}/api"
        killed.kill()
    assert path.is_socket()
    with Process(tmp_path, **settings) as server:
        server.listening()
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert status_over(path) == b"HTTP/1.1 200 OK\r\n"
        server.signal(signal.SIGTERM)
        assert server.ended() == 0
    assert not path.exists()


def status_over(path: Path) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(message("GET", "/mentors", None))
        return client.makefile("rb").readline()
