"""A pool of asyncpg connections: first come, first served, with a fair share for each caller.

A caller is a user id, or a client's address where there is no token. A connection that becomes free
goes to the waiting caller that holds the fewest; among equals, to the one served longest ago. While
several callers are active, the last connection is kept for a caller that holds none: otherwise one
caller whose statements all wait for one row lock would make all others wait for that lock, too.
A caller alone may use every connection.
"""

from __future__ import annotations

import asyncio
from asyncio import Future, get_running_loop
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeAlias

import asyncpg

#: The caller that is the service itself: probes and the sweep. No user id and no address is empty.
SYSTEM = ""

#: Seconds after which a connection that is not used is closed.
IDLE_SECONDS = 300.0

#: Seconds without a new attempt after the server has refused one more connection (53300).
RETRY_SECONDS = 1.0

#: Seconds for which several callers count as active after a request of another one.
SHARED_SECONDS = 1.0

#: Seconds for a connection to end what it does and to close.
CLOSE_SECONDS = 5.0


class Connection(asyncpg.Connection):
    """asyncpg's, with what the pool and the log need to know of it."""

    #: Process id of its backend. asyncpg's ``get_server_pid()`` raises once the connection is lost.
    backend: int | None = None
    #: Set to have it replaced: its server is read-only, or its state is not known.
    must_close = False
    #: The caller that holds it.
    caller = SYSTEM
    idle_since = 0.0


