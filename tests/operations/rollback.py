"""The migrations that a database lacks, and the rollback of applied ones, as by ``yoyo``."""

from __future__ import annotations

import psycopg
from yoyo import get_backend, read_migrations

from mentorapi.database import migrate


def pending(database_url: str) -> list[str]:
    """Return the ids of the migrations that the database lacks, oldest first."""
    with psycopg.connect(database_url) as connection:
        applied = connection.execute("SELECT migration_id FROM _yoyo_migration").fetchall()
    return [each for each in migrate.known() if (each,) not in applied]


def roll_back(database_url: str, keep: int = 0) -> list[str]:
    """Undo all migrations but the first ``keep``, newest first; returns their ids."""
    migrations = read_migrations(str(migrate.MIGRATIONS))
    kept = {migration.id for migration in migrations[:keep]}
    address = database_url.replace("postgresql:", "postgresql+psycopg:", 1)
    with get_backend(address) as backend:
        todo = [each for each in backend.to_rollback(migrations) if each.id not in kept]
        for migration in todo:
            backend.rollback_one(migration)
    return [migration.id for migration in todo]
