"""Several processes on one database, and several on one port."""

from __future__ import annotations

import asyncio
import re
import select
import signal
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import psycopg
import pytest
from tornado.httpclient import AsyncHTTPClient
from tornado.ioloop import IOLoop

from mentorapi.database import embedded
from mentorapi.database.migrate import known
from tests.client import SECRET, Answer, User, asking, is_error
from tests.conftest import execute, on, tried
from tests.robustness import faults
from tests.robustness.faults import Line, Load, look_for, make_mentor
from tests.starting import Process, answers, nothing_left_of, run, wait_until

#: For one process to hear of what another has done; it takes milliseconds.
SOON = 5.0

CACHE_HITS = r'mentorapi_cache_reads_total\{result="hit"\}'


@pytest.fixture(scope="module")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a PostgreSQL as it comes. The other tests' is faster than one that it would serve with."""
    with embedded.running(tmp_path_factory.mktemp("own")) as url:
        yield url


@pytest.fixture
def database_url(server_url: str, io_loop: IOLoop, request: pytest.FixtureRequest) -> str:
    """Of an empty database."""
    name = request.node.name
    io_loop.run_sync(lambda: execute(server_url, f"CREATE DATABASE {name}"))
    return on(server_url, name)


# One database, a port each -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def two(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Where two processes serve that sweep all the time."""
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


async def test_each_session_that_is_due_is_moved_once(two: list[str], server_url: str) -> None:
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
        due = "SELECT count(*) FROM bookings WHERE status = 'confirmed' AND topic = 'Due'"
        deadline = time.monotonic() + 30
        while await db.fetchval(due):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        changes = await db.fetch(
            """
            SELECT count(*) AS times, string_agg(c.source, ',') AS sources
            FROM bookings AS b INNER JOIN state_changes AS c ON c.booking_id = b.id
            WHERE b.topic = 'Due' AND c.new_status = 'pending_completion'
            GROUP BY b.id
            """
        )
    finally:
        await db.close()
    assert [tuple(row) for row in changes] == [(1, "sweep")] * 500
    # A sweep counts when it has committed.
    await asyncio.sleep(0.2)
    moved = [await figure(base, "mentorapi_sweep_sessions_moved_total") for base in two]
    assert sum(moved) == 500


async def test_what_one_writes_the_other_shows(two: list[str]) -> None:
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


async def test_of_fifty_duplicates_over_both_one_has_an_effect(
    two: list[str], server_url: str
) -> None:
    mentor = await make_mentor(two[0], "asked")
    mentees = [User(base, "asking") for base in two]
    headers = {"Idempotency-Key": "one"}

    async def ask(mentee: User) -> Answer:
        return await mentee.post("/requests", asking(mentor), headers=headers)

    given = await asyncio.gather(*(ask(mentees[number % 2]) for number in range(50)))
    created = [answer for answer in given if answer.status == 201]
    for answer in given:
        if answer.status != 201:
            message = "A request with this Idempotency-Key is still being processed"
            assert is_error(answer, 409, message)
    assert len({answer.body for answer in created}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in created) == 1
    for mentee in mentees:
        again = await ask(mentee)
        assert (again.body, again.headers["Idempotent-Replayed"]) == (created[0].body, "true")
    db = await asyncpg.connect(server_url)
    try:
        count = "SELECT count(*) FROM requests WHERE mentee_id = 'asking'"
        assert await db.fetchval(count) == 1
    finally:
        await db.close()


