"""Deletes the events of long ago that are not part of a history."""

from mentorapi.database.pool import Database
from mentorapi.jobs.batches import in_batches
from mentorapi.repositories import events

BATCH_SIZE = 1000


async def run(db: Database) -> dict[str, int]:
    return {"events": await in_batches(events.delete_old, db, BATCH_SIZE)}
