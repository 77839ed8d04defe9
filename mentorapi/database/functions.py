"""The functions, views and triggers of ``sql/functions/``, applied again when their text changed.

The files run in the order of their names, in one transaction. The table ``applied_functions`` keeps
the hash of their text and the objects that they made.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import psycopg

from mentorapi.database.connections import reason
from mentorapi.errors import StartupError

FUNCTIONS = Path(__file__).resolve().parents[2] / "sql" / "functions"

#: PostgreSQL refuses to replace or to drop an object: its kind, its result or a view's columns have
#: changed, or another object still uses the function with the former arguments.
_REFUSED = (
    psycopg.errors.InvalidFunctionDefinition,
    psycopg.errors.InvalidTableDefinition,
    psycopg.errors.WrongObjectType,
    psycopg.errors.AmbiguousFunction,
    psycopg.errors.DependentObjectsStillExist,
)

# What this transaction made or replaced, each as DROP names it, in an order in which DROP works.
_MADE = """
SELECT coalesce(array_agg(o.type || ' ' || o.identity ORDER BY o.type DESC, m.id DESC), '{}')
FROM (
    SELECT 'pg_proc'::regclass AS catalog, oid AS id FROM pg_proc
    WHERE xmin = pg_current_xact_id()::xid
    UNION ALL
    SELECT 'pg_class'::regclass, ev_class FROM pg_rewrite
    WHERE xmin = pg_current_xact_id()::xid
    UNION ALL
    SELECT 'pg_trigger'::regclass, oid FROM pg_trigger
    WHERE xmin = pg_current_xact_id()::xid AND NOT tgisinternal
) AS m
CROSS JOIN LATERAL pg_identify_object(m.catalog, m.id, 0) AS o
"""


def are_applied(connection: psycopg.Connection) -> bool:
    """Whether these files were the last ones that were applied to the database."""
    row = connection.execute("SELECT to_regclass('applied_functions')").fetchone()
    if row is None or row[0] is None:
        return False
    return connection.execute("SELECT hash FROM applied_functions").fetchone() == (_hash(),)


def apply(connection: psycopg.Connection) -> None:
    """Make all objects, and drop those of the last version that this one does not have.

    An object that cannot be replaced is dropped first, and all others with it.
    Tells running servers to clear their caches. Raises StartupError and psycopg.Error.
    """
    try:
        _apply(connection, drop_first=False)
    except _REFUSED:
        _apply(connection, drop_first=True)


def _apply(connection: psycopg.Connection, *, drop_first: bool) -> None:
    with connection.transaction():
        row = connection.execute("SELECT objects FROM applied_functions").fetchone()
        recorded: list[str] = row[0] if row else []
        if drop_first:
            _drop(connection, recorded)
        for path in _files():
            _run(connection, path)
        row = connection.execute(_MADE).fetchone()
        made: list[str] = row[0] if row else []
        if not drop_first:
            _drop(connection, [each for each in recorded if each not in made])
        connection.execute("DELETE FROM applied_functions")
        connection.execute(
            "INSERT INTO applied_functions (hash, objects) VALUES (%s, %s)", [_hash(), made]
        )
        connection.execute("NOTIFY mentorapi, 'all'")


def _run(connection: psycopg.Connection, path: Path) -> None:
    try:
        connection.execute(path.read_bytes())
    except _REFUSED:
        raise
    except psycopg.Error as error:
        raise StartupError(f"sql/functions/{path.name} failed: {reason(error)}") from error


def _drop(connection: psycopg.Connection, objects: list[str]) -> None:
    for each in objects:
        kind, name = each.split(" ", 1)
        connection.execute(f"DROP {kind} IF EXISTS {name}".encode())


def _files() -> list[Path]:
    return sorted(FUNCTIONS.glob("*.sql"))


def _hash() -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in _files())).hexdigest()
