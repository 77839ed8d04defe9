"""The clean-up of idempotency keys: deletes those older than 24 hours."""

from mentorapi.database import statements
from mentorapi.database.pool import Database

#: Keys that one statement deletes: it holds its locks for some milliseconds only.
BATCH_SIZE = 1000


async def run(db: Database) -> dict[str, int]:
    return {"idempotency_keys": await statements.idempotency.expire.in_batches(db, BATCH_SIZE)}
