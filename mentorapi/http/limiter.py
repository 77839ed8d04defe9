"""Limits how many requests of one caller run at the same time."""

import asyncio
from collections import deque
from collections.abc import Callable


class CallerLimiter:
    """A semaphore for each caller, first come, first served.

    Bodies are read and checked after `acquire`. Otherwise the event loop would check the bodies of
    a caller with hundreds of connections before it serves another caller.
    """

    def __init__(self, max_running: int) -> None:
        self._max_running = max_running
        self._running: dict[str, int] = {}
        self._queues: dict[str, deque[asyncio.Future[None]]] = {}

    @property
    def running(self) -> int:
        return sum(self._running.values())

    @property
    def waiting(self) -> int:
        return sum(map(len, self._queues.values()))

    async def acquire(self, caller: str, seconds: float) -> Callable[[], None]:
        """Wait until the caller may run one more request; returns a function that ends it.

        Raises TimeoutError after ``seconds``.
        """
        running = self._running.get(caller, 0)
        if running < self._max_running:
            self._running[caller] = running + 1
        else:
            await self._wait(caller, seconds)
        return lambda: self._release(caller)

    async def _wait(self, caller: str, seconds: float) -> None:
        waiter = asyncio.get_running_loop().create_future()
        queue = self._queues.setdefault(caller, deque())
        queue.append(waiter)
        try:
            async with asyncio.timeout(seconds):
                await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled():
                self._release(caller)
            elif waiter in queue:
                queue.remove(waiter)
            raise

    def _release(self, caller: str) -> None:
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
