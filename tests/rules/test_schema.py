"""The names in the schema are API: the server, these tests and DBAs know its parts by them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest

from mentorapi.database.errors import (
    CALLER_CONSTRAINTS,
    CONSTRAINTS,
    INTERNAL_CONSTRAINTS,
)
from mentorapi.database.migrate import MIGRATIONS

# PostgreSQL 18 lists NOT NULL ('n') as well, which it names itself; 't' is a constraint trigger.
GUARDS = """
SELECT c.conname
FROM pg_constraint AS c
JOIN pg_class AS t ON t.oid = c.conrelid
WHERE t.relnamespace = 'public'::regnamespace AND t.relname !~ 'yoyo'
    AND c.contype NOT IN ('n', 't')
UNION
SELECT i.relname
FROM pg_index AS x
JOIN pg_class AS i ON i.oid = x.indexrelid
JOIN pg_class AS t ON t.oid = x.indrelid
WHERE t.relnamespace = 'public'::regnamespace AND t.relname !~ 'yoyo' AND x.indisunique
"""

INDEXES = """
SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND tablename !~ 'yoyo'
"""

COLUMNS = """
SELECT table_name || '.' || column_name, data_type
FROM information_schema.columns
WHERE table_schema = 'public' AND table_name !~ 'yoyo'
"""


@pytest.fixture(scope="module")
def database(shared_database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(shared_database_url) as connection:
        yield connection


def names(database: psycopg.Connection, query: str) -> set[str]:
    return {name for (name,) in database.execute(query)}


def test_each_constraint_is_told_to_clients_or_kept_from_them(database: psycopg.Connection) -> None:
    known = CONSTRAINTS.keys() | INTERNAL_CONSTRAINTS | CALLER_CONSTRAINTS
    assert names(database, GUARDS) == known


def test_no_constraint_is_both() -> None:
    assert not CONSTRAINTS.keys() & INTERNAL_CONSTRAINTS
    assert not CALLER_CONSTRAINTS & (CONSTRAINTS.keys() | INTERNAL_CONSTRAINTS)


def test_somebody_chose_each_name(database: psycopg.Connection) -> None:
    written = "".join(path.read_text() for path in MIGRATIONS.glob("*.sql"))
    chosen = set(
        re.findall(r"\b(?:CONSTRAINT|INDEX(?: CONCURRENTLY)?(?: IF NOT EXISTS)?)\s+(\w+)", written)
    )
    assert names(database, f"{GUARDS} UNION {INDEXES}") <= chosen


def test_instants_know_their_time_zone(database: psycopg.Connection) -> None:
    types = dict(database.execute(COLUMNS).fetchall())
    assert types["bookings.start_time"] == "timestamp with time zone"
    assert "timestamp without time zone" not in types.values()
