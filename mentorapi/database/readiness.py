"""What the server asks about the database itself."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from mentorapi.database import statements
from mentorapi.database.pool import Database


async def find_obstacles(db: Database, migrations: Sequence[str]) -> tuple[bool, list[str]]:
    """Whether the database is read-only, and which of these migrations it lacks."""
    async with statements.connection(db) as connection:
        try:
            row = await statements.database.state(connection, migration_ids=list(migrations))
        except asyncpg.UndefinedTableError:
            # Nothing was ever migrated here.
            return False, list(migrations)
        if row["read_only"]:
            # The next connection may find a server that can write.
            connection.must_close = True
        return row["read_only"], list(row["missing"])
