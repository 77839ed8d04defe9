"""Changes of many rows, in short transactions."""

from collections.abc import Awaitable, Callable

from mentorapi.database.pool import Database


async def in_batches(
    change: Callable[[Database, int], Awaitable[int]], db: Database, batch_size: int
) -> int:
    """Call ``change`` until it changes no row; return how many it changed."""
    total = 0
    while changed := await change(db, batch_size):
        total += changed
    return total
