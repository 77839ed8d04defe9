"""Names in the schema are an interface: the server, these tests and DBAs use them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest

from mentorapi.database.errors import CALLER_CONSTRAINTS, CONSTRAINTS
from mentorapi.database.migrate import MIGRATIONS

#: Constraints that no request can violate: validation, the statement or its lock prevents it.
#: A violation is a fault of the service, so the client gets a 500.
INTERNAL_CONSTRAINTS = frozenset(
    """
    applied_functions_pkey
    availability_overrides_mentor_fkey availability_overrides_pkey availability_overrides_windows
    availability_windows_day_of_week availability_windows_mentor_fkey
    availability_windows_no_overlap availability_windows_order availability_windows_pkey
    availability_windows_whole_minutes
    bookings_buffer_time bookings_cancelled_by_fkey bookings_length bookings_mentee_fkey
    bookings_mentor_fkey bookings_one_per_request bookings_pkey bookings_reason_only_when_cancelled
    bookings_request_fkey bookings_session_currency bookings_session_rate bookings_status
    events_pkey events_stale
    idempotency_keys_pkey
    mentor_starts_mentor_fkey mentor_starts_pkey
    mentors_buffer_time mentors_counts mentors_languages mentors_links_object mentors_number
    mentors_one_per_user mentors_pkey mentors_policy mentors_session_currency
    mentors_session_duration mentors_session_rate mentors_visibility
    requests_accepted_has_booking requests_booking_fkey requests_expired_is_rejected requests_length
    requests_mentor_fkey requests_one_booking requests_pkey requests_reason_only_when_rejected
    requests_session_currency requests_session_rate requests_status
    reviews_booking_fkey reviews_mentee_fkey reviews_mentor_fkey reviews_pkey reviews_rating
    search_postings_pkey search_vocabulary_pkey
    time_off_dates time_off_mentor_fkey time_off_order time_off_pkey
    users_id_length users_pkey
    """.split()  # noqa: SIM905 - a list of strings would have one line for each
)

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
