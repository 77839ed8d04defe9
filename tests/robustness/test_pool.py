"""The pool of connections: its queue, deadlines, fair shares, and lost connections."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from mentorapi import errors
from mentorapi.database import fair_queue, statements
from mentorapi.database import pool as pools
from mentorapi.database.connections import connect, open_pool
from mentorapi.database.fair_queue import SYSTEM
from mentorapi.database.pool import DatabaseConnection, Pool
from mentorapi.events import listener
from mentorapi.http import limiter as limiters
from mentorapi.http.limiter import CallerLimiter
from tests.client import Api
from tests.conftest import execute
from tests.serving import SETTINGS, VERIFIER, serve


@asynccontextmanager
async def pool_of(url: str, size: int) -> AsyncIterator[Pool]:
    pool = await open_pool(url, size)
    try:
        yield pool
    finally:
        await pool.close()


@asynccontextmanager
async def acquired(
    pool: Pool, seconds: float = 10.0, caller: str = SYSTEM
) -> AsyncIterator[DatabaseConnection]:
    connection = await pool.acquire(seconds, caller)
    try:
        yield connection
    finally:
        pool.release(connection)


async def test_acquire_when_busy_serves_waiters_in_order(database_url: str) -> None:
    served: list[int] = []

    async def come(number: int) -> None:
        async with acquired(pool, 10) as connection:
            await connection.fetchval("SELECT 1")
            served.append(number)

    async with pool_of(database_url, 1) as pool:
        await asyncio.gather(*(come(number) for number in range(20)))
    assert served == list(range(20))


async def test_acquire_many_opens_no_more_than_the_maximum(database_url: str) -> None:
    async def look() -> int:
        async with acquired(pool, 10) as connection:
            return int(await connection.fetchval("SELECT pg_backend_pid()"))

    async with pool_of(database_url, 3) as pool:
        seen = await asyncio.gather(*(look() for _ in range(50)))
        assert pool.get_size() <= 3
        assert pool.get_idle_size() == pool.get_size()
    assert 1 <= len(set(seen)) <= 3


async def test_acquire_in_vain_leaves_the_connection_free(database_url: str) -> None:
    async with pool_of(database_url, 1) as pool:
        async with acquired(pool, 10):
            for _ in range(3):
                try:
                    async with acquired(pool, 0.01):
                        raise AssertionError("there is only one")
                except TimeoutError as error:
                    assert str(error) == "no connection within 0.01 s"  # noqa: PT017
        async with acquired(pool, 1) as connection:
            assert await connection.fetchval("SELECT 1") == 1


async def test_acquire_with_timeout_waits_that_long(database_url: str) -> None:
    async def come(seconds: float) -> float:
        try:
            async with acquired(pool, seconds):
                return 0
        except TimeoutError:
            return seconds

    async with pool_of(database_url, 1) as pool:
        async with acquired(pool, 10):
            patient = asyncio.create_task(come(10))
            hurried = [asyncio.create_task(come(seconds)) for seconds in (0.03, 0.01, 0.02)]
            assert await asyncio.gather(*hurried) == [0.03, 0.01, 0.02]
            assert pool.waiting == 1
        assert await patient == 0


async def test_cancel_waiter_at_its_turn_leaves_the_connection_free(
    database_url: str,
) -> None:
    async def come() -> None:
        async with acquired(pool, 10):
            raise AssertionError("she had left")

    async with pool_of(database_url, 1) as pool:
        async with acquired(pool, 10):
            leaving = asyncio.create_task(come())
            await asyncio.sleep(0)
            assert pool.waiting == 1
        leaving.cancel()
        await asyncio.wait([leaving])
        assert leaving.cancelled()
        async with acquired(pool, 1) as connection:
            assert await connection.fetchval("SELECT 1") == 1


@pytest.mark.own_server
async def test_acquire_after_idle_connection_was_cut_gets_another(api: Api) -> None:
    ours = (
        "FROM pg_stat_activity "
        "WHERE application_name = 'mentorapi' AND datname = current_database()"
    )
    ada = api.user("ada")
    for _ in range(5):
        assert (await ada.get("/sessions")).status == 200
        cut = await api.db.fetch(
            f"SELECT pg_terminate_backend(pid, 5000) {ours} AND query LIKE '-- session_list%'"
        )
        assert len(cut) == 1
        # The client side has noticed the end of the connection.
        while api.services.db.get_size():
            await api.db.execute("SELECT")


# Deadlines -------------------------------------------------------------------------------------


async def test_acquire_with_close_deadlines_leaves_every_connection_free(database_url: str) -> None:
    """uvloop uses another kind of handle for deadlines that are due at once."""
    ended: list[object] = []

    async def come() -> None:
        try:
            async with acquired(pool, random.uniform(0, 0.02)):
                await asyncio.sleep(0.001)
        except Exception as error:
            ended.append(type(error))

    async with pool_of(database_url, 2) as pool:
        for _ in range(100):
            await asyncio.gather(*(come() for _ in range(50)))
        assert set(ended) == {TimeoutError}
        assert pool.waiting == 0
        assert pool.get_idle_size() == pool.get_size()
        async with acquired(pool, 1) as connection:
            assert await connection.fetchval("SELECT 1") == 1


async def test_send_storm_of_one_user_leaves_every_connection_free(
    monkeypatch: pytest.MonkeyPatch, api: Api
) -> None:
    monkeypatch.setattr(statements, "ACQUIRE_SECONDS", 0.02)
    mentor, pool = await api.mentor(), api.services.db
    quarters = [f"{minute // 60:02}:{minute % 60:02}" for minute in range(0, 1440, 15)]
    windows = [
        {"dayOfWeek": day, "startTime": start, "endTime": end}
        for day in range(2)
        for start, end in itertools.pairwise(quarters)
    ]
    responses = []
    for _ in range(3):
        responses += await asyncio.gather(
            *(mentor.put("/mentor/availability", {"slots": windows}) for _ in range(50))
        )
    assert {response.status for response in responses} == {200, 503}
    assert pool.waiting == 0
    assert pool.get_idle_size() == pool.get_size()
    monkeypatch.setattr(statements, "ACQUIRE_SECONDS", 10)
    assert (await mentor.get("/mentor/availability")).status == 200


async def test_leave_connections_idle_closes_them(
    monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    monkeypatch.setattr(pools, "IDLE_SECONDS", 0.05)
    async with pool_of(database_url, 3) as pool, acquired(pool) as used:
        pool.release(await pool.acquire())
        while pool.get_size() > 1:
            await used.fetchval("SELECT 1")


# Fair shares -----------------------------------------------------------------------------------


async def test_acquire_by_several_callers_takes_turns_between_them(database_url: str) -> None:
    served: list[str] = []

    async def come(caller: str) -> None:
        async with acquired(pool, 10, caller) as connection:
            await connection.fetchval("SELECT 1")
            served.append(caller)

    async with pool_of(database_url, 1) as pool:
        await asyncio.gather(
            *(come("ada") for _ in range(20)), *(come("bob") for _ in range(2)), come("cyn")
        )
    assert served[:6] == ["ada", "ada", "bob", "cyn", "ada", "bob"]


async def test_acquire_goes_to_the_caller_that_holds_the_fewest(database_url: str) -> None:
    async with pool_of(database_url, 3) as pool:
        held = [await pool.acquire(10, "ada") for _ in range(3)]
        ada, bob = (asyncio.ensure_future(pool.acquire(10, name)) for name in ("ada", "bob"))
        await asyncio.sleep(0)
        pool.release(held.pop())
        assert (await bob).caller == "bob"
        assert not ada.done()
        pool.release(held.pop())
        pool.release(await bob)
        held.append(await ada)
        for connection in held:
            pool.release(connection)
        assert pool.get_idle_size() == 3


async def test_acquire_by_one_caller_alone_uses_every_connection(database_url: str) -> None:
    async with pool_of(database_url, 3) as pool:
        pool.release(await pool.acquire(10, "bob"))
        # She gets the last connection when Bob no longer counts as active.
        held = [await pool.acquire(10, "ada") for _ in range(3)]
        assert pool.get_size() == 3
        for connection in held:
            pool.release(connection)


async def test_acquire_while_others_are_active_leaves_one_for_them(
    monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    monkeypatch.setattr(fair_queue, "SHARED_SECONDS", 60)
    async with pool_of(database_url, 3) as pool:
        pool.release(await pool.acquire(10, "bob"))
        held = [await pool.acquire(10, "ada") for _ in range(2)]
        with pytest.raises(TimeoutError):
            await pool.acquire(0.1, "ada")
        held.append(await pool.acquire(10, "bob"))
        for connection in held:
            pool.release(connection)
        assert pool.get_idle_size() == pool.get_size()


async def test_read_while_another_user_waits_for_a_lock_succeeds(
    monkeypatch: pytest.MonkeyPatch, api: Api
) -> None:
    monkeypatch.setattr(fair_queue, "SHARED_SECONDS", 60)
    mentor, ada = await api.mentor(), api.user("ada")
    await ada.ok("GET", "/sessions")
    async with api.db.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM mentors WHERE id = $1 FOR UPDATE", mentor.id)
        writes = [
            asyncio.ensure_future(mentor.patch("/mentor/me", {"headline": str(number)}))
            for number in range(40)
        ]
        while await api.db.fetchval(LOCKED) < api.services.db.max_size - 1:
            assert not any(write.done() for write in writes)
        for _ in range(5):
            assert (await ada.get("/sessions")).status == 200
        assert not any(write.done() for write in writes)
    assert {response.status for response in await asyncio.gather(*writes)} == {200}


async def test_send_many_requests_of_one_user_admits_few_at_a_time(
    monkeypatch: pytest.MonkeyPatch, api: Api
) -> None:
    """The bodies of the refused requests are not checked: it would delay other users."""
    mentor, pool = await api.mentor(), api.services.db
    async with api.db.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM mentors WHERE id = $1 FOR UPDATE", mentor.id)
        writes = [
            asyncio.ensure_future(mentor.patch("/mentor/me", {"headline": str(number)}))
            for number in range(80)
        ]
        while api.services.metrics.requests_in_progress < len(writes):
            await api.db.execute("SELECT")
        assert pool.waiting <= 2 * api.services.settings.pool_size
    assert {response.status for response in await asyncio.gather(*writes)} == {200}
    assert not api.services.caller_limiter.semaphores


async def test_acquire_turn_in_vain_takes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiters, "MAX_WAIT_SECONDS", 0.05)
    limiter = CallerLimiter(20)
    held = [await limiter.acquire("ada") for _ in range(20)]
    with pytest.raises(errors.Unavailable):
        await limiter.acquire("ada")
    leaving = asyncio.create_task(limiter.acquire("ada"))
    await asyncio.sleep(0)
    held.pop()()
    leaving.cancel()
    await asyncio.wait([leaving])
    held += [await limiter.acquire(name) for name in ("ada", "bob")]
    with pytest.raises(errors.Unavailable):
        await limiter.acquire("ada")
    for end in held:
        end()
    for name in ("ada", "bob"):
        assert [await limiter.acquire(name) for _ in range(20)]


LOCKED = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


# A server that allows fewer connections than the pool has -----------------------------------------


@asynccontextmanager
async def limited(database_url: str, connections: int) -> AsyncIterator[str]:
    """The URL for a user with this connection limit."""
    name = f"limited_{os.getpid()}"
    await execute(database_url, f"CREATE ROLE {name} LOGIN CONNECTION LIMIT {connections}")
    parts = urlsplit(database_url)
    host = parts.netloc.rpartition("@")[2]
    try:
        yield urlunsplit(parts._replace(netloc=f"{name}@{host}"))
    finally:
        await execute(database_url, f"DROP ROLE {name}")


async def test_acquire_beyond_the_servers_limit_waits_for_a_free_one(database_url: str) -> None:
    async def come() -> None:
        async with acquired(pool, 30) as connection:
            await connection.fetchval("SELECT pg_sleep(0.01)")

    async with limited(database_url, 3) as url, pool_of(url, 10) as pool:
        await asyncio.gather(*(come() for _ in range(100)))
        assert pool.get_size() <= 3


async def test_acquire_without_any_connection_fails_at_its_deadline(
    monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    monkeypatch.setattr(pools, "RETRY_SECONDS", 0.05)
    async with limited(database_url, 1) as url, pool_of(url, 2) as other:
        pool = pools.Pool(lambda: connect(url), 2)
        async with acquired(other):
            complaint = ""
            # The first attempt to connect may take longer.
            while complaint in ("", "no connection within 0.3 s"):
                with pytest.raises(TimeoutError) as raised:
                    await pool.acquire(0.3)
                complaint = str(raised.value)
            assert "within 0.3 s: too many connections for role" in complaint
            waiting = asyncio.ensure_future(pool.acquire(30))
            await asyncio.sleep(0.1)
            assert not waiting.done()
        await other.close()
        pool.release(await waiting)
        await pool.close()


async def test_start_with_a_single_connection_serves_without_the_cache(
    monkeypatch: pytest.MonkeyPatch, database_url: str, tmp_path: Path
) -> None:
    monkeypatch.setattr(listener, "RETRY_SECONDS", 0.05)
    async with limited(database_url, 1) as url:
        name = urlsplit(url).username
        grant = f"EXECUTE format('GRANT %I TO {name}', current_user)"
        await execute(database_url, f"DO $$BEGIN {grant}; END$$")
        async for api in serve(url, SETTINGS, VERIFIER, tmp_path):
            for _ in range(2):
                assert (await api.nobody.get("/mentors")).status == 200
            assert api.services.cache.hits == 0
            await execute(database_url, f"ALTER ROLE {name} CONNECTION LIMIT 2")
            while not api.services.cache.hits:
                assert (await api.nobody.get("/mentors")).status == 200
