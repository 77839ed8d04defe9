"""The sweep: moves sessions and requests on as time passes, by the clock of the database."""

from collections.abc import Awaitable, Callable

from mentorapi.database.pool import Database
from mentorapi.repositories import requests, sessions

#: Small enough that a batch holds its locks for some milliseconds only.
BATCH_SIZE = 500


async def run(db: Database) -> dict[str, int]:
    """Move all due sessions on, and end the unanswered requests whose time has come.

    Several processes may sweep at once: each skips the rows that another one has locked.
    """
    return {
        "sessions": await _in_batches(sessions.sweep, db),
        "requests": await _in_batches(requests.expire, db),
    }


async def _in_batches(change: Callable[[Database, int], Awaitable[int]], db: Database) -> int:
    total = 0
    while changed := await change(db, BATCH_SIZE):
        total += changed
    return total