def test_both_start_at_once_on_an_empty_database(database_url: str, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": database_url, "JWT_SECRET": SECRET}
    with ExitStack() as stack:
        started = [stack.enter_context(Process(tmp_path / number, **settings)) for number in "12"]
        assert all(answers(server.listening()) for server in started)
    with psycopg.connect(database_url) as connection:
        query = "SELECT migration_id FROM _yoyo_migration ORDER BY migration_id"
        applied = [migration for (migration,) in connection.execute(query)]
    assert applied == sorted(known())


# One port ----------------------------------------------------------------------------------------


class CarefulLine(Line):
    """Sends nothing on a connection that the server has closed."""

    async def ask(self, *arguments: Any, **more: Any) -> Answer:
        if self._streams is not None:
            number = self._streams[1].get_extra_info("socket").fileno()
            if select.select([number], [], [], 0)[0]:
                self.close()
        return await super().ask(*arguments, **more)


def children(server: Process) -> set[int]:
    return {
        child.pid
        for child in psutil.Process(server.pid).children()
        if not child.name().startswith("postgres")
    }


def test_a_rolling_restart_drops_no_request(
    tmp_path: Path,
    io_loop: IOLoop,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.setattr(faults, "Line", CarefulLine)
    rounds = request.config.getoption("--fault-rounds")
    data_dir, log = tmp_path / "var", tmp_path / "log"
    arguments: dict[str, Any] = {"complaints": log, "JWT_SECRET": SECRET}
    with Process(data_dir, "serve", "--processes", "2", **arguments) as server:
        load = Load(server.listening().removesuffix("/api"))

        async def restart_again_and_again() -> None:
            async with load.running(keeping=2, fresh=2, readers=2):
                for number in range(1, rounds + 1):
                    await load.progress(20)
                    before = children(server)
                    server.signal(signal.SIGHUP)
                    words = "All processes are replaced"
                    await load.until(lambda: log.read_text().count(words) == number)  # noqa: B023
                    assert len(children(server)) == len(before) == 2
                    assert not children(server) & before
                await load.progress(20)

        io_loop.run_sync(restart_again_and_again)
        assert not load.met
        url = f"postgresql://postgres@/mentorapi?host={data_dir / 'postgres'}&port=5432"
        found = io_loop.run_sync(lambda: look_for(load, url))
        assert (found.writes, found.unconfirmed) == (load.writes, 0)
        server.signal(signal.SIGTERM)
        assert server.ended() == 0
    assert nothing_left_of(data_dir)
    assert " ERROR " not in log.read_text()
    tried["processes replaced under load, no request dropped"] += 2 * rounds
    tried["requests meanwhile"] += load.writes + load.reads


def test_a_child_that_dies_is_started_again(database_url: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    settings: dict[str, Any] = {"DATABASE_URL": database_url, "JWT_SECRET": SECRET}
    with Process(tmp_path, "serve", "--processes", "2", complaints=log, **settings) as server:
        url = server.listening()
        before = children(server)
        psutil.Process(min(before)).kill()
        # Those that wait where it was wait for its successor.
        assert all(answers(url) for _ in range(20))
        wait_until(lambda: len(children(server)) == 2 and children(server) != before)
        before = children(server)
        server.kill()
        # Nobody is left to look after them.
        wait_until(lambda: not any(map(psutil.pid_exists, before)))
        assert not answers(url)
    assert "A process ended (-9); starting another" in log.read_text()


def test_each_has_figures_of_its_own_and_ctrl_c_ends_all(database_url: str, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": database_url, "JWT_SECRET": SECRET}
    settings |= {"METRICS_ADDRESS": "127.0.0.1:0"}
    with Process(tmp_path, "serve", "--processes", "2", **settings) as server:
        url = server.listening()
        out = server._process.stdout
        assert out is not None
        found = [re.search(r"Metrics on (\S+)", out.readline()) for _ in range(2)]
        assert all(answers(url) for _ in range(40))
        counted = []
        for metrics in found:
            assert metrics
            with urllib.request.urlopen(metrics[1]) as answer:
                text = answer.read().decode()
            (served,) = re.findall(
                r'^mentorapi_http_requests_total\{.*route="/api/mentors".*\} (\S+)$', text, re.M
            )
            counted.append(float(served))
        assert sum(counted) == 40
        assert min(counted) > 0
        before = children(server)
        server.press_ctrl_c()
        assert server.ended() == 0
        assert not any(map(psutil.pid_exists, before))
        assert not answers(url)


def test_what_keeps_them_from_starting_is_said_once(database_url: str, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": database_url, "JWT_SECRET": SECRET}
    for number in ("0", "65"):
        ended = run("serve", "--processes", number, data_dir=tmp_path, **settings)
        assert ended.returncode == 2
        assert ended.stderr == "mentorapi: --processes must be a number from 1 to 64\n"
    (tmp_path / "file").write_text("")
    settings |= {"MEDIA_URL": str(tmp_path / "file")}
    ended = run("serve", "--processes", "2", data_dir=tmp_path, **settings)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("mentorapi: cannot keep images in ")
    assert ended.stderr.count("\n") == 1
    with Process(tmp_path, "serve", "--processes", "1", **settings | {"MEDIA_URL": ""}) as server:
        port = server.listening().split(":")[2].split("/")[0]
        ended = run("serve", "--processes", "1", data_dir=tmp_path, **settings | {"PORT": port})
        assert ended.returncode == 1
        assert ended.stderr.startswith(f"mentorapi: cannot listen on 127.0.0.1, port {port}")
