"""Up, down and up again, on the newest PostgreSQL and on the oldest."""

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

from mentorapi.database import embedded
from mentorapi.database.migrate import MIGRATIONS, migrate, pending
from mentorapi.errors import StartupError
from tests.conftest import DEBIANS, on
from tests.operations.undoing import roll_back

IDS = [path.stem for path in sorted(MIGRATIONS.glob("*.sql")) if ".rollback" not in path.name]
FUNCTIONS = "sql/functions"


@dataclass(frozen=True)
class Database:
    url: str
    binaries: Path

    def schema(self) -> str:
        """As SQL, without yoyo's own tables."""
        # The server's own pg_dump: a newer one may show what an older server keeps to itself.
        command = [self.binaries / "pg_dump", "--schema-only", "--exclude-table=*yoyo*", self.url]
        dumped = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        # A random word in the first line and in the last.
        return re.sub(r"^\\(un)?restrict .*", "", dumped, flags=re.MULTILINE)


@pytest.fixture(params=["18", "15"])
def empty(request: pytest.FixtureRequest) -> Iterator[Database]:
    newest = request.param == "18"
    server = request.getfixturevalue("postgres" if newest else "postgres_15")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE up_and_down")
        yield Database(on(server, "up_and_down"), embedded._binaries() if newest else DEBIANS)
        connection.execute("DROP DATABASE up_and_down WITH (FORCE)")


def test_roll_back_and_migrate_again_gives_the_same_schema(empty: Database) -> None:
    url = empty.url
    assert migrate(url) == [*IDS, FUNCTIONS]
    schema = empty.schema()
    assert "CREATE TABLE public.bookings" in schema
    for keep in reversed(range(len(IDS))):
        assert roll_back(url, keep) == IDS[keep:][::-1]
        assert migrate(url) == [*IDS[keep:], FUNCTIONS]
        assert empty.schema() == schema


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
    with psycopg.connect(empty.url, autocommit=True) as connection:
        connection.execute("CREATE ROLE somebody LOGIN")
        try:
            connection.execute("ALTER DATABASE up_and_down OWNER TO somebody")
            url = empty.url.replace("postgres@", "somebody@")
            assert migrate(url) == [*IDS, FUNCTIONS]
            assert roll_back(url) == IDS[::-1]
        finally:
            connection.execute("REASSIGN OWNED BY somebody TO postgres")
            connection.execute("DROP OWNED BY somebody")
            connection.execute("DROP ROLE somebody")


def test_fail_within_a_migration_leaves_nothing_of_it(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is killed between the two would leave a schema that no later start can apply."""

    def killed(*_: object, **__: object) -> None:
        raise psycopg.OperationalError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(DatabaseBackend, "mark_one", killed)
        with pytest.raises(StartupError, match="killed"):
            migrate(empty.url)
    assert migrate(empty.url) == [*IDS, FUNCTIONS]


def test_create_ids_gives_uuids_of_version_7_in_order(empty: Database) -> None:
    migrate(empty.url)
    with psycopg.connect(empty.url) as connection:
        rows = connection.execute(
            "SELECT uuidv7(), pg_sleep(0.002) FROM generate_series(1, 20)"
        ).fetchall()
    made = [UUID(str(row[0])) for row in rows]
    assert {(one.version, one.variant) for one in made} == {(7, RFC_4122)}
    assert made == sorted(made)
    first = datetime.fromtimestamp((made[0].int >> 80) / 1000, UTC)
    assert abs(datetime.now(UTC) - first) < timedelta(minutes=1)


def test_run_journeys_on_oldest_postgresql_succeeds(postgres_15: str) -> None:
    journeys = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-pno:cacheprovider",
            "tests/rules/test_journeys.py",
        ],
        cwd=MIGRATIONS.parent,
        env=os.environ | {"MENTORAPI_TEST_SERVER": postgres_15},
        capture_output=True,
        text=True,
    )
    assert journeys.returncode == 0, journeys.stdout + journeys.stderr
    assert "2 passed" in journeys.stdout
