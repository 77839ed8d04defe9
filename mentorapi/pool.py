"""The pool of connections, and what it tells of itself."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any

import asyncpg

#: Seconds after which a connection that nobody uses goes back to asyncpg, which closes it when it
#: is not needed for long.
REST = 1.0


class Pool(asyncpg.Pool):
    """asyncpg's, with a shorter way from one user of a connection to the next.

    asyncpg makes a task, a timer and two futures each time a connection goes from hand to hand, and
    lets newcomers in before those who wait. ``loan`` goes first come, first served: who gives a
    connection back hands it to the first who waits, or keeps it at hand. Where something failed,
    and after `REST` seconds, asyncpg has the connection back and looks after it.
    """

    __slots__ = (
        "_alarm",
        "_at_hand",
        "_free",
        "_prepares",
        "_resting",
        "_timer",
        "_turns",
        "waited",
        "waiting",
    )

    #: Told the seconds of each wait, vain ones included.
    waited: Callable[[float], object]

    def __init__(
        self,
        database_url: str,
        *,
        max_size: int,
        **settings: Any,
    ) -> None:
        # As create_pool has them: it makes no pool but its own.
        defaults = {
            "max_queries": 50_000,
            "max_inactive_connection_lifetime": 300.0,
            "loop": None,
            "connection_class": asyncpg.Connection,
            "record_class": asyncpg.Record,
        }
        super().__init__(database_url, max_size=max_size, **(defaults | settings))
        # A ``setup`` is to see each loan.
        self._prepares = settings.get("setup") is not None
        #: Loans that may still be made.
        self._free = max_size
        #: Those who wait, each with the time at which it has waited too long. What they get is a
        #: connection, or None and with it the right to ask asyncpg for one.
        self._turns: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._alarm: asyncio.TimerHandle | None = None
        self._at_hand: list[Any] = []
        self._timer: asyncio.TimerHandle | None = None
        self.waiting = 0
        self.waited = lambda seconds: None

    def loan(self, seconds: float) -> Loan:
        """To be entered: a connection; TimeoutError where there is none within so many seconds."""
        return Loan(self, seconds)

    def get_idle_size(self) -> int:
        free: int = super().get_idle_size()
        return free + sum(map(_is_open, self._at_hand))

    async def close(self) -> None:
        await self._rest()
        await super().close()

    async def _take(self, seconds: float) -> Any:
        started = perf_counter()
        self.waiting += 1
        try:
            if self._free:
                self._free -= 1
                connection = self._at_hand.pop() if self._at_hand else None
            else:
                connection = await self._take_in_turn(seconds)
            if connection is not None and _is_open(connection):
                return connection
            try:
                return await self.acquire(timeout=max(0.001, started + seconds - perf_counter()))
            except BaseException:
                self._pass_on(None)
                raise
        except TimeoutError:
            raise TimeoutError(f"no connection within {seconds:g} s") from None
        finally:
            self.waiting -= 1
            self.waited(perf_counter() - started)

    async def _take_in_turn(self, seconds: float) -> Any:
        loop = asyncio.get_running_loop()
        turn, at = loop.create_future(), loop.time() + seconds
        self._turns.append((at, turn))
        # One alarm for all, in place of a timer for each.
        if self._alarm is None or self._alarm.when() > at:
            self._set_alarm(at)
        try:
            return await turn
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._pass_on(turn.result())
            raise

    def _set_alarm(self, at: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_at(at, self._send_away)

    def _send_away(self) -> None:
        """Those who have waited too long."""
        self._alarm = None
        now = asyncio.get_running_loop().time()
        waiting = [(at, turn) for at, turn in self._turns if not turn.done()]
        self._turns = deque((at, turn) for at, turn in waiting if at > now)
        for at, turn in waiting:
            if at <= now:
                turn.set_exception(TimeoutError())
        if self._turns:
            self._set_alarm(min(at for at, _ in self._turns))

    def _pass_on(self, connection: Any) -> None:
        """One may go on, with a connection if there is one."""
        while self._turns:
            _, turn = self._turns.popleft()
            if not turn.done():
                turn.set_result(connection)
                return
        self._free += 1
        if connection is not None:
            self._at_hand.append(connection)
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(REST, self._start_rest)

    async def _give_back(self, connection: Any, in_order: bool) -> None:
        if in_order and not self._prepares and not self.is_closing():
            self._pass_on(connection)
            return
        try:
            await self.release(connection)
        finally:
            self._pass_on(None)

    def _start_rest(self) -> None:
        self._resting = asyncio.create_task(self._rest())

    async def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._at_hand:
            await self.release(self._at_hand.pop())


class Loan:
    __slots__ = ("_connection", "_pool", "_seconds")

    def __init__(self, pool: Pool, seconds: float) -> None:
        self._pool, self._seconds = pool, seconds

    async def __aenter__(self) -> Any:
        self._connection = await self._pool._take(self._seconds)
        return self._connection

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await self._pool._give_back(self._connection, in_order=kind is None)


def _is_open(connection: Any) -> bool:
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:
        # It broke, and asyncpg has it back already.
        return False
