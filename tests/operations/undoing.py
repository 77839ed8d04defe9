"""Undo migrations, as the command ``yoyo rollback`` does."""

from __future__ import annotations

from yoyo import get_backend, read_migrations

from mentorapi.database import migrate


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
