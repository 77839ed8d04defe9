"""Deletes the events of long ago that are not part of a history."""

from __future__ import annotations

from mentorapi.database.pool import Database
from mentorapi.repositories import events

BATCH_SIZE = 1000


async def run(db: Database) -> dict[str, int]:
    total = 0
    while deleted := await events.delete_old(db, BATCH_SIZE):
        total += deleted
    return {"events": total}
