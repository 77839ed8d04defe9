"""Confirmed writes survive when PostgreSQL, the server, a client or a connection dies."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import time
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import psutil
import psycopg
import pytest
from tornado.ioloop import IOLoop
from tornado.testing import bind_unused_port

from mentorapi import errors
from mentorapi.app import make_app
from mentorapi.auth.tokens import Verifier
from mentorapi.config import Settings
from mentorapi.database import connections, embedded, statements
from mentorapi.database.connections import check_server
from mentorapi.database.errors import translate
from mentorapi.database.migrate import migrate
from mentorapi.errors import StartupError
from mentorapi.events import listener
from mentorapi.server import http_server
from tests.client import SECRET, Api, Response, asking, is_error
from tests.conftest import tried
from tests.robustness.faults import (
    KEY,
    Dropped,
    Line,
    Load,
    Proxy,
    Refused,
    kill_postgres,
    look_for,
    make_mentor,
    message,
    note,
    read_response,
    send_and_leave,
)
from tests.serving import VERIFIER, running, serve
from tests.starting import (
    PATIENCE,
    Process,
    free_port,
    nothing_left_of,
    postmaster,
    run,
    wait_until,
)

T = TypeVar("T")
UNAVAILABLE = "Service temporarily unavailable, please try again"


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--fault-rounds"))


def is_unavailable(response: Response) -> bool:
    assert response.headers["Retry-After"] == "1"
    return is_error(response, 503, UNAVAILABLE)


# Processes that are killed -----------------------------------------------------------------------


@dataclass
class Site:
    """A data folder, and the port of the server that uses it."""

    data_dir: Path
    port: int
    io_loop: IOLoop

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def started(self) -> Process:
        server = Process(
            self.data_dir,
            complaints=self.data_dir.with_suffix(".log"),
            PORT=str(self.port),
            JWT_SECRET=SECRET,
        )
        server.listening()
        return server

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.io_loop.run_sync(lambda: work)

    def assert_kept(self, load: Load, what_was_killed: str, times: int) -> None:
        """Assert that the folder, which no server uses, has the confirmed rows and no others."""
        with embedded.running(self.data_dir) as url:
            found = self.run(look_for(load, url))
        note(load, found, what_was_killed, times)
        assert found.writes == load.writes
        assert found.secret == []
        if not load.unanswered:
            assert found.unconfirmed == 0
        complaints = self.data_dir.with_suffix(".log").read_text()
        assert " ERROR mentorapi: " not in complaints
        assert " ERROR asyncio: " not in complaints


@pytest.fixture
def site(data_dir: Path, io_loop: IOLoop) -> Site:
    return Site(data_dir, free_port(), io_loop)


def test_kill_postgres_under_load_loses_nothing_confirmed(site: Site, rounds: int) -> None:
    load = Load(site.base)

    async def kill_again_and_again() -> None:
        async with load.running():
            for _ in range(2 * rounds):
                await load.progress(40)
                kill_postgres(site.data_dir)
                await load.meets("503")
                await load.progress(10)

    with site.started() as server:
        site.run(kill_again_and_again())
        server.signal(signal.SIGTERM)
        assert server.ended() == 0
    assert nothing_left_of(site.data_dir)
    assert load.met.keys() <= {"503", "409"}
    site.assert_kept(load, "kills of PostgreSQL under load", 2 * rounds)


def test_kill_server_under_load_loses_nothing_confirmed(site: Site, rounds: int) -> None:
    load = Load(site.base, server_may_vanish=True)

    async def kill_again_and_again(server: Process) -> Process:
        async with load.running():
            for _ in range(2 * rounds):
                await load.progress(40)
                with server:
                    server.kill()
                server = await asyncio.to_thread(site.started)
            await load.progress(40)
        return server

    server = site.started()
    try:
        server = site.run(kill_again_and_again(server))
    finally:
        server.signal(signal.SIGTERM)
        server.__exit__()
    site.assert_kept(load, "kills of the server under load", 2 * rounds)


def test_terminate_server_under_load_finishes_every_request(site: Site, rounds: int) -> None:
    load = Load(site.base)

    async def end(server: Process, name: str) -> None:
        load.giving_up = False
        async with load.running(name, keeping=6, fresh=6):
            await load.progress(40)
            load.giving_up = True
            server.signal(signal.SIGTERM)
            await load.ended()

    for number in range(2 * rounds):
        with site.started() as server:
            site.run(end(server, f"{number}-"))
            signalled = time.monotonic()
            assert server.ended() == 0
            assert time.monotonic() - signalled < 20
    assert load.met["503"] == 0
    assert load.met["dropped, fresh connection"] == 0
    site.assert_kept(load, "ends of the server under load, no request dropped", 2 * rounds)


def test_terminate_server_within_a_request_finishes_it(site: Site) -> None:
    async def send_in_halves(server: Process) -> Response:
        mentor, jane = await make_mentor(site.base, "mia"), await make_mentor(site.base, "jane")
        whole = message("POST", "/requests", jane.token, asking(mentor))
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        try:
            writer.write(whole[:-20])
            server.signal(signal.SIGTERM)
            await refused(site.base)
            # A server that closes the connection too early does it within this time.
            await asyncio.sleep(0.2)
            writer.write(whole[-20:])
            return await read_response(reader)
        finally:
            writer.close()

    with site.started() as server:
        response = site.run(send_in_halves(server))
        assert server.ended() == 0
    assert (response.status, response.headers["Connection"]) == (201, "close")


async def test_terminate_server_with_buffered_requests_finishes_them(
    api: Api, settings: Settings
) -> None:
    server = http_server(make_app(api.services), settings)
    listening, port = bind_unused_port()
    server.add_sockets([listening])
    mentor = await api.mentor()
    call = message("GET", "/requests", mentor.token)
    with ExitStack() as stack:

        async def connected(**to: Any) -> tuple[asyncio.StreamReader, int]:
            reader, writer = await asyncio.open_connection(**to)
            stack.callback(writer.close)
            return reader, writer.get_extra_info("socket").fileno()

        lines = [await connected(host="127.0.0.1", port=port) for _ in range(20)]
        for reader, number in lines:
            os.write(number, call)
            assert "Connection" not in (await read_response(reader)).headers
        idle, asked = lines[:10], lines[10:]
        # Until it stops, the server does not run its event loop.
        fresh = [socket.create_connection(("127.0.0.1", port)) for _ in range(10)]
        for number in [number for _, number in asked] + [line.fileno() for line in fresh]:
            os.write(number, call)
        api.services.draining = True
        server.stop(accept_waiting=True)
        await server.finish_requests(api.services.metrics)
        asked += [await connected(sock=line) for line in fresh]
        for reader, _ in asked:
            response = await read_response(reader)
            assert (response.status, response.headers["Connection"]) == (200, "close")
        for reader, _ in idle:
            assert await reader.read() == b""


async def refused(base: str) -> None:
    """Wait until the port is closed."""
    with suppress(Refused, Dropped):
        while True:
            await Line(base).ask("GET", "/mentors", None, Connection="close")


def test_kill_postgres_without_durability_is_found_as_a_loss(site: Site) -> None:
    """The same load on a database that confirms before it writes: a loss must be found."""
    killed = 0

    async def lose(url: str) -> None:
        nonlocal killed
        # The server's connections were cut just before.
        await served_again(site.base)
        while True:
            load = Load(site.base)
            async with load.running(f"{killed}-", readers=0):
                await load.progress(40)
                load.giving_up = True
                kill_postgres(site.data_dir)
                await load.ended()
            killed += 1
            await served_again(site.base)
            found = await look_for(load, url)
            if found.writes < load.writes:
                tried["writes lost by a database that confirms early"] += load.writes - found.writes
                return
            assert killed < 20, "nothing was lost"

    with embedded.running(site.data_dir) as url:
        with site.started():
            # Set now, because the server refuses to start with it.
            confirm_early(url)
            site.run(lose(url))
        ended = run(data_dir=site.data_dir)
        assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
        assert "turn on synchronous_commit" in ended.stderr
    tried["kills of PostgreSQL until it lost them"] += killed


def confirm_early(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        connection.execute("ALTER SYSTEM SET wal_writer_flush_after = '1GB'")
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("ALTER DATABASE mentorapi SET synchronous_commit = off")
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = 'mentorapi' AND pid <> pg_backend_pid()"
        )


async def served_again(base: str) -> None:
    line, deadline = Line(base), time.monotonic() + PATIENCE
    while (await line.ask("GET", "/mentors?q=x", None)).status != 200:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    line.close()


def test_start_on_database_without_durability_is_refused(tmp_path: Path) -> None:
    changes = {
        "ALTER DATABASE mentorapi SET synchronous_commit = off": "synchronous_commit",
        "ALTER DATABASE mentorapi RESET synchronous_commit": None,
        "ALTER ROLE postgres SET synchronous_commit = off": "synchronous_commit",
        "ALTER ROLE postgres SET synchronous_commit = local": None,
        "ALTER SYSTEM SET fsync = off": "fsync",
        "ALTER SYSTEM SET full_page_writes = off": "fsync and full_page_writes",
        "ALTER SYSTEM RESET ALL": None,
    }
    with embedded.running(tmp_path / "var") as url:
        for change, complaint in changes.items():
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(change)
                connection.execute("SELECT pg_reload_conf()")
            # A reload takes effect after a moment.
            wait_until(lambda wanted=complaint: forgetful(url) == wanted)


def forgetful(url: str) -> str | None:
    try:
        check_server(url)
    except StartupError as error:
        return "".join(re.findall(r"turn on (.*) \(", str(error)))
    return None


# The server in this process, on a PostgreSQL that is killed --------------------------------------


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Wait for no lock. A test requests it before the server's fixture."""
    monkeypatch.setitem(connections.SESSION, "lock_timeout", "100ms")
    return monkeypatch


