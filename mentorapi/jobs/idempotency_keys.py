"""Deletes the idempotency keys that have expired."""

from mentorapi.database import statements
from mentorapi.database.pool import Database

#: Keys that one statement deletes: it holds its locks for some milliseconds only.
BATCH_SIZE = 1000


async def run(db: Database) -> dict[str, int]:
    return {"idempotency_keys": await statements.idempotency.expire.in_batches(db, BATCH_SIZE)}
