"""The reader of the event log. A new event makes the cached responses that it concerns stale.

A process reads the log before it responds to a write of its own, and when another process notifies
it. It also reads at intervals, to find changes by psql and those whose notification was lost.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any

import asyncpg

from mentorapi.cache.responses import ResponseCache
from mentorapi.database import statements

CHANNEL = "mentorapi"

#: The topic of a change that may concern every response.
ALL = "all"

#: Settings of the connection: a NOTIFY waits for no disk and no standby, and only briefly for those
#: of other programs on the same PostgreSQL.
SESSION = {"synchronous_commit": "off", "lock_timeout": "100ms"}

#: Seconds between two attempts to connect.
RETRY_SECONDS = 1.0

#: Seconds after which a connection that does not respond counts as lost. Until then, responses to
#: writes wait. Under overload, a read of the log took 0.04 seconds at most.
REPLY_SECONDS = 1.0

#: Seconds between two reads of the log without a notification.
POLL_SECONDS = 0.5

#: Seconds after the start of a read of the log in which cached responses are sent. The next read is
#: earlier, unless the process is stopped or PostgreSQL does not respond.
CURRENT_SECONDS = 2.0

#: Seconds from a write to the notification of the other processes: one for all writes in this time.
#: PostgreSQL commits transactions that notify one after the other, so there should be few.
NOTIFY_SECONDS = 0.01

log = logging.getLogger(__name__)


class Listener:
    """The connection that reads the log. While it is lost, the cache is closed."""

    def __init__(self, cache: ResponseCache, connect: Callable[[], Awaitable[Any]]) -> None:
        self._cache = cache
        self._connect = connect
        #: None while it is lost.
        self._connection: Any = None
        self._lock = asyncio.Lock()
        #: How many reads of the log have begun, and the number of the last one that ended.
        self._started = self._finished = 0
        #: The snapshot of the last read.
        self._snapshot: str | None = None
        #: Set when the log has to be read, or the connection is lost.
        self._wake = asyncio.Event()
        #: Set when the other processes have to be notified.
        self._written = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to follow the log. Without a connection, keep trying: the cache stays closed."""
        with self._lost_on_error():
            await self._listen()
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._notify())]

    @property
    def connected(self) -> bool:
        return self._connection is not None

    async def close(self) -> None:
        self._cache.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._connection is not None:
            self._connection.terminate()

    async def note_write(self) -> None:
        """Call after a commit: read the log, and notify the other processes in a moment."""
        self.notify_soon()
        await self.wait_until_current()

    def notify_soon(self) -> None:
        self._written.set()

    async def wait_until_current(self) -> None:
        """Wait until all changes that were committed before this call have reached the cache.

        Calls that arrive during a read of the log share the next one.
        """
        needed = self._started + 1
        async with self._lock:
            if self._finished >= needed or not self.connected:
                return
            self._started += 1
            with self._lost_on_error():
                await self._read(self._connection)
            self._finished = self._started

    async def _read(self, connection: Any) -> None:
        began = monotonic()
        row = await connection.fetchrow(
            statements.events.list_stale.sql, self._snapshot, timeout=REPLY_SECONDS
        )
        self._snapshot = row["snapshot"]
        for topic in row["topics"]:
            if topic == ALL:
                self._cache.clear()
            else:
                self._cache.drop(topic)
        self._cache.current_until = began + CURRENT_SECONDS

    async def _notify(self) -> None:
        while True:
            await self._written.wait()
            await asyncio.sleep(NOTIFY_SECONDS)
            self._written.clear()
            async with self._lock:
                if self.connected:
                    with self._lost_on_error(), suppress(asyncpg.LockNotAvailableError):
                        await self._connection.execute(f"NOTIFY {CHANNEL}", timeout=REPLY_SECONDS)

    @contextmanager
    def _lost_on_error(self) -> Iterator[None]:
        """Catch any error of the block, and mark the connection as lost."""
        try:
            yield
        except Exception as error:
            log.debug("The event log cannot be read: %r", error)
            self._mark_lost()

    async def _listen(self) -> None:
        connection = await self._connect()
        try:
            await connection.add_listener(CHANNEL, self._handle_notification)
            self._snapshot = None
            await self._read(connection)
        except BaseException:
            connection.terminate()
            raise
        self._connection = connection
        self._cache.open()

    def _handle_notification(self, connection: Any, pid: int, *_: object) -> None:
        if pid != connection.backend:
            self._wake.set()

    def _mark_lost(self) -> None:
        self._cache.close()
        lost, self._connection = self._connection, None
        if lost is not None:
            lost.terminate()
        self._wake.set()

    async def _follow(self) -> None:
        while True:
            while self.connected:
                with suppress(TimeoutError):
                    # asyncio.wait_for() of Python 3.11 may swallow the cancellation by close().
                    async with asyncio.timeout(POLL_SECONDS):
                        await self._wake.wait()
                self._wake.clear()
                await self.wait_until_current()
            log.warning("The event log cannot be read: responding without the cache")
            logged: set[str] = set()
            while not self.connected:
                try:
                    await self._listen()
                except Exception as error:
                    # Any error at all: if this task ended, the cache would stay closed.
                    if (cause := repr(error)) not in logged:
                        log.warning("The event log cannot be read yet: %s", cause)
                        logged.add(cause)
                    await asyncio.sleep(RETRY_SECONDS)
            log.info("Reading the event log again")
