"""Limits on what runs at the same time: the requests of one caller, and searches."""

import asyncio
from collections.abc import Callable
from weakref import WeakValueDictionary

from mentorapi import errors

#: Seconds that a request waits for others of its caller, and a search for other searches.
MAX_WAIT_SECONDS = 10.0


async def acquire(semaphore: asyncio.Semaphore) -> None:
    """Acquire a semaphore. Raises Unavailable after `MAX_WAIT_SECONDS`."""
    try:
        async with asyncio.timeout(MAX_WAIT_SECONDS):
            await semaphore.acquire()
    except TimeoutError as error:
        raise errors.Unavailable from error


class CallerLimiter:
    """A semaphore for each caller.

    Bodies are read and checked after `acquire`. Otherwise the event loop would check the bodies of
    a caller with hundreds of connections before it serves another caller.
    """

    def __init__(self, max_running: int) -> None:
        self._max_running = max_running
        #: Those that a request holds or waits for.
        self.semaphores: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def acquire(self, caller: str) -> Callable[[], None]:
        """Wait until the caller may run one more request; returns a function that ends it.

        Raises Unavailable.
        """
        semaphore = self.semaphores.setdefault(caller, asyncio.Semaphore(self._max_running))
        await acquire(semaphore)
        return semaphore.release
