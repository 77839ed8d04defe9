"""Hears from PostgreSQL what has changed, and has the cache forget it.

The triggers of the migrations tell it on the channel ``mentorapi``, whoever writes: this process,
another one, or a person with psql.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from mentorapi.cache.answers import Cache

CHANNEL = "mentorapi"

#: Seconds between attempts to get the connection back, for an answer on it, and between looks at
#: whether it is there at all: a network that swallows packets tells nobody.
RETRY = 1.0
PATIENCE = 5.0
HEARTBEAT = 10.0

log = logging.getLogger(__name__)


class Listener:
    """One connection of its own. While it is away, the cache is closed."""

    def __init__(self, cache: Cache, connect: Callable[[], Awaitable[Any]]) -> None:
        self._cache = cache
        self._connect = connect
        self._connection: Any = None
        self._lost = asyncio.Event()
        self._turn = asyncio.Lock()
        self._begun = self._ended = 0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._listen()
        self._task = asyncio.create_task(self._keep_listening())

    @property
    def connected(self) -> bool:
        return self._connection is not None and not self._lost.is_set()

    async def close(self) -> None:
        self._cache.close()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._connection is not None:
            self._connection.terminate()

    async def settle(self) -> None:
        """Wait until everything that was committed before this call has been heard of.

        PostgreSQL delivers what it has for a listener before it says that it is ready again, so an
        empty query will do. Those who come while one is under way share the next.
        """
        wanted = self._begun + 1
        async with self._turn:
            if self._ended >= wanted or self._lost.is_set():
                return
            self._begun += 1
            try:
                await self._connection.fetch("", timeout=PATIENCE)
            except Exception as error:
                log.debug("No word from the listening connection: %r", error)
                self._lose()
            self._ended = self._begun

    async def _listen(self) -> None:
        connection = await self._connect()
        try:
            await connection.add_listener(CHANNEL, self._heard)
        except BaseException:
            connection.terminate()
            raise
        connection.add_termination_listener(self._gone)
        if connection.is_closed():
            # It was lost before that, and will not tell.
            raise ConnectionResetError
        self._connection = connection
        self._lost.clear()
        self._cache.open()

    def _heard(self, _connection: Any, _pid: int, _channel: str, topic: str) -> None:
        self._cache.drop(topic)

    def _gone(self, connection: Any) -> None:
        if connection is self._connection:
            self._lose()

    def _lose(self) -> None:
        self._cache.close()
        self._lost.set()

    async def _keep_listening(self) -> None:
        while True:
            while not self._lost.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._lost.wait(), HEARTBEAT)
                await self.settle()
            log.warning("The listening connection is lost: answering without the cache")
            self._connection.terminate()
            while self._lost.is_set():
                try:
                    await self._listen()
                except Exception as error:
                    # Whatever it is: without this task, the cache would stay closed for good.
                    log.debug("Not listening yet: %r", error)
                    await asyncio.sleep(RETRY)
            log.info("Listening again")