def test_crash_postgres_leaves_the_service_working(tmp_path: Path, io_loop: IOLoop) -> None:
    async def scenario(url: str) -> None:
        async for api in serve(url, settings, VERIFIER, tmp_path / "images"):
            await crash_and_look(api)

    async def crash_and_look(api: Api) -> None:
        mentor, pool = await api.mentor(), api.services.db
        await all_at_once(mentor)
        assert pool.get_size() > 1
        kill_postgres(tmp_path / "var")
        assert is_unavailable(await mentor.get("/requests"))
        assert is_unavailable(await mentor.patch("/mentor/me", {"headline": "Lost"}))
        assert is_unavailable(await api.nobody.get(f"/mentors/{mentor.id}"))
        await served_again(api.base)
        # More requests than connections, so that each connection is used.
        await all_at_once(mentor)
        for _ in range(settings.pool_size):
            assert (await mentor.get("/requests")).status == 200
        assert pool.get_idle_size() == pool.get_size()
        await listens(api, mentor.id)

    async def all_at_once(mentor: Any) -> None:
        responses = await asyncio.gather(
            *(mentor.get("/requests") for _ in range(4 * settings.pool_size))
        )
        assert {response.status for response in responses} == {200}

    settings = Settings(jwt_secret=SECRET, pool_size=5)
    with embedded.running(tmp_path / "var") as url:
        migrate(url)
        io_loop.run_sync(lambda: scenario(url))


