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


def test_compare_constraints_with_errors_finds_each(database: psycopg.Connection) -> None:
    known = CONSTRAINTS.keys() | INTERNAL_CONSTRAINTS | CALLER_CONSTRAINTS
    assert names(database, GUARDS) == known


def test_compare_client_errors_with_internal_ones_finds_no_overlap() -> None:
    assert not CONSTRAINTS.keys() & INTERNAL_CONSTRAINTS
    assert not CALLER_CONSTRAINTS & (CONSTRAINTS.keys() | INTERNAL_CONSTRAINTS)


def test_read_schema_finds_no_generated_names(database: psycopg.Connection) -> None:
    written = "".join(path.read_text() for path in MIGRATIONS.glob("*.sql"))
    chosen = set(
        re.findall(r"\b(?:CONSTRAINT|INDEX(?: CONCURRENTLY)?(?: IF NOT EXISTS)?)\s+(\w+)", written)
    )
    assert names(database, f"{GUARDS} UNION {INDEXES}") <= chosen


def test_read_schema_finds_no_time_without_zone(database: psycopg.Connection) -> None:
    types = dict(database.execute(COLUMNS).fetchall())
    assert types["bookings.start_time"] == "timestamp with time zone"
    assert "timestamp without time zone" not in types.values()
