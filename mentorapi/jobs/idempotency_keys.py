"""Deletes the idempotency keys that have expired."""

from mentorapi.database import idempotency
from mentorapi.database.pool import Database
from mentorapi.jobs.batches import in_batches

#: Keys that one statement deletes: it holds its locks for some milliseconds only.
BATCH_SIZE = 1000


async def run(db: Database) -> dict[str, int]:
    return {"idempotency_keys": await in_batches(idempotency.expire, db, BATCH_SIZE)}
