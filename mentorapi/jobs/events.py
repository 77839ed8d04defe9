"""The clean-up of events: deletes those older than 30 days that are not part of a history."""

from mentorapi.database import statements
from mentorapi.database.pool import Database

BATCH_SIZE = 1000


async def run(db: Database) -> dict[str, int]:
    return {"events": await statements.events.expire.in_batches(db, BATCH_SIZE)}
