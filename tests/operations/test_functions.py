"""A DBA changes a file of sql/functions/ and runs ``run.py migrate``."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from mentorapi.database import functions
from mentorapi.database.migrate import migrate
from mentorapi.errors import StartupError
from tests.client import Api
from tests.starting import wait_until

pytestmark = pytest.mark.own_server

APPLIED = ["sql/functions"]

#: Functions that a column default, a generated column, an index or a constraint uses.
OF_MIGRATIONS = {
    "function public.are_windows(time without time zone[],time without time zone[])",
    "function public.booking_is_live(pg_catalog.text)",
    "function public.occupied(timestamp with time zone,timestamp with time zone,integer)",
    "function public.uuidv7()",
}

OBJECTS = """
SELECT o.type || ' ' || o.identity
FROM (
    SELECT 'pg_proc'::regclass AS catalog, oid FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'pg_class'::regclass, oid FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'v'
    UNION ALL
    SELECT 'pg_trigger'::regclass, oid FROM pg_trigger WHERE NOT tgisinternal
) AS t
CROSS JOIN pg_identify_object(t.catalog, t.oid, 0) AS o
WHERE NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = t.oid AND d.deptype = 'e')
"""

STORED = """
SELECT DISTINCT o.type || ' ' || o.identity
FROM pg_depend AS d
CROSS JOIN pg_identify_object(d.refclassid, d.refobjid, 0) AS o
WHERE
    d.refclassid = 'pg_proc'::regclass
    AND d.classid IN ('pg_attrdef'::regclass, 'pg_constraint'::regclass, 'pg_class'::regclass)
    AND o.schema = 'public'
    AND NOT EXISTS (SELECT FROM pg_depend AS e WHERE e.objid = d.refobjid AND e.deptype = 'e')
"""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of sql/functions/ that migrate() reads instead of the original."""
    copy = shutil.copytree(functions.FUNCTIONS, tmp_path / "functions")
    monkeypatch.setattr(functions, "FUNCTIONS", copy)
    return copy


