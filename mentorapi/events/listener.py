"""Listens for changes that PostgreSQL announces, and makes the cached responses stale.

Triggers send the topic of each change on the channel ``mentorapi``, whether this process, another
one or a person with psql made it. The topic ``all`` clears the cache.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from mentorapi.cache.responses import ResponseCache

CHANNEL = "mentorapi"

#: The topic of a change that may concern every response.
ALL = "all"

#: Seconds between two attempts to connect.
RETRY_SECONDS = 1.0

#: Seconds after which a connection that does not answer counts as lost.
REPLY_SECONDS = 5.0

#: Seconds between two checks of the connection: a broken network reports no error.
HEARTBEAT_SECONDS = 10.0

log = logging.getLogger(__name__)


class Listener:
    """Holds a connection of its own. While that is lost, the cache is closed."""

    def __init__(self, cache: ResponseCache, connect: Callable[[], Awaitable[Any]]) -> None:
        self._cache = cache
        self._connect = connect
        self._connection: Any = None
        self._lost = asyncio.Event()
        self._lock = asyncio.Lock()
        #: Round trips on the connection.
        self._started = self._finished = 0
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

    async def wait_until_current(self) -> None:
        """Wait until all changes that were committed before this call have reached the cache.

        PostgreSQL sends pending notifications before it reports that a query is done, so an empty
        query is enough. Calls that arrive during a round trip share the next one.
        """
        needed = self._started + 1
        async with self._lock:
            if self._finished >= needed or self._lost.is_set():
                return
            self._started += 1
            try:
                await self._connection.fetch("", timeout=REPLY_SECONDS)
            except Exception as error:
                log.debug("The listening connection does not answer: %r", error)
                self._mark_lost()
            self._finished = self._started

    async def _listen(self) -> None:
        connection = await self._connect()
        try:
            await connection.add_listener(CHANNEL, self._handle_change)
        except BaseException:
            connection.terminate()
            raise
        connection.add_termination_listener(self._handle_termination)
        if connection.is_closed():
            # It was lost before the termination listener was there.
            raise ConnectionResetError
        self._connection = connection
        self._lost.clear()
        self._cache.open()

    def _handle_change(self, _connection: Any, _pid: int, _channel: str, topic: str) -> None:
        if topic == ALL:
            self._cache.clear()
        else:
            self._cache.drop(topic)

    def _handle_termination(self, connection: Any) -> None:
        if connection is self._connection:
            self._mark_lost()

    def _mark_lost(self) -> None:
        self._cache.close()
        self._lost.set()

    async def _keep_listening(self) -> None:
        while True:
            while not self._lost.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._lost.wait(), HEARTBEAT_SECONDS)
                await self.wait_until_current()
            log.warning("The listening connection is lost: answering without the cache")
            self._connection.terminate()
            while self._lost.is_set():
                try:
                    await self._listen()
                except Exception as error:
                    # Any error at all: if this task ended, the cache would stay closed.
                    log.debug("Not listening yet: %r", error)
                    await asyncio.sleep(RETRY_SECONDS)
            log.info("Listening again")
