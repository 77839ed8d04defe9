"""Deletes the events of long ago that are not part of a history."""

from mentorapi.database import statements
from mentorapi.database.pool import Database

BATCH_SIZE = 1000


async def run(db: Database) -> dict[str, int]:
    return {"events": await statements.events.expire.in_batches(db, BATCH_SIZE)}
