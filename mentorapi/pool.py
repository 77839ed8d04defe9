"""The pool of connections, and what it tells of itself."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import asyncpg


class Pool(asyncpg.Pool):
    """asyncpg's, which also tells how many wait for a connection and for how long each waited."""

    __slots__ = ("waited", "waiting")

    #: Told the seconds of each wait, vain ones included.
    waited: Callable[[float], object]

    def __init__(self, database_url: str, **settings: Any) -> None:
        # As create_pool has them: it makes no pool but its own.
        defaults = {
            "max_queries": 50_000,
            "max_inactive_connection_lifetime": 300.0,
            "loop": None,
            "connection_class": asyncpg.Connection,
            "record_class": asyncpg.Record,
        }
        super().__init__(database_url, **(defaults | settings))
        self.waiting = 0
        self.waited = lambda seconds: None

    async def take(self, seconds: float) -> Any:
        """A connection, to be given back with ``release``; TimeoutError after so many seconds."""
        started = perf_counter()
        self.waiting += 1
        try:
            return await self.acquire(timeout=seconds)
        except TimeoutError:
            raise TimeoutError(f"no connection within {seconds:g} s") from None
        finally:
            self.waiting -= 1
            self.waited(perf_counter() - started)