class Pool:
    """At most ``max_size`` connections, made by ``connect`` when they are needed.

    ``prepare`` runs each time before a connection is handed out.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Connection]],
        max_size: int,
        prepare: Callable[[Connection], Awaitable[object]] | None = None,
    ) -> None:
        self._connect, self._max_size, self._prepare = connect, max_size, prepare
        #: All that are open, and those of them that are free, the last one used last.
        self._connections: set[Connection] = set()
        self._idle: list[Connection] = []
        self._opening = 0
        #: Number of connections of each caller that holds any.
        self._held: dict[str, int] = {}
        #: Waiters of each caller that waits; the caller served longest ago comes first.
        self._queues: OrderedDict[str, deque[Future[Connection]]] = OrderedDict()
        self._last_caller, self._shared_until = SYSTEM, 0.0
        self._share_timer: asyncio.Handle | None = None
        #: Why the server last allowed no more connections, and whether to try again later.
        self._refusal, self._paused = "", False
        self._idle_timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self._all_closed = asyncio.Event()
        #: Called with the seconds of each wait, those in vain included.
        self.waited: Callable[[float], object] = lambda seconds: None

    @property
    def waiting(self) -> int:
        return sum(map(len, self._queues.values()))

    def get_max_size(self) -> int:
        return self._max_size

    def get_size(self) -> int:
        return sum(not connection.is_closed() for connection in self._connections)

    def get_idle_size(self) -> int:
        return sum(not connection.is_closed() for connection in self._idle)

    async def acquire(self, seconds: float = 10.0, caller: str = SYSTEM) -> Connection:
        """Take a connection, which must be given to `release`.

        Raises TimeoutError after so many seconds, and whatever connecting raises.
        """
        loop = get_running_loop()
        if self._closing:
            raise asyncpg.InterfaceError("the pool is closed")
        if caller not in (SYSTEM, self._last_caller):
            if self._last_caller != SYSTEM:
                self._shared_until = loop.time() + SHARED_SECONDS
            self._last_caller = caller
        started = loop.time()
        try:
            connection = self._take_idle(caller) if self._may_take(caller) else None
            connection = connection or await self._wait(seconds, caller)
        except BaseException:
            self.waited(loop.time() - started)
            raise
        try:
            self.waited(loop.time() - started)
            if self._prepare is not None:
                await self._prepare(connection)
        except BaseException:
            connection.must_close = True
            self.release(connection)
            raise
        return connection

    def release(self, connection: Connection) -> None:
        held = self._held.pop(connection.caller) - 1
        if held:
            self._held[connection.caller] = held
        if connection.must_close or connection.is_closed() or connection.is_in_transaction():
            self._discard(connection)
        else:
            self._keep(connection)
        self._serve_waiters()

    @asynccontextmanager
    async def connection(
        self, seconds: float = 10.0, caller: str = SYSTEM
    ) -> AsyncIterator[Connection]:
        """Acquire a connection, and release it at the end."""
        connection = await self.acquire(seconds, caller)
        try:
            yield connection
        finally:
            self.release(connection)

    async def close(self) -> None:
        """Close each connection as soon as it is released."""
        self._closing = True
        while self._queues:
            self._fail_waiter(asyncpg.InterfaceError("the pool is closed"))
        while self._idle:
            self._discard(self._idle.pop())
        while self._tasks or self._connections:
            await (asyncio.wait(self._tasks) if self._tasks else self._all_closed.wait())
        self.terminate()

    def terminate(self) -> None:
        """Abort everything."""
        self._closing = True
        for timer in (self._idle_timer, self._share_timer):
            if timer is not None:
                timer.cancel()
        for task in self._tasks:
            task.cancel()
        for connection in self._connections:
            connection.terminate()

    # Waiters --------------------------------------------------------------------------------

    async def _wait(self, seconds: float, caller: str) -> Connection:
        waiter: Future[Connection] = get_running_loop().create_future()
        timer = get_running_loop().call_later(seconds, self._expire, waiter, seconds)
        # Whatever is raised from here on removes the waiter again.
        try:
            self._queues.setdefault(caller, deque()).append(waiter)
            self._serve_waiters()
            return await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.release(waiter.result())
            else:
                self._remove(waiter, caller)
            raise
        finally:
            timer.cancel()

    def _expire(self, waiter: Future[Connection], seconds: float) -> None:
        if not waiter.done():
            waiter.set_exception(TimeoutError(f"no connection within {seconds:g} s{self._refusal}"))

    def _remove(self, waiter: Future[Connection], caller: str) -> None:
        queue = self._queues.get(caller, deque())
        with suppress(ValueError):
            queue.remove(waiter)
        if not queue:
            self._queues.pop(caller, None)

    def _pop_waiter(self, caller: str) -> Future[Connection]:
        queue = self._queues[caller]
        waiter = queue.popleft()
        if queue:
            self._queues.move_to_end(caller)
        else:
            del self._queues[caller]
        return waiter

    def _fail_waiter(self, error: Exception) -> None:
        """Raise an error in the first waiter."""
        while self._queues:
            waiter = self._pop_waiter(next(iter(self._queues)))
            if not waiter.done():
                waiter.set_exception(error)
                return

    def _serve_waiters(self) -> None:
        while (caller := self._next_caller()) is not None:
            first = self._queues[caller][0]
            if first.done():
                # It gave up a moment ago.
                self._remove(first, caller)
                continue
            connection = self._take_idle(caller)
            if connection is None:
                break
            self._pop_waiter(caller).set_result(connection)
        self._open_more()
        loop = get_running_loop()
        if self._queues and self._share_timer is None and loop.time() < self._shared_until:
            self._share_timer = loop.call_at(self._shared_until, self._end_sharing)

    def _end_sharing(self) -> None:
        self._share_timer = None
        self._serve_waiters()

    def _next_caller(self) -> str | None:
        best, fewest = None, self._max_size
        # At most max_size callers hold any, so this ends soon.
        for caller in self._queues:
            held = self._held.get(caller, 0)
            if held < fewest:
                best, fewest = caller, held
            if not held:
                break
        return best if best is not None and self._may_take(best) else None

    def _may_take(self, caller: str) -> bool:
        """Whether one more may go to this caller. The service itself takes few."""
        if caller not in self._held or caller == SYSTEM:
            return True
        unused = self._max_size - len(self._connections) + len(self._idle)
        return unused > 1 or get_running_loop().time() >= self._shared_until

    # Connections ----------------------------------------------------------------------------

    def _take_idle(self, caller: str) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_closed():
                self._discard(connection)
                continue
            connection.caller = caller
            self._held[caller] = self._held.get(caller, 0) + 1
            return connection
        return None

    def _keep(self, connection: Connection) -> None:
        if self._closing:
            self._discard(connection)
            return
        connection.idle_since = get_running_loop().time()
        self._idle.append(connection)
        if self._idle_timer is None:
            self._idle_timer = get_running_loop().call_later(IDLE_SECONDS, self._close_idle)

    def _close_idle(self) -> None:
        self._idle_timer = None
        loop = get_running_loop()
        while self._idle and self._idle[0].idle_since <= loop.time() - IDLE_SECONDS:
            self._discard(self._idle.pop(0))
        if self._idle:
            self._idle_timer = loop.call_later(IDLE_SECONDS, self._close_idle)

    def _discard(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if not connection.is_closed():
            self._start(_close(connection))
        if not self._connections:
            self._all_closed.set()

    def _open_more(self) -> None:
        """Open a connection for each waiter, as far as the size allows."""
        while (
            len(self._connections) + self._opening < self._max_size
            and not self._paused
            and self._opening < self.waiting
        ):
            self._opening += 1
            self._start(self._open())

    async def _open(self) -> None:
        try:
            connection = await self._connect()
        except asyncpg.TooManyConnectionsError as error:
            # The waiters get one of the connections there are, or wait for the next attempt.
            self._refusal, self._paused = f": {error}", True
            get_running_loop().call_later(RETRY_SECONDS, self._try_again)
        except Exception as error:
            self._fail_waiter(error)
        else:
            self._refusal = ""
            self._all_closed.clear()
            self._connections.add(connection)
            self._keep(connection)
        finally:
            self._opening -= 1
        self._serve_waiters()

    def _try_again(self) -> None:
        self._paused = False
        self._serve_waiters()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _close(connection: Connection) -> None:
    with suppress(Exception):
        await connection.close(timeout=CLOSE_SECONDS)


#: What a statement runs on: any connection of the pool, or the one of a transaction.
Database: TypeAlias = Pool | Connection