async def listens(api: Api, mentor_id: str) -> None:
    """Assert that responses come from the cache again, and that a change evicts them."""
    path, cache, deadline = f"/mentors/{mentor_id}", api.services.cache, time.monotonic() + PATIENCE
    hits = cache.hits
    while cache.hits == hits:
        assert time.monotonic() < deadline, "the cache stays closed"
        assert (await api.nobody.get(path)).status == 200
        await asyncio.sleep(0.02)
    await api.db.execute("UPDATE mentors SET headline = 'By hand' WHERE id = $1", mentor_id)
    assert (await api.nobody.get(path)).json["headline"] == "By hand"


def test_kill_embedded_postgres_starts_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(embedded, "_WATCH_SECONDS", 0.05)
    data_dir = tmp_path / "var"
    rules, aside = data_dir / "postgres" / "pg_hba.conf", tmp_path / "aside"
    with embedded.running(data_dir) as url, embedded.running(data_dir):
        for _ in range(2):
            dead = psutil.Process(postmaster(data_dir))
            kill_postgres(data_dir)
            wait_until(lambda: reachable(url))
            wait_until(lambda process=dead: not process.is_running())
        # If it does not start, it is tried again. Each of the two that watch it logs a cause once.
        rules.rename(aside)
        kill_postgres(data_dir)
        wait_until(lambda: failed_starts(data_dir) > 4)
        aside.rename(rules)
        wait_until(lambda: reachable(url))
        assert caplog.text.count("did not start: could not load") in (1, 2)
        wait_until(lambda: caplog.text.count("is back") >= 3)
    # Both watch anew: one that failed to start it may not have seen yet that the other one did.
    with embedded.running(data_dir), embedded.running(data_dir):
        # A database that was shut down is not started again.
        os.kill(postmaster(data_dir), signal.SIGINT)
        wait_until(lambda: nothing_left_of(data_dir))
        time.sleep(1)
        assert nothing_left_of(data_dir)


