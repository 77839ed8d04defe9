"""Migrations applied, rolled back and applied again, on PostgreSQL 18 and 15."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import RFC_4122, UUID

import psycopg
import pytest
from yoyo.backends import DatabaseBackend

from mentorapi.database import programs
from mentorapi.database.migrate import MIGRATIONS, migrate
from mentorapi.errors import StartupError
from tests.conftest import DEBIANS, on
from tests.operations.rollback import pending, roll_back
from tests.serving import DRIFT

IDS = [path.stem for path in sorted(MIGRATIONS.glob("*.sql")) if ".rollback" not in path.name]
EVERYTHING = [*IDS, "sql/functions"]

#: A database that has applied the former migrations 0001 to 0008, with data.
SCHEMA_0008 = Path(__file__).with_name("schema_0008.sql").read_bytes()

#: Former migrations, which a database from before the squash may have applied.
FORMER = [
    *("0002.rules", "0003.shapes", "0004.idempotency", "0005.calendar", "0006.discovery"),
    *("0007.history", "0008.search", "0009.general", "0010.search_limits", "0011.images"),
    *("0012.slots", "0013.requests"),
]


@dataclass(frozen=True)
class Database:
    url: str
    binaries: Path

    def schema(self) -> str:
        """The schema as SQL, without yoyo's own tables."""
        # pg_dump of the server's version: a newer one may leave out what only an older server has.
        command = [self.binaries / "pg_dump", "--schema-only", "--exclude-table=*yoyo*", self.url]
        dumped = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        # The first and the last line contain random text.
        return re.sub(r"^\\(un)?restrict .*", "", dumped, flags=re.MULTILINE)

    def execute(self, query: str | bytes) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(query if isinstance(query, bytes) else query.encode())
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module", params=["18", "15"])
def server(request: pytest.FixtureRequest) -> Database:
    newest = request.param == "18"
    url = request.getfixturevalue("postgres" if newest else "postgres_15")
    return Database(url, programs.binaries() if newest else DEBIANS)


@pytest.fixture
def empty(server: Database) -> Iterator[Database]:
    server.execute("CREATE DATABASE up_and_down")
    yield Database(on(server.url, "up_and_down"), server.binaries)
    server.execute("DROP DATABASE up_and_down WITH (FORCE)")


@pytest.fixture(scope="module")
def fresh_schema(server: Database) -> str:
    server.execute("CREATE DATABASE fresh")
    database = Database(on(server.url, "fresh"), server.binaries)
    migrate(database.url)
    schema = database.schema()
    server.execute("DROP DATABASE fresh WITH (FORCE)")
    assert "CREATE TABLE public.bookings" in schema
    return schema


def test_roll_back_and_migrate_again_gives_the_same_schema(
    empty: Database, fresh_schema: str
) -> None:
    assert migrate(empty.url) == EVERYTHING
    for keep in reversed(range(len(IDS))):
        assert roll_back(empty.url, keep) == IDS[keep:][::-1]
        # The rollback of 0011.earlier leaves the functions alone.
        assert migrate(empty.url)[: len(IDS) - keep] == IDS[keep:]
        assert empty.schema() == fresh_schema


def test_roll_back_after_an_interrupted_migrate_leaves_the_tables(empty: Database) -> None:
    migrate(empty.url)
    # As a migration does, before the functions without this trigger are applied.
    empty.execute("DROP TRIGGER mentors_recorded ON mentors")
    for keep in reversed(range(len(IDS))):
        assert roll_back(empty.url, keep) == [IDS[keep]]


def test_roll_back_everything_leaves_extensions_only(empty: Database) -> None:
    migrate(empty.url)
    roll_back(empty.url)
    left = re.findall(r"^CREATE .*", empty.schema(), re.MULTILINE)
    assert [line for line in left if not line.startswith("CREATE EXTENSION")] == []


def test_migrate_twice_applies_nothing(empty: Database) -> None:
    migrate(empty.url)
    assert pending(empty.url) == []
    assert migrate(empty.url) == []


