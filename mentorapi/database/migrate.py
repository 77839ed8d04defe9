"""Schema migrations: the files of ``migrations/``, applied by yoyo.

yoyo's own lock is a row that a killed process leaves behind. Ours is an advisory lock, which ends
with its connection; under it, any row still there is such a leftover.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from yoyo import read_migrations
from yoyo.backends import DatabaseBackend
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import Migration, MigrationList, default_migration_table

from mentorapi.database.connections import reason
from mentorapi.errors import StartupError

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"

_ADVISORY_LOCK = 0x6D656E746F72  # "mentor"

# A migration that waits for a busy table makes everyone after it wait too: rather give up. The
# check interval ends the statements of a killed process, whose locks would hold up its successor.
_SESSION = "-c lock_timeout=10s -c client_connection_check_interval=1s -c timezone=UTC"

logging.getLogger("yoyo").setLevel(logging.WARNING)


def migrate(database_url: str) -> list[str]:
    """Apply what is pending and return its ids. Raises StartupError.

    Processes that start at once queue up here; the later ones find nothing to do. Where nothing is
    pending, the right to read is enough.
    """
    if not pending(database_url):
        return []
    with _alone(database_url) as backend:
        todo = backend.to_apply(_migrations())
        for migration in todo:
            with _named(migration.id):
                _apply(backend, migration)
        return [migration.id for migration in todo]


def _apply(backend: DatabaseBackend, migration: Migration) -> None:
    """In one transaction with its mark. yoyo makes two of it: whoever is killed between them leaves
    a schema to which no later start can apply the migration."""
    migration.load()
    if not migration.use_transactions:
        backend.apply_one(migration)
        return
    with backend.transaction():
        migration.process_steps(backend, "apply")
        backend.log_migration(migration, "apply")
        backend.mark_one(migration, log=False)


def rollback(database_url: str, keep: int = 0) -> list[str]:
    """Undo all but the first ``keep`` migrations, newest first; returns the ids of the undone."""
    with _alone(database_url) as backend:
        kept = {migration.id for migration in _migrations()[:keep]}
        todo = [m for m in backend.to_rollback(_migrations()) if m.id not in kept]
        for migration in todo:
            with _named(migration.id):
                backend.rollback_one(migration)
        return [migration.id for migration in todo]


def pending(database_url: str) -> list[str]:
    """The ids of the migrations that the database lacks, oldest first."""
    try:
        with psycopg.connect(database_url, connect_timeout=5) as connection:
            applied = _applied(connection)
    except psycopg.Error as error:
        raise StartupError(f"cannot read the database's migrations: {reason(error)}") from error
    return [migration.id for migration in _migrations() if migration.id not in applied]


def _applied(connection: psycopg.Connection) -> set[str]:
    found = connection.execute("SELECT to_regclass(%s)", [default_migration_table]).fetchone()
    if found is None or found[0] is None:
        return set()
    table = sql.Identifier(default_migration_table)
    query = sql.SQL("SELECT migration_id FROM {}").format(table)
    return {migration_id for (migration_id,) in connection.execute(query)}


def known() -> tuple[str, ...]:
    """Ids of the migrations that this code was written for."""
    return tuple(migration.id for migration in _migrations())


def _migrations() -> MigrationList:
    return read_migrations(str(MIGRATIONS))


@contextmanager
def _alone(database_url: str) -> Iterator[DatabaseBackend]:
    # Handed to psycopg as it is: yoyo's own reading of URLs knows less than libpq's.
    arguments = {"conninfo": database_url, "options": _SESSION}
    try:
        with psycopg.connect(database_url, autocommit=True, connect_timeout=5) as connection:
            _check_rights(connection)
            connection.execute("SELECT pg_advisory_lock(%s)", [_ADVISORY_LOCK])
            address = DatabaseURI("postgresql+psycopg", None, None, None, None, None, arguments)
            with PostgresqlPsycopgBackend(address, default_migration_table) as backend:
                backend.init_database()
                backend.break_lock()
                yield backend
    except psycopg.Error as error:
        raise StartupError(f"cannot migrate the database: {reason(error)}") from error


def _check_rights(connection: psycopg.Connection) -> None:
    """yoyo passes over the refusal and complains later that its tables are missing."""
    query = "SELECT current_user, has_schema_privilege(current_schema(), 'CREATE')"
    user, may_create = connection.execute(query).fetchone() or ("", None)
    if not may_create:
        raise StartupError(f"cannot migrate the database: {user} may not create tables in it")


@contextmanager
def _named(migration_id: str) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise StartupError(f"migration {migration_id} failed: {reason(error)}") from error
