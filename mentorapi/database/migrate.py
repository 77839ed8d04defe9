"""Bring a database up to date: ``migrations/`` by yoyo, then ``sql/functions/``.

yoyo's own lock is a row, which a killed process leaves behind. The lock here is an advisory lock,
which ends with its connection. A process that holds it removes such a row.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from mentorapi.database import functions
from mentorapi.database.connections import reason
from mentorapi.errors import StartupError

if TYPE_CHECKING:
    from yoyo.backends import DatabaseBackend
    from yoyo.migrations import Migration

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"

_ADVISORY_LOCK = 0x6D656E746F72  # "mentor"

# A migration that waits for the lock on a busy table makes all statements behind it wait: give up
# after 10 seconds. The check interval ends the statements of a killed process, whose locks would
# block the next process.
_SESSION = (
    "-c lock_timeout=10s -c client_connection_check_interval=1s"
    " -c timezone=UTC -c client_encoding=UTF8"
)

log = logging.getLogger(__name__)

logging.getLogger("yoyo").setLevel(logging.WARNING)
# It warns when a rollback fails that follows a signal or a lost connection.
logging.getLogger("psycopg").setLevel(logging.ERROR)


def migrate(database_url: str) -> list[str]:
    """Bring the schema and the functions up to date, and return what was applied.

    Processes that start at once queue up here; the later ones find nothing to do. Where nothing is
    to be done, the right to read is enough. Raises StartupError.
    """
    try:
        with psycopg.connect(database_url, connect_timeout=5, autocommit=True) as connection:
            if not set(known()) - _applied(connection) and not _functions_differ(connection):
                return []
            _check_rights(connection)
            connection.execute("SELECT pg_advisory_lock(%s)", [_ADVISORY_LOCK])
            applied = _apply_migrations(database_url)
            if _functions_differ(connection):
                with psycopg.connect(database_url, options=_SESSION, autocommit=True) as session:
                    functions.apply(session)
                applied.append("sql/functions")
            return applied
    except psycopg.Error as error:
        raise StartupError(f"cannot migrate the database: {reason(error)}") from error


def known() -> list[str]:
    """Ids of the migrations that this code was written for, oldest first."""
    files = sorted(MIGRATIONS.glob("*.sql"))
    return [path.stem for path in files if not path.stem.endswith(".rollback")]


def _applied(connection: psycopg.Connection) -> set[str]:
    try:
        rows = connection.execute("SELECT migration_id FROM _yoyo_migration")
    except psycopg.errors.UndefinedTable:
        return set()
    return {migration_id for (migration_id,) in rows}


def _functions_differ(connection: psycopg.Connection) -> bool:
    """Whether to apply the functions: never those of code that is older than the database."""
    newer = sorted(_applied(connection) - set(known()))
    if newer:
        log.info("The database has newer migrations (%s): its functions stay", ", ".join(newer))
        return False
    return not functions.are_applied(connection)


def _check_rights(connection: psycopg.Connection) -> None:
    """Raise StartupError early: yoyo ignores the refusal and fails later at its missing tables."""
    query = "SELECT current_user, has_schema_privilege(current_schema(), 'CREATE')"
    user, may_create = connection.execute(query).fetchone() or ("", None)
    if not may_create:
        raise StartupError(f"cannot migrate the database: {user} may not create tables in it")


def _apply_migrations(database_url: str) -> list[str]:
    # Imported here: most starts have nothing to apply, and start sooner without yoyo.
    from yoyo import read_migrations
    from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
    from yoyo.connections import DatabaseURI
    from yoyo.migrations import default_migration_table

    # The URL goes to psycopg unchanged: yoyo parses fewer kinds of URLs than libpq.
    arguments = {"conninfo": database_url, "options": _SESSION}
    address = DatabaseURI("postgresql+psycopg", None, None, None, None, None, arguments)
    with PostgresqlPsycopgBackend(address, default_migration_table) as backend:
        backend.init_database()
        backend.break_lock()
        todo = backend.to_apply(read_migrations(str(MIGRATIONS)))
        for migration in todo:
            try:
                _apply(backend, migration)
            except psycopg.Error as error:
                raise StartupError(f"migration {migration.id} failed: {reason(error)}") from error
        return [migration.id for migration in todo]


def _apply(backend: DatabaseBackend, migration: Migration) -> None:
    """Apply a migration and mark it as applied, in one transaction.

    yoyo takes two transactions. A process killed between them leaves a schema to which no later
    start can apply the migration.
    """
    migration.load()
    if not migration.use_transactions:
        backend.apply_one(migration)
        return
    with backend.transaction():
        migration.process_steps(backend, "apply")
        backend.log_migration(migration, "apply")
        backend.mark_one(migration, log=False)
