"""Bring a database up to date: ``migrations/`` by yoyo, then ``sql/functions/``.

yoyo's own lock is a row, which a killed process leaves behind. The lock here is an advisory lock,
which ends with its connection. A process that holds it removes such a row.
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

from mentorapi.database import functions
from mentorapi.database.connections import reason
from mentorapi.errors import StartupError

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


def migrate(database_url: str) -> list[str]:
    """Bring the schema and the functions up to date, and return what was applied.

    Processes that start at once queue up here; the later ones find nothing to do. Where nothing is
    to be done, the right to read is enough. Raises StartupError.
    """
    with _reading(database_url) as connection:
        if not _pending(connection) and not _functions_differ(connection):
            return []
    with _alone(database_url) as backend:
        todo = backend.to_apply(_migrations())
        for migration in todo:
            with _named(migration.id):
                _apply(backend, migration)
        applied = [migration.id for migration in todo]
        with psycopg.connect(database_url, options=_SESSION, autocommit=True) as connection:
            if _functions_differ(connection):
                functions.apply(connection)
                applied.append("sql/functions")
        return applied


def _functions_differ(connection: psycopg.Connection) -> bool:
    """Whether to apply the functions: never those of code that is older than the database."""
    newer = sorted(_applied(connection) - set(known()))
    if newer:
        log.info("The database has newer migrations (%s): its functions stay", ", ".join(newer))
        return False
    return not functions.are_applied(connection)


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


def pending(database_url: str) -> list[str]:
    """The ids of the migrations that the database lacks, oldest first."""
    with _reading(database_url) as connection:
        return _pending(connection)


@contextmanager
def _reading(database_url: str) -> Iterator[psycopg.Connection]:
    try:
        with psycopg.connect(database_url, connect_timeout=5, autocommit=True) as connection:
            yield connection
    except psycopg.Error as error:
        raise StartupError(f"cannot read the database's migrations: {reason(error)}") from error


def _pending(connection: psycopg.Connection) -> list[str]:
    applied = _applied(connection)
    return [migration_id for migration_id in known() if migration_id not in applied]


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
    # The URL goes to psycopg unchanged: yoyo parses fewer kinds of URLs than libpq.
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
    """Raise StartupError early: yoyo ignores the refusal and fails later at its missing tables."""
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
