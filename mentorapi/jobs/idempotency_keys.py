"""Deletes the idempotency keys that have expired."""

from mentorapi.database import idempotency
from mentorapi.database.pool import Database


async def run(db: Database) -> dict[str, int]:
    return {"idempotency_keys": await idempotency.expire(db)}