def failed_starts(data_dir: Path) -> int:
    logs = (data_dir / "postgres" / "log").glob("*.log")
    return sum(each.read_text().count("could not load") for each in logs)


def reachable(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


# Clients that leave ------------------------------------------------------------------------------


async def test_close_connection_within_request_does_it_all_or_nothing(api: Api) -> None:
    mentor, jane, pool = await api.mentor(), api.user("jane"), api.services.db
    # By key: whether all bytes of the request are sent, or the first ones.
    sent = {f"{number}": number % 3 > 0 for number in range(60)}

    def call(key: str) -> dict[str, Any]:
        who = api.user(f"jane-{key}")
        body = asking(mentor, message=key)
        return {"token": who.token, "json": body, KEY: key}

    await jane.ok("GET", "/requests")
    for key, whole in sent.items():
        data = message("POST", "/requests", **call(key))
        await send_and_leave(api.base, data if whole else data[:-10], politely=int(key) % 2 == 0)
    await settled(api)
    rows = await api.db.fetch("SELECT message FROM requests")
    kept = await api.db.fetch("SELECT key, status FROM idempotency_keys")
    assert {row["message"] for row in rows} == {row["key"] for row in kept}
    assert not {key for key, whole in sent.items() if not whole} & {row["key"] for row in kept}
    line = Line(api.base)
    for key in sent:
        response = await line.ask("POST", "/requests", **call(key))
        assert response.status == 201
    line.close()
    assert await api.db.fetchval("SELECT count(*) FROM requests") == len(sent)
    assert pool.get_idle_size() == pool.get_size()


async def settled(api: Api) -> None:
    """Wait until no request is in progress."""
    pool, calm = api.services.db, 0
    while calm < 20:
        calm = calm + 1 if pool.get_idle_size() == pool.get_size() else 0
        await asyncio.sleep(0.02)


# Connections that are cut ------------------------------------------------------------------------


@pytest.fixture
def proxy(database_url: str, io_loop: IOLoop) -> Iterator[Proxy]:
    proxy = Proxy(database_url)
    yield proxy
    io_loop.run_sync(proxy.stop)


@pytest.fixture
def proxied(
    proxy: Proxy, settings: Settings, verifier: Verifier, io_loop: IOLoop, tmp_path: Path
) -> Iterator[Api]:
    url = io_loop.run_sync(proxy.start)
    with running(serve(url, settings, verifier, tmp_path), io_loop) as api:
        yield api


@pytest.mark.parametrize("when", ["before the commit", "after the commit"])
async def test_cut_connection_at_commit_keeps_one_effect(
    proxied: Api, proxy: Proxy, when: str
) -> None:
    mentor, jane = await proxied.mentor(), proxied.user("jane")
    request = await proxied.request(jane, mentor)
    path, headers = f"/requests/{request['id']}/accept", {KEY: "one"}

    def at_the_commit(from_database: bool, chunk: bytes) -> bool:
        if proxy.cuts:
            return False
        if when == "before the commit":
            return not from_database and b"COMMIT" in chunk
        return from_database and b"COMMIT" in chunk

    proxy.cut = at_the_commit
    assert is_unavailable(await mentor.post(path, headers=headers))
    assert proxy.cuts == 1
    retried = await mentor.post(path, headers=headers)
    assert retried.status == 200
    assert ("Idempotent-Replayed" in retried.headers) == (when == "after the commit")
    bookings = await proxied.db.fetch("SELECT id FROM bookings")
    assert [str(row["id"]) for row in bookings] == [retried.json["booking"]["id"]]


async def test_cut_connection_after_autocommit_keeps_one_effect(proxied: Api, proxy: Proxy) -> None:
    mentor, jane = await proxied.mentor(), proxied.user("jane")
    request = await proxied.request(jane, mentor)
    path, ready = f"/requests/{request['id']}/accept", b"Z\0\0\0\5I"
    proxy.cut = lambda from_database, chunk: (
        not proxy.cuts and from_database and b'"confirmed"' in chunk and chunk.endswith(ready)
    )
    assert is_unavailable(await mentor.post(path))
    assert proxy.cuts == 1
    assert is_error(await mentor.post(path), 409, "Only pending requests can be accepted")
    assert await proxied.db.fetchval("SELECT count(*) FROM bookings") == 1


@pytest.mark.parametrize("chunks", range(1, 12))
async def test_cut_connection_at_any_message_keeps_one_effect(
    proxied: Api, proxy: Proxy, chunks: int
) -> None:
    """Cut it at the first, the second, … message of PostgreSQL."""
    mentor, jane = await proxied.mentor(), proxied.user("jane")
    request = await proxied.request(jane, mentor)
    seen = 0

    def after_some(from_database: bool, _chunk: bytes) -> bool:
        nonlocal seen
        seen += from_database
        return from_database and seen == chunks

    path, headers = f"/requests/{request['id']}/accept", {KEY: "one"}
    proxy.cut = after_some
    response = await mentor.post(path, headers=headers)
    assert response.status == 200 or is_unavailable(response)
    for _ in range(3):
        retried = await mentor.post(path, headers=headers)
        if retried.status == 200:
            break
        assert is_unavailable(retried)
    assert retried.status == 200
    assert await proxied.db.fetchval("SELECT count(*) FROM bookings") == 1
    await listens(proxied, mentor.id)


@pytest.fixture
def quick_to_despair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_COMMAND_SECONDS", 1)
    monkeypatch.setattr(connections, "_CONNECT_SECONDS", 1)
    monkeypatch.setattr(statements, "ACQUIRE_SECONDS", 1)
    monkeypatch.setattr(listener, "REPLY_SECONDS", 1)
    monkeypatch.setattr(listener, "POLL_SECONDS", 0.2)


async def test_lose_every_packet_is_unavailable_until_it_passes(
    quick_to_despair: None, proxied: Api, proxy: Proxy, database_url: str
) -> None:
    mentor = await proxied.mentor()
    path = f"/mentors/{mentor.id}"
    await proxied.nobody.get(path)
    proxy.silent = True
    dba = await asyncpg.connect(database_url)
    await dba.execute("UPDATE mentors SET headline = 'Unheard of' WHERE id = $1", mentor.id)
    await dba.close()
    # The cache must not serve old data.
    while (response := await proxied.nobody.get(path)).status == 200:
        assert response.json["headline"] is None
        await asyncio.sleep(0.02)
    assert is_unavailable(response)
    assert is_unavailable(await mentor.patch("/mentor/me", {"headline": "x"}))
    proxy.silent = False
    deadline = time.monotonic() + PATIENCE
    while (response := await mentor.patch("/mentor/me", {"headline": "x"})).status != 200:
        assert is_unavailable(response)
        assert time.monotonic() < deadline
    await listens(proxied, mentor.id)


# What the pool meets -----------------------------------------------------------------------------


async def test_request_with_all_connections_busy_is_unavailable(
    api: Api, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    mentor, pool = await api.mentor(), api.services.db
    monkeypatch.setattr(statements, "ACQUIRE_SECONDS", 0.1)
    held = [await pool.acquire() for _ in range(settings.pool_size)]
    assert is_unavailable(await mentor.get("/requests"))
    assert is_unavailable(await mentor.patch("/mentor/me", {"headline": "x"}))
    for connection in held:
        pool.release(connection)
    assert (await mentor.get("/requests")).status == 200


@pytest.mark.parametrize("headers", [{}, {KEY: "one"}], ids=["plain", "with a key"])
@pytest.mark.parametrize("limit", ["lock_timeout", "statement_timeout"])
@pytest.mark.own_server
async def test_wait_for_lock_longer_than_the_limit_is_unavailable(
    impatience: pytest.MonkeyPatch, api: Api, limit: str, headers: dict[str, str]
) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    request = await api.request(jane, mentor)
    path = f"/requests/{request['id']}/accept"
    if limit == "statement_timeout":
        impatience.setitem(connections.SESSION, "lock_timeout", "5s")
        impatience.setitem(connections.SESSION, "statement_timeout", "100ms")
        # New connections have the setting.
        await api.db.execute(TERMINATE, await api.db.fetchval("SELECT current_database()"))
    connection = await api.db.acquire()
    async with connection.transaction():
        await connection.execute("SELECT FROM mentors WHERE id = $1 FOR UPDATE", mentor.id)
        assert is_unavailable(await mentor.post(path, headers=headers))
    await api.db.release(connection)
    # A busy machine may take longer than the limits.
    while (response := await mentor.post(path, headers=headers)).status != 200:
        assert is_unavailable(response)


TERMINATE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = $1 AND application_name = 'mentorapi'
"""


@pytest.mark.own_server
async def test_terminate_backends_is_unavailable_or_succeeds(api: Api) -> None:
    mentor = await api.mentor()
    for _ in range(3):
        await api.db.execute(TERMINATE, await api.db.fetchval("SELECT current_database()"))
        responses = [await mentor.get("/requests") for _ in range(3)]
        assert responses[-1].status == 200
        assert all(response.status == 200 or is_unavailable(response) for response in responses)
    await listens(api, mentor.id)


@pytest.mark.parametrize(
    ("close", "open_again"),
    [
        ("SET default_transaction_read_only = on", "RESET default_transaction_read_only"),
        ("ALLOW_CONNECTIONS false", "ALLOW_CONNECTIONS true"),
    ],
)
@pytest.mark.own_server
async def test_close_database_for_a_while_is_unavailable_until_it_opens(
    api: Api, postgres: str, database_url: str, close: str, open_again: str
) -> None:
    mentor = await api.mentor()
    name = database_url.partition("?")[0].rpartition("/")[2]
    admin = await asyncpg.connect(postgres)
    try:
        await admin.execute(f"ALTER DATABASE {name} {close}")
        await admin.execute(TERMINATE, name)
        responses = [await mentor.patch("/mentor/me", {"headline": "x"}) for _ in range(3)]
        assert all(is_unavailable(response) for response in responses)
        await admin.execute(f"ALTER DATABASE {name} {open_again}")
        await admin.execute(TERMINATE, name)
    finally:
        await admin.close()
    responses = [await mentor.patch("/mentor/me", {"headline": "x"}) for _ in range(3)]
    assert responses[-1].status == 200


TEMPORARY = """
    08000 08001 08003 08004 08006 08007 08P01 25006 25P03 25P04 28000 28P01 3D000 40001 40003 40P01
    53000 53100 53200 53300 53400 55000 55006 55P03 57000 57014 57P01 57P02 57P03 57P04 57P05
    58000 58030
"""


@pytest.mark.parametrize("code", TEMPORARY.split())
def test_translate_temporary_error_is_unavailable(code: str) -> None:
    error = asyncpg.PostgresError.new({"C": code, "S": "ERROR", "M": "trouble"})
    assert isinstance(translate(error), errors.Unavailable)


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InternalClientError("cannot switch to state"),
        asyncpg.exceptions.ProtocolError("unexpected message"),
        asyncpg.exceptions.TargetServerAttributeNotMatched("none is primary"),
        asyncpg.OutdatedSchemaCacheError("changed"),
        ConnectionResetError(),
        BrokenPipeError(),
        FileNotFoundError(),
        TimeoutError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_translate_connection_error_is_unavailable(error: Exception) -> None:
    assert isinstance(translate(error), errors.Unavailable)


#: Division by zero, null, array bounds, a sequence at its end, LIMIT, a log, a regular expression.
FAULTS = "22012 22004 2202E 2200H 2201W 2201E 2201B 23505 42601 42P01 XX000"

VALUES = "22000 22001 22003 22007 22008 22009 22021 22023 22P02 22P03 22P05"


@pytest.mark.parametrize("code", VALUES.split())
def test_translate_error_that_a_value_causes_is_bad_request(code: str) -> None:
    error = asyncpg.PostgresError.new({"C": code, "S": "ERROR", "M": "no date"})
    assert isinstance(translate(error), errors.BadRequest)


async def test_send_value_that_cannot_be_encoded_is_bad_request(api: Api) -> None:
    with pytest.raises(errors.BadRequest):
        await statements.fetch_row(api.services.db, "SELECT $1::int", 2**40)


async def test_divide_by_zero_in_our_sql_is_a_logged_fault(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    mentor = await api.mentor()
    monkeypatch.setattr(
        statements.profile.show, "sql", "-- profile.show: fails.\nSELECT 1 / (length($1) - 3)"
    )
    assert is_error(await mentor.get("/mentor/me"), 500, "Internal server error")
    assert "DivisionByZeroError" in caplog.text


@pytest.mark.own_server
async def test_raise_os_error_within_a_transaction_passes_as_it_is(api: Api) -> None:
    pool = api.services.db

    async def fail() -> None:
        async with statements.transaction(pool) as connection:
            await connection.execute("CREATE TABLE left_over ()")
            raise FileNotFoundError

    with pytest.raises(FileNotFoundError):
        await fail()
    assert await api.db.fetchval("SELECT to_regclass('left_over')") is None
    assert pool.get_idle_size() == pool.get_size()


@pytest.mark.parametrize("code", FAULTS.split())
def test_translate_fault_of_a_statement_is_none(code: str) -> None:
    error = asyncpg.PostgresError.new({"C": code, "S": "ERROR", "M": "fault"})
    assert translate(error) is None
