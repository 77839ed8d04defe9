"""A limit to the requests of one caller that the server works on at the same time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable


class Turns:
    """First come, first served, for each caller apart.

    Bodies are read and checked after `take`: otherwise the event loop checks all bodies of a caller
    with hundreds of connections before it comes to a request of another one.
    """

    def __init__(self, most: int) -> None:
        """``most``: requests of one caller that run at the same time."""
        self._most = most
        self._running: dict[str, int] = {}
        self._queues: dict[str, deque[asyncio.Future[None]]] = {}

    @property
    def running(self) -> int:
        return sum(self._running.values())

    @property
    def waiting(self) -> int:
        return sum(map(len, self._queues.values()))

    async def take(self, caller: str, seconds: float) -> Callable[[], None]:
        """Wait for a turn; returns what ends it. Raises TimeoutError after so many seconds."""
        running = self._running.get(caller, 0)
        if running < self._most:
            self._running[caller] = running + 1
        else:
            await self._wait(caller, seconds)
        return lambda: self._end(caller)

    async def _wait(self, caller: str, seconds: float) -> None:
        waiter = asyncio.get_running_loop().create_future()
        queue = self._queues.setdefault(caller, deque())
        queue.append(waiter)
        try:
            async with asyncio.timeout(seconds):
                await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled():
                self._end(caller)
            elif waiter in queue:
                queue.remove(waiter)
            raise

    def _end(self, caller: str) -> None:
        queue = self._queues.get(caller, deque())
        while queue:
            waiter = queue.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._queues.pop(caller, None)
        self._running[caller] -= 1
        if not self._running[caller]:
            del self._running[caller]