@pytest.fixture
def database(database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def edit(files: Path, place: str, old: str, new: str) -> None:
    """Replace a text that follows ``place``, which exactly one of the files contains."""
    (path,) = (path for path in files.glob("*.sql") if place in path.read_text())
    before, after = path.read_text().split(place)
    assert old in after
    path.write_text(before + place + after.replace(old, new, 1))


def names(database: psycopg.Connection, query: str = OBJECTS) -> set[str]:
    return {name for (name,) in database.execute(query.encode())}


def value(database: psycopg.Connection, query: str) -> object:
    row = database.execute(query.encode()).fetchone()
    return row and row[0]


async def clearing(api: Api) -> None:
    """Wait until the server's cache is current."""
    await api.services.listener.wait_until_current()


async def test_edit_mentor_free_time_and_migrate_changes_the_slots(
    api: Api, files: Path, database_url: str
) -> None:
    mentor = await api.mentor("mia")
    path = f"/mentors/{mentor.id}/availability"
    assert (await api.nobody.get(path)).json["slots"]

    free = "open_hours - coalesce(off.hours, '{}') - "
    place = "FUNCTION mentor_free_time(\n    m mentors"
    edit(files, place, f"{free}coalesce(busy.hours, '{{}}')", f"{free}'{{(,)}}'")
    assert migrate(database_url) == APPLIED

    await clearing(api)
    assert (await api.nobody.get(path)).json["slots"] == []


async def test_migrate_changed_functions_clears_the_caches_of_servers(
    api: Api, files: Path, database_url: str
) -> None:
    mentor = await api.mentor("mia")
    paths = ["/mentors", f"/mentors/{mentor.id}", "/mentors/search?q=mia"]
    for path in paths:
        assert b"seen" not in (await api.nobody.get(path)).body
    for name in ("mentor_card", "mentor_page"):
        edit(files, f"FUNCTION {name}(", "m.headline,", "'seen' AS headline,")

    assert migrate(database_url) == APPLIED

    await clearing(api)
    for path in paths:
        assert b"seen" in (await api.nobody.get(path)).body, path


def test_migrate_without_a_change_leaves_functions_alone(
    database: psycopg.Connection, files: Path, database_url: str
) -> None:
    applied_at = value(database, "SELECT applied_at FROM applied_functions")
    assert migrate(database_url) == []
    assert value(database, "SELECT applied_at FROM applied_functions") == applied_at


@pytest.mark.parametrize(
    ("place", "old", "new"),
    [
        pytest.param(
            "FUNCTION expiry_reason()", "RETURNS text", "RETURNS varchar", id="return type"
        ),
        pytest.param("VIEW mentor_list", "m.total_sessions,\n", "", id="column of a view"),
    ],
)
def test_migrate_what_cannot_be_replaced_drops_it_first(
    database: psycopg.Connection, files: Path, database_url: str, place: str, old: str, new: str
) -> None:
    before = names(database)
    edit(files, place, old, new)
    assert migrate(database_url) == APPLIED
    assert names(database) == before
    assert migrate(database_url) == []


def test_migrate_drops_what_the_files_no_longer_make(
    database: psycopg.Connection, files: Path, database_url: str
) -> None:
    before = names(database)
    more = files / "99_more.sql"
    more.write_text(
        "CREATE OR REPLACE FUNCTION more() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN RETURN NULL; END $$;\n"
        "CREATE OR REPLACE FUNCTION more(words text) RETURNS text LANGUAGE sql"
        " AS $$ SELECT words $$;\n"
        "CREATE OR REPLACE VIEW more AS SELECT more('a') AS word;\n"
        "CREATE OR REPLACE TRIGGER users_more AFTER INSERT ON users"
        " FOR EACH ROW EXECUTE FUNCTION more();\n"
    )
    assert migrate(database_url) == APPLIED
    assert len(names(database) - before) == 4

    # As after an edit of the type of an argument.
    more.write_text(more.read_text().replace("words text", "words varchar"))
    assert migrate(database_url) == APPLIED
    assert len(names(database) - before) == 4

    more.unlink()
    assert migrate(database_url) == APPLIED
    assert names(database) == before


def test_migrate_a_changed_function_waits_for_no_write(
    database: psycopg.Connection, files: Path, database_url: str
) -> None:
    edit(files, "FUNCTION expiry_reason()", "Expired", "Ended")
    with database.transaction():
        database.execute(
            "LOCK TABLE users, mentors, availability_windows, requests, bookings, reviews"
            " IN ROW EXCLUSIVE MODE"
        )
        # If it waited for a lock, lock_timeout would end it.
        assert migrate(database_url) == APPLIED
    assert value(database, "SELECT expiry_reason()") == "Ended without an answer"


def test_migrate_a_changed_trigger_survives_a_deadlock(
    database: psycopg.Connection, files: Path, database_url: str
) -> None:
    edit(files, "TRIGGER requests_touch ", "BEFORE UPDATE", "BEFORE UPDATE OF status")
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'bookings'::regclass"
    with ThreadPoolExecutor(1) as thread, psycopg.connect(database_url) as writer:
        # So PostgreSQL ends the migration, and not the writer.
        writer.execute("SET deadlock_timeout = '1min'")
        writer.execute("LOCK TABLE bookings IN ROW EXCLUSIVE MODE")
        migrated = thread.submit(migrate, database_url)
        # It has locked requests, and waits for bookings.
        wait_until(lambda: value(database, waiting))
        writer.execute("LOCK TABLE requests IN ROW EXCLUSIVE MODE")
        writer.commit()
        assert migrated.result() == APPLIED
    definition = "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = 'requests_touch'"
    assert "UPDATE OF status" in str(value(database, definition))


def test_migrate_functions_with_a_mistake_changes_nothing(
    database: psycopg.Connection, files: Path, database_url: str
) -> None:
    iso = "SELECT iso('2026-01-01T00:00Z')"
    edit(files, "FUNCTION iso(", "'.000', ''", "'.000', '.0'")
    edit(files, "FUNCTION change_json(", "'from',", "'from'")
    with pytest.raises(StartupError, match=r"^sql/functions/\d+_events\.sql failed: syntax error"):
        migrate(database_url)
    assert value(database, iso) == "2026-01-01T00:00:00Z"
    edit(files, "FUNCTION change_json(", "'from'", "'from',")
    assert migrate(database_url) == APPLIED
    assert value(database, iso) == "2026-01-01T00:00:00.0Z"


def test_migrate_with_older_code_leaves_newer_functions_alone(
    database: psycopg.Connection,
    files: Path,
    database_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    database.execute("INSERT INTO _yoyo_migration VALUES ('later', '9999.later', now())")
    edit(files, "FUNCTION expiry_reason()", "Expired", "Older")
    with caplog.at_level(logging.INFO, "mentorapi"):
        assert migrate(database_url) == []
    assert value(database, "SELECT expiry_reason()") == "Expired without an answer"
    assert [record.getMessage() for record in caplog.records] == [
        "The database has newer migrations (9999.later): its functions stay"
    ]


def test_read_the_record_of_objects_finds_each_of_the_database(
    database: psycopg.Connection,
) -> None:
    recorded = set(value(database, "SELECT objects FROM applied_functions"))
    assert recorded == names(database) - OF_MIGRATIONS


def test_look_at_migrations_finds_only_functions_of_stored_values(
    database: psycopg.Connection,
) -> None:
    # The default of ids is uuidv7(), which PostgreSQL 18 has itself.
    assert names(database, STORED) | {"function public.uuidv7()"} == OF_MIGRATIONS
