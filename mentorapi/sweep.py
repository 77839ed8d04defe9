"""The status sweep: sessions move on as time passes, by the database's clock."""

from __future__ import annotations

from mentorapi.pool import Database
from mentorapi.repositories import idempotency, mentors, sessions

#: Small enough that a batch holds its locks for some milliseconds only.
BATCH_SIZE = 500


async def run_once(db: Database) -> int:
    """Move all sessions on that are due; returns how many there were.

    Safe to run in several processes at once: what one has locked, the others skip.
    """
    await idempotency.expire(db)
    moved = 0
    while batch := await sessions.sweep(db, BATCH_SIZE):
        moved += batch
    await mentors.clean_search(db, BATCH_SIZE)
    return moved