def test_migrate_as_owner_without_superuser_succeeds(empty: Database) -> None:
    empty.execute("CREATE ROLE somebody LOGIN")
    try:
        empty.execute("ALTER DATABASE up_and_down OWNER TO somebody")
        url = empty.url.replace("postgres@", "somebody@")
        assert migrate(url) == EVERYTHING
        assert roll_back(url) == IDS[::-1]
    finally:
        empty.execute("REASSIGN OWNED BY somebody TO postgres")
        empty.execute("DROP OWNED BY somebody")
        empty.execute("DROP ROLE somebody")


def test_fail_within_a_migration_leaves_nothing_of_it(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise psycopg.OperationalError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(DatabaseBackend, "mark_one", killed)
        with pytest.raises(StartupError, match="killed"):
            migrate(empty.url)
    assert migrate(empty.url) == EVERYTHING


def test_migrate_the_schema_of_0008_keeps_its_data(empty: Database, fresh_schema: str) -> None:
    empty.execute(SCHEMA_0008)
    assert migrate(empty.url) == EVERYTHING[1:]
    assert empty.schema() == fresh_schema
    assert empty.execute("SELECT migration_id FROM _yoyo_migration ORDER BY migration_id") == [
        (name,) for name in IDS
    ]
    assert empty.execute(
        "SELECT topic, status, location, session_rate, session_currency, expired FROM requests"
        " ORDER BY topic"
    ) == [
        ("Cancelled", "cancelled", None, 5000, "NGN", False),
        # Its session was booked at another rate.
        ("Completed", "accepted", None, 4000, "NGN", False),
        ("Pending", "pending", None, 5000, "NGN", False),
        ("Rejected", "rejected", None, 5000, "NGN", False),
    ]
    image = "SELECT profile_image_url, image_url(mentors) FROM mentors WHERE user_id = 'ada'"
    assert empty.execute(image) == [(None, "/api/images/0123456789abcdef.webp")]
    assert empty.execute("SELECT route FROM idempotency_keys") == [("POST /api/requests",)]
    assert empty.execute("SELECT count(*) FROM events WHERE is_history") == [(10,)]
    # 500 of the 511 words of one profile are kept.
    kept = "SELECT word FROM search_postings WHERE word IN ('w1', 'w499', 'w500') ORDER BY word"
    assert empty.execute(kept) == [("w1",), ("w499",)]
    assert empty.execute(DRIFT.read_bytes()) == []
    assert migrate(empty.url) == []


def test_migrate_the_schema_of_0013_changes_nothing(empty: Database, fresh_schema: str) -> None:
    """The tables of 0013 are those of 0002.adopt; only the ids of the applied migrations differ."""
    empty.execute(SCHEMA_0008)
    migrate(empty.url)
    roll_back(empty.url, keep=2)
    empty.execute("DELETE FROM _yoyo_migration WHERE migration_id = '0002.adopt'")
    for name in FORMER:
        empty.execute(f"INSERT INTO _yoyo_migration VALUES ('{name}', '{name}', now())")
    query = "SELECT to_jsonb(r) FROM requests AS r UNION ALL SELECT to_jsonb(m) FROM mentors AS m"
    before = empty.execute(query)
    assert migrate(empty.url) == EVERYTHING[1:]
    assert empty.schema() == fresh_schema
    # Later migrations add columns, and 0005.search drops the folded texts.
    for (old,), (new,) in zip(before, empty.execute(query), strict=True):
        assert {name: new[name] for name in old if not name.startswith("search_")} == {
            name: value for name, value in old.items() if not name.startswith("search_")
        }
    assert migrate(empty.url) == []


def test_migrate_former_words_indexes_all_profiles_anew(empty: Database) -> None:
    empty.execute(SCHEMA_0008)
    migrate(empty.url)
    for migration in ("0008.words", "0013.compounds"):
        empty.execute(f"DELETE FROM _yoyo_migration WHERE migration_id = '{migration}'")
        empty.execute("UPDATE applied_functions SET hash = 'former'")
        empty.execute("DELETE FROM search_postings WHERE word LIKE 'w%'")
        assert empty.execute(DRIFT.read_bytes()) != []
        assert migrate(empty.url) == [migration, "sql/functions"]
        assert empty.execute(DRIFT.read_bytes()) == []


def test_migrate_again_after_a_failure_fills_the_search(empty: Database) -> None:
    empty.execute(SCHEMA_0008)
    migrate(empty.url)
    empty.execute("DELETE FROM search_postings")
    empty.execute("UPDATE applied_functions SET hash = 'former'")
    empty.execute("ALTER TABLE search_postings ADD CONSTRAINT refused CHECK (false)")
    with pytest.raises(StartupError, match="refused"):
        migrate(empty.url)
    empty.execute("ALTER TABLE search_postings DROP CONSTRAINT refused")
    assert migrate(empty.url) == ["sql/functions"]
    assert empty.execute(DRIFT.read_bytes()) == []


def test_migrate_files_before_their_last_change_gives_the_same_schema(
    empty: Database, fresh_schema: str
) -> None:
    """0001.schema and 0003.events were changed on the day on which they were written."""
    migrate(empty.url)
    empty.execute("DELETE FROM _yoyo_migration WHERE migration_id = '0011.earlier'")
    empty.execute("ALTER TABLE applied_functions DROP COLUMN triggers_hash")
    empty.execute(
        """
        ALTER TABLE events
        ADD CONSTRAINT events_type CHECK (type ~ '^[a-z]+[.][a-z_]+$'),
        ADD CONSTRAINT events_source CHECK (source IN ('user', 'sweep', 'database')),
        ADD CONSTRAINT events_user
        CHECK (NOT is_history OR (source = 'user') = (user_id IS NOT NULL)),
        ADD CONSTRAINT events_history
        CHECK (NOT is_history OR num_nulls(object_id, status, source) = 0)
        """
    )
    empty.execute("UPDATE applied_functions SET hash = 'former'")
    assert migrate(empty.url) == ["0011.earlier", "sql/functions"]
    # The column is now the last one of its table.
    schemas = [each.replace(",\n", "\n") for each in (empty.schema(), fresh_schema)]
    assert sorted(schemas[0].splitlines()) == sorted(schemas[1].splitlines())


def test_migrate_state_changes_to_events_and_back_keeps_each(empty: Database) -> None:
    columns = "user_id, source, database_user, reason, start_time, end_time"
    former = f"""
        SELECT coalesce(request_id, booking_id), old_status, new_status, {columns}, changed_at
        FROM state_changes ORDER BY 1, changed_at, id
    """
    events = f"""
        SELECT object_id, old_status, status, {columns}, created_at
        FROM events WHERE is_history ORDER BY 1, id
    """
    empty.execute(SCHEMA_0008)
    before = empty.execute(former)
    assert len(before) == 10
    migrate(empty.url)
    assert empty.execute(events) == before
    roll_back(empty.url, keep=2)
    assert empty.execute(former) == before


def test_migrate_a_schema_older_than_0008_is_refused(empty: Database) -> None:
    migrate(empty.url)
    empty.execute("DELETE FROM _yoyo_migration WHERE migration_id = '0002.adopt'")
    empty.execute("DROP TABLE search_postings CASCADE")
    with pytest.raises(StartupError, match=r"has not applied the migration 0008\.search"):
        migrate(empty.url)


def test_create_ids_gives_uuids_of_version_7_in_order(empty: Database) -> None:
    migrate(empty.url)
    rows = empty.execute("SELECT uuidv7(), pg_sleep(0.002) FROM generate_series(1, 20)")
    made = [UUID(str(row[0])) for row in rows]
    assert {(one.version, one.variant) for one in made} == {(7, RFC_4122)}
    assert made == sorted(made)
    first = datetime.fromtimestamp((made[0].int >> 80) / 1000, UTC)
    assert abs(datetime.now(UTC) - first) < timedelta(minutes=1)


def test_run_journeys_on_oldest_postgresql_succeeds(postgres_15: str) -> None:
    arguments = ["-n0", "-q", "-pno:cacheprovider", "tests/rules/test_journeys.py"]
    journeys = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=MIGRATIONS.parent,
        env=os.environ | {"MENTORAPI_TEST_SERVER": postgres_15},
        capture_output=True,
        text=True,
    )
    assert journeys.returncode == 0, journeys.stdout + journeys.stderr
    assert "2 passed" in journeys.stdout
