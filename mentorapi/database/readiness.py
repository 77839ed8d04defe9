"""Whether the database can serve requests."""

from collections.abc import Sequence

import asyncpg

from mentorapi.database import statements
from mentorapi.database.pool import Database


async def find_obstacles(db: Database, migrations: Sequence[str]) -> tuple[bool, list[str]]:
    """Return whether the database is read-only, and which of these migrations it lacks.

    Functions that differ from sql/functions/ are no obstacle: during a rolling upgrade they would
    make all servers of the former version unready at once.
    """
    async with statements.connection(db) as connection:
        try:
            row = await statements.database.show_state(connection, migration_ids=list(migrations))
        except asyncpg.UndefinedTableError:
            # The database was never migrated.
            return False, list(migrations)
        if row["read_only"]:
            # A new connection may reach a server that can write.
            connection.must_close = True
        return row["read_only"], list(row["missing"])
