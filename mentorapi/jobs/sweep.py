"""The status sweep: sessions and requests move on as time passes, by the database's clock."""

from __future__ import annotations

from typing import NamedTuple

from mentorapi.database import idempotency
from mentorapi.database.pool import Database
from mentorapi.repositories import mentors, requests, sessions

#: Small enough that a batch holds its locks for some milliseconds only.
BATCH_SIZE = 500


class Swept(NamedTuple):
    """How many sessions a sweep moved on, and how many unanswered requests it ended."""

    sessions: int
    requests: int


async def run_once(db: Database) -> Swept:
    """Move on all sessions that are due, and end the requests whose time has come.

    Safe to run in several processes at once: what one has locked, the others skip.
    """
    await idempotency.expire(db)
    moved = expired = 0
    while batch := await sessions.sweep(db, BATCH_SIZE):
        moved += batch
    while batch := await requests.expire(db, BATCH_SIZE):
        expired += batch
    await mentors.clean_search(db, BATCH_SIZE)
    return Swept(moved, expired)
