"""A pool of asyncpg connections: first come, first served, with a fair share for each caller.

`mentorapi.database.fair_queue` says which caller is next.
"""

import asyncio
from asyncio import get_running_loop
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeAlias

import asyncpg

from mentorapi.database.fair_queue import SYSTEM, FairQueue, Waiter

#: An idle connection is closed after this time.
IDLE_SECONDS = 300.0

#: Pause before the next attempt when the server has refused one more connection (53300).
RETRY_SECONDS = 1.0

#: For a connection to end its work and to close.
CLOSE_SECONDS = 5.0


class DatabaseConnection(asyncpg.Connection):
    """A connection of asyncpg, with what the pool and the log need."""

    #: Process id of its backend. asyncpg's ``get_server_pid()`` raises once the connection is lost.
    backend: int | None = None
    #: Whether it is closed when it is released: its server is read-only, or its state unknown.
    must_close = False
    #: The caller that holds it.
    caller = SYSTEM
    idle_since = 0.0


class Pool:
    """A pool of at most ``max_size`` connections; ``connect`` opens one when it is needed.

    ``prepare`` runs each time before a connection is handed out.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[DatabaseConnection]],
        max_size: int,
        prepare: Callable[[DatabaseConnection], Awaitable[object]] | None = None,
    ) -> None:
        self._connect, self.max_size, self._prepare = connect, max_size, prepare
        self._connections: set[DatabaseConnection] = set()
        #: The connections that no caller holds; the last one was used last.
        self._idle: list[DatabaseConnection] = []
        self._opening = 0
        self._queue = FairQueue(max_size)
        self._share_timer: asyncio.Handle | None = None
        self._idle_timer: asyncio.Handle | None = None
        #: Why the server last refused a connection, as the end of a message.
        self._refusal = ""
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self._all_released = asyncio.Event()
        #: Called with the seconds of each wait, including those that fail.
        self.waited: Callable[[float], object] = lambda seconds: None

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def get_size(self) -> int:
        return sum(not connection.is_closed() for connection in self._connections)

    def get_idle_size(self) -> int:
        return sum(not connection.is_closed() for connection in self._idle)

    async def acquire(self, seconds: float = 10.0, caller: str = SYSTEM) -> DatabaseConnection:
        """Take a connection, which must be given to `release`.

        Raises TimeoutError after ``seconds``, and what ``connect`` and ``prepare`` raise.
        """
        if self._closing:
            raise asyncpg.InterfaceError("the pool is closed")
        started = get_running_loop().time()
        self._queue.note_request(caller)
        try:
            if self._has_idle() and self._queue.may_take(caller):
                connection = self._take_idle(caller)
            else:
                connection = await self._wait(seconds, caller)
        finally:
            self.waited(get_running_loop().time() - started)
        if self._prepare is not None:
            try:
                await self._prepare(connection)
            except BaseException:
                connection.must_close = True
                self.release(connection)
                raise
        return connection

    def release(self, connection: DatabaseConnection) -> None:
        self._queue.release(connection.caller)
        if connection.must_close or connection.is_closed() or connection.is_in_transaction():
            self._discard(connection)
        else:
            self._keep(connection)
        self._serve()

    async def close(self) -> None:
        """Close each connection as soon as it is released."""
        self._closing = True
        while self._queue:
            self._queue.fail_first(asyncpg.InterfaceError("the pool is closed"))
        while self._idle:
            self._discard(self._idle.pop())
        while self._tasks or self._connections:
            if self._tasks:
                await asyncio.wait(self._tasks)
            else:
                await self._all_released.wait()
        self.terminate()

    def terminate(self) -> None:
        """Abort everything."""
        self._closing = True
        for scheduled in (self._share_timer, self._idle_timer, *self._tasks):
            if scheduled is not None:
                scheduled.cancel()
        for connection in self._connections:
            connection.terminate()

    # Waiters ----------------------------------------------------------------------------------

    async def _wait(self, seconds: float, caller: str) -> DatabaseConnection:
        waiter = get_running_loop().create_future()
        timer = get_running_loop().call_later(seconds, self._expire, waiter, seconds)
        try:
            self._queue.add(caller, waiter)
            self._serve()
            connection: DatabaseConnection = await waiter
        except BaseException:
            self._queue.remove(caller, waiter)
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                # Cancelled after a connection was handed to it.
                self.release(waiter.result())
            raise
        finally:
            timer.cancel()
        return connection

    def _expire(self, waiter: Waiter, seconds: float) -> None:
        if not waiter.done():
            waiter.set_exception(TimeoutError(f"no connection within {seconds:g} s{self._refusal}"))

    def _serve(self) -> None:
        """Give idle connections to waiters, and open more for the others."""
        while self._has_idle() and (found := self._queue.pop()) is not None:
            caller, waiter = found
            waiter.set_result(self._take_idle(caller))
        while (
            len(self._connections) + self._opening < self.max_size and self._opening < self.waiting
        ):
            self._opening += 1
            self._start(self._open())
        loop = get_running_loop()
        if self._share_timer is None and self._queue and loop.time() < self._queue.shared_until:
            self._share_timer = loop.call_at(self._queue.shared_until, self._end_sharing)

    def _end_sharing(self) -> None:
        self._share_timer = None
        self._serve()

    # Connections ------------------------------------------------------------------------------

    def _has_idle(self) -> bool:
        while self._idle and self._idle[-1].is_closed():
            self._discard(self._idle.pop())
        return bool(self._idle)

    def _take_idle(self, caller: str) -> DatabaseConnection:
        connection = self._idle.pop()
        connection.caller = caller
        self._queue.hold(caller)
        return connection

    def _keep(self, connection: DatabaseConnection) -> None:
        if self._closing:
            self._discard(connection)
            return
        loop = get_running_loop()
        connection.idle_since = loop.time()
        self._idle.append(connection)
        if self._idle_timer is None:
            self._idle_timer = loop.call_later(IDLE_SECONDS, self._close_idle)

    def _close_idle(self) -> None:
        loop = get_running_loop()
        while self._idle and self._idle[0].idle_since <= loop.time() - IDLE_SECONDS:
            self._discard(self._idle.pop(0))
        self._idle_timer = loop.call_later(IDLE_SECONDS, self._close_idle) if self._idle else None

    def _discard(self, connection: DatabaseConnection) -> None:
        self._connections.discard(connection)
        if not connection.is_closed():
            self._start(_close(connection))
        if not self._connections:
            self._all_released.set()

    async def _open(self) -> None:
        try:
            connection = await self._connect()
        except asyncpg.TooManyConnectionsError as error:
            # The waiters get a connection that is released, or one of the next attempt. Until then
            # this attempt counts as one that is opening.
            self._refusal = f": {error}"
            await asyncio.sleep(RETRY_SECONDS)
        except Exception as error:
            self._queue.fail_first(error)
        else:
            self._refusal = ""
            self._all_released.clear()
            self._connections.add(connection)
            self._keep(connection)
        finally:
            self._opening -= 1
        self._serve()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _close(connection: DatabaseConnection) -> None:
    with suppress(Exception):
        await connection.close(timeout=CLOSE_SECONDS)


#: What a statement runs on: any connection of the pool, or the one of a transaction.
Database: TypeAlias = Pool | DatabaseConnection
