"""Connections go from hand to hand: in turn, and never a broken one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mentorapi.database import open_pool
from mentorapi.pool import Pool
from tests.client import Api


@asynccontextmanager
async def pool_of(url: str, size: int) -> AsyncIterator[Pool]:
    pool = await open_pool(url, size)
    try:
        yield pool
    finally:
        await pool.close()


async def test_who_came_first_is_served_first(database_url: str) -> None:
    served: list[int] = []

    async def come(number: int) -> None:
        async with pool.loan(10) as connection:
            await connection.fetchval("SELECT 1")
            served.append(number)

    async with pool_of(database_url, 1) as pool:
        await asyncio.gather(*(come(number) for number in range(20)))
    assert served == list(range(20))


async def test_there_are_never_more_than_its_size(database_url: str) -> None:
    async def look() -> int:
        async with pool.loan(10) as connection:
            return int(await connection.fetchval("SELECT pg_backend_pid()"))

    async with pool_of(database_url, 3) as pool:
        seen = await asyncio.gather(*(look() for _ in range(50)))
        assert pool.get_size() <= 3
        assert pool.get_idle_size() == pool.get_size()
    assert 1 <= len(set(seen)) <= 3


async def test_one_that_is_waited_for_in_vain_is_free_afterwards(database_url: str) -> None:
    async with pool_of(database_url, 1) as pool:
        async with pool.loan(10):
            for _ in range(3):
                try:
                    async with pool.loan(0.01):
                        raise AssertionError("there is only one")
                except TimeoutError as error:
                    assert str(error) == "no connection within 0.01 s"  # noqa: PT017
        async with pool.loan(1) as connection:
            assert await connection.fetchval("SELECT 1") == 1


async def test_each_waits_as_long_as_she_wanted_to(database_url: str) -> None:
    async def come(seconds: float) -> float:
        try:
            async with pool.loan(seconds):
                return 0
        except TimeoutError:
            return seconds

    async with pool_of(database_url, 1) as pool:
        async with pool.loan(10):
            patient = asyncio.create_task(come(10))
            hurried = [asyncio.create_task(come(seconds)) for seconds in (0.03, 0.01, 0.02)]
            assert await asyncio.gather(*hurried) == [0.03, 0.01, 0.02]
            assert pool.waiting == 1
        assert await patient == 0


async def test_who_leaves_when_her_turn_comes_does_not_take_the_connection_along(
    database_url: str,
) -> None:
    async def come() -> None:
        async with pool.loan(10):
            raise AssertionError("she had left")

    async with pool_of(database_url, 1) as pool:
        async with pool.loan(10):
            leaving = asyncio.create_task(come())
            await asyncio.sleep(0)
            assert pool.waiting == 1
        leaving.cancel()
        await asyncio.wait([leaving])
        assert leaving.cancelled()
        async with pool.loan(1) as connection:
            assert await connection.fetchval("SELECT 1") == 1


async def test_a_connection_that_was_cut_while_nobody_used_it_is_not_handed_out(api: Api) -> None:
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
        # Beside the listener there is another one, so the pool has noticed.
        while await api.db.fetchval(f"SELECT count(*) {ours}") < 2:
            pass
