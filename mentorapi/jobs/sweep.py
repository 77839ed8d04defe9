"""The sweep: moves sessions and requests on as time passes, by the clock of the database.

Several processes may sweep at once: each skips the rows that another one has locked.
"""

from mentorapi.database import statements
from mentorapi.database.pool import Database

#: Small enough that a batch holds its locks for some milliseconds only.
BATCH_SIZE = 500


async def run(db: Database) -> dict[str, int]:
    return {
        "sessions": await statements.sessions.sweep.in_batches(db, BATCH_SIZE),
        "requests": await statements.requests.expire.in_batches(db, BATCH_SIZE),
    }
