"""A clock of the database that a test can move, so that no test waits for time to pass.

The server uses no clock but ``now()`` of PostgreSQL. On a database with this clock, a function of
that name comes before the built-in one on the search path, and a test sets how far it is ahead.
A view calls the function that it was created with, so views that call ``now()`` are created again.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import asyncpg

INSTALL = r"""
CREATE SCHEMA moved;
CREATE TABLE moved.clock (ahead interval NOT NULL, stopped timestamptz);
INSERT INTO moved.clock VALUES ('0');
CREATE FUNCTION moved.now() RETURNS timestamptz LANGUAGE sql STABLE
AS 'SELECT coalesce(stopped, pg_catalog.now() + ahead) FROM moved.clock';
DO $$ DECLARE
    v record;
BEGIN
    FOR v IN SELECT viewname, definition FROM pg_views
    WHERE schemaname = 'public' AND definition ~ 'now\(\)' LOOP
        SET LOCAL search_path = moved, public, pg_catalog;
        EXECUTE format('CREATE VIEW moved.%I AS %s', v.viewname, v.definition);
        SET LOCAL search_path = public, pg_catalog;
    END LOOP;
    EXECUTE format(
        'ALTER DATABASE %I SET search_path = moved, public, pg_catalog', current_database()
    );
END $$;
"""


class Clock:
    def __init__(self, db: asyncpg.Pool) -> None:
        self._db = db

    @classmethod
    async def install(cls, db: asyncpg.Pool) -> Clock:
        """Install the clock for all connections that are opened later."""
        await db.execute(INSTALL)
        return cls(db)

    async def reset(self) -> None:
        await self._db.execute("UPDATE moved.clock SET ahead = '0', stopped = NULL")

    async def move(self, **ahead: float) -> None:
        """Move the clock ahead. The arguments are those of timedelta."""
        await self._db.execute(
            "UPDATE moved.clock SET ahead = ahead + $1, stopped = stopped + $1", timedelta(**ahead)
        )

    async def move_to(self, instant: datetime) -> None:
        await self._db.execute(
            "UPDATE moved.clock SET ahead = $1 - pg_catalog.now(), stopped = NULL", instant
        )

    async def stop_at(self, instant: datetime) -> None:
        """Stop the clock at an instant, to the microsecond."""
        await self._db.execute("UPDATE moved.clock SET stopped = $1", instant)
