"""What the server asks about the database itself."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from mentorapi import queries
from mentorapi.pool import Database


async def missing_migrations(db: Database, wanted: Sequence[str]) -> list[str]:
    try:
        row = await queries.server.missing_migrations(db, migration_ids=list(wanted))
    except asyncpg.UndefinedTableError:
        # Nothing was ever migrated here.
        return list(wanted)
    return list(row["missing"])
