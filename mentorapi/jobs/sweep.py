"""The sweep: moves sessions and requests on as time passes, by the clock of the database."""

from mentorapi.database.pool import Database
from mentorapi.jobs.batches import in_batches
from mentorapi.repositories import requests, sessions

#: Small enough that a batch holds its locks for some milliseconds only.
BATCH_SIZE = 500


async def run(db: Database) -> dict[str, int]:
    """Move all due sessions on, and end the unanswered requests whose time has come.

    Several processes may sweep at once: each skips the rows that another one has locked.
    """
    return {
        "sessions": await in_batches(sessions.sweep, db, BATCH_SIZE),
        "requests": await in_batches(requests.expire, db, BATCH_SIZE),
    }
