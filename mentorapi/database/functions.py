"""The functions, views and triggers of ``sql/functions/``, applied again when their text changed.

The files run in the order of their names, in one transaction. The table ``applied_functions`` keeps
the hash of their text and the objects that they made.

CREATE TRIGGER locks its table against writes, and statements that write to several tables then run
into deadlocks. So triggers run only when the text of a trigger has changed; a changed function
takes no lock that a request would wait for. Measured with six clients that write without a pause:
13 of 20 runs of `migrate` ended in a deadlock with triggers, and 0 of 89 without them.
"""

import hashlib
import re
from pathlib import Path

import psycopg

from mentorapi.database import statements
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

_TRIGGER = re.compile(r"^CREATE OR REPLACE TRIGGER .*?;$", re.MULTILINE | re.DOTALL)

#: A migration may have emptied these tables. They are filled in the transaction of the functions: a
#: failure then leaves neither, and the next run does both.
_FILL = """
SELECT search_rebuild()
WHERE EXISTS (SELECT FROM mentors) AND NOT EXISTS (SELECT FROM search_postings);
SELECT compute_mentor_starts(NULL) WHERE NOT EXISTS (SELECT FROM mentor_starts);
"""

#: Attempts to apply changed triggers. One can end in a deadlock with a statement that writes.
_ATTEMPTS = 5


def are_applied(connection: psycopg.Connection) -> bool:
    """Whether these files were the last ones that were applied to the database."""
    try:
        row = connection.execute("SELECT hash FROM applied_functions").fetchone()
    except psycopg.errors.UndefinedTable:
        return False
    return row == (_hash("".join(_read_files().values())),)


def apply(connection: psycopg.Connection) -> None:
    """Make all objects, and drop those of the last version that this one does not have.

    Tells running servers to clear their caches. Raises StartupError and psycopg.Error.
    """
    for attempts_left in reversed(range(_ATTEMPTS)):
        try:
            try:
                return _apply(connection)
            except _REFUSED:
                return _apply(connection, drop_first=True)
        except psycopg.errors.DeadlockDetected:
            if not attempts_left:
                raise


def _apply(connection: psycopg.Connection, *, drop_first: bool = False) -> None:
    files = _read_files()
    all_text = "".join(files.values())
    new_triggers_hash = _hash("".join(_TRIGGER.findall(all_text)))
    with connection.transaction():
        row = connection.execute("SELECT objects, triggers_hash FROM applied_functions").fetchone()
        recorded, triggers_hash = row or ([], "")
        kept: list[str] = []
        if drop_first:
            _drop(connection, recorded)
        elif triggers_hash == new_triggers_hash:
            files = {name: _TRIGGER.sub("", text) for name, text in files.items()}
            kept = [each for each in recorded if each.startswith("trigger ")]
        for name, text in files.items():
            try:
                connection.execute(text.encode())
            except (*_REFUSED, psycopg.errors.DeadlockDetected):
                raise
            except psycopg.Error as error:
                raise StartupError(f"sql/functions/{name} failed: {reason(error)}") from error
        row = connection.execute(statements.database.list_made.sql.encode()).fetchone()
        made = [*(row[0] if row else []), *kept]
        # The kinds in reverse, views, triggers, functions: in this order they can be dropped.
        made.sort(key=lambda each: each.split(" ")[0], reverse=True)
        if not drop_first:
            _drop(connection, [each for each in recorded if each not in made])
        connection.execute(_FILL)
        connection.execute("DELETE FROM applied_functions")
        connection.execute(
            "INSERT INTO applied_functions (hash, triggers_hash, objects) VALUES (%s, %s, %s)",
            [_hash(all_text), new_triggers_hash, made],
        )
        connection.execute("INSERT INTO events (type, stale) VALUES ('cache.cleared', 'all')")


def _drop(connection: psycopg.Connection, objects: list[str]) -> None:
    for each in objects:
        kind, name = each.split(" ", 1)
        connection.execute(f"DROP {kind} IF EXISTS {name}".encode())


def _read_files() -> dict[str, str]:
    """The text of each file by its name, in the order in which they run."""
    return {path.name: path.read_text("utf-8") for path in sorted(FUNCTIONS.glob("*.sql"))}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
