"""The database roles, from an empty database on, on PostgreSQL 18 and 15."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psycopg
import pytest

from mentorapi.config import Settings
from mentorapi.database import embedded, migrate, programs
from tests.client import SECRET, Api
from tests.conftest import DEBIANS, on
from tests.docs.documents import DATABASE, UPGRADING
from tests.operations.roles import (
    GRANTS,
    LOGINS,
    ROLES,
    create_logins,
    create_roles,
    drop_roles,
    logged_in_as,
)
from tests.operations.rollback import pending, roll_back
from tests.operations.test_dba import story
from tests.schema_dump import SCHEMA
from tests.serving import DRIFT, VERIFIER, serve
from tests.starting import RUN, environment, run

ROOT = RUN.parent

TABLES = """
SELECT relname FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname !~ 'yoyo'
"""


@dataclass(frozen=True)
class Server:
    url: str
    programs: Path

    def create(self, name: str, owner: str = "postgres") -> str:
        """Create a database; return its URL as a superuser."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} OWNER {owner}")
        return on(self.url, name)

    def drop(self, *names: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            for name in names:
                connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def paste(self, script: str, folder: Path, **variables: str) -> str:
        """Run a script in a shell; return what it prints. Raises AssertionError if it fails."""
        script = script.replace("cd /opt/mentorapi", f"cd '{ROOT}'")
        script = script.replace(".venv/bin/", f"{Path(sys.executable).parent}/")
        surroundings = environment(folder) | variables
        surroundings["PATH"] = f"{self.programs}{os.pathsep}{surroundings['PATH']}"
        seen = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            env=surroundings,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert seen.returncode == 0, seen.stdout + seen.stderr
        return seen.stdout


@pytest.fixture(scope="module", params=["18", "15"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with ExitStack() as stack:
        if request.param == "18":
            # Not that of the other tests: it is not durable, and `run.py` refuses it.
            url = stack.enter_context(embedded.running(tmp_path_factory.mktemp("roles")))
            yield Server(url, programs.binaries())
        else:
            yield Server(request.getfixturevalue("postgres_15"), DEBIANS)


def block(page: str, first_words: str) -> str:
    """Return the block for a shell that begins with these words."""
    (found,) = (
        script
        for script in re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
        if script.startswith(first_words)
    )
    return found


INSTALLING = block(DATABASE, "psql -X -q -1 -v ON_ERROR_STOP=1 -f deploy/database/roles.sql")
RESTORING = block(UPGRADING, "cd /opt/mentorapi\npsql -X")
HANDING_OVER = block(UPGRADING, "psql -X -q -1")


@pytest.fixture(scope="module")
def installed(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database that was set up as docs/database.md says; its URL as a superuser."""
    folder = tmp_path_factory.mktemp("installed")
    url = server.create("installed")
    before, after = re.split(r"^# Create the logins.*\n", INSTALLING, flags=re.MULTILINE)
    variables = {"ADMIN": url, "MIGRATOR": logged_in_as(url, "migrator")}
    server.paste(before, folder, **variables)
    create_logins(url)
    server.paste(after, folder, **variables)
    yield url
    server.drop("installed")
    drop_roles(server.url)


@asynccontextmanager
async def serving(url: str, folder: Path) -> AsyncIterator[Api]:
    """Serve as the server's login. ``api.db`` is a superuser's."""
    async with AsyncExitStack() as stack:
        login = logged_in_as(url, "mentorapi")
        running = serve(login, Settings(jwt_secret=SECRET), VERIFIER, folder)
        api = await anext(running)
        stack.push_async_callback(anext, running, None)
        api.db = await stack.enter_async_context(asyncpg.create_pool(url, min_size=1, max_size=1))
        yield api


def owners(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        query = "SELECT tableowner FROM pg_tables WHERE schemaname = 'public'"
        return {owner for (owner,) in connection.execute(query)}


def comments(url: str) -> set[tuple[str, ...]]:
    """Return the comments on tables and columns."""
    with psycopg.connect(url) as connection:
        query = (
            "SELECT objoid::regclass::text, description FROM pg_description"
            " WHERE classoid = 'pg_class'::regclass"
            " AND objoid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)"
        )
        return set(connection.execute(query).fetchall())


async def test_serve_as_the_application_writes_every_table(installed: str, tmp_path: Path) -> None:
    assert owners(installed) == {"mentorapi_owner"}
    login = logged_in_as(installed, "mentorapi")
    assert migrate.migrate(login) == []
    async with serving(installed, tmp_path) as api:
        await story(api)
    with psycopg.connect(logged_in_as(installed, "reporter")) as connection:
        tables = [name for (name,) in connection.execute(TABLES).fetchall()]
        assert len(tables) > 10
        for table in tables:
            assert connection.execute(f"SELECT FROM {table} LIMIT 1").fetchone() is not None, table


CHANGES_OF_THE_SCHEMA = [
    "CREATE TABLE mine ()",
    "CREATE TEMPORARY TABLE mine ()",
    "CREATE SCHEMA mine",
    "CREATE EXTENSION hstore",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "ALTER TABLE bookings DROP CONSTRAINT bookings_no_overlap",
    "ALTER TABLE bookings DISABLE TRIGGER ALL",
    "DROP TABLE reviews",
    "DROP VIEW request_list",
    "DROP INDEX requests_one_pending",
    "DROP FUNCTION act_for",
    "DROP TRIGGER bookings_touch ON bookings",
    "DROP SCHEMA public",
    "DROP DATABASE installed",
    "TRUNCATE requests",
    "DELETE FROM bookings",
    "DELETE FROM users",
    "DELETE FROM reviews",
    "UPDATE reviews SET rating = 5",
    "DELETE FROM events",
    "UPDATE events SET user_id = 'someone'",
    "DELETE FROM _yoyo_migration",
    "SET ROLE mentorapi_owner",
    "SET session_replication_role = replica",
    "SELECT rolpassword FROM pg_authid",
    "COPY users TO PROGRAM 'cat'",
]


@pytest.mark.parametrize(
    ("login", "statement"),
    [
        *(("mentorapi", statement) for statement in CHANGES_OF_THE_SCHEMA),
        ("mentorapi", "SELECT FROM _yoyo_log"),
        *(("reporter", statement) for statement in CHANGES_OF_THE_SCHEMA),
        ("reporter", "INSERT INTO users (id) VALUES ('someone')"),
        ("reporter", "UPDATE users SET name = 'Someone'"),
        ("reporter", "SELECT nextval('mentors_number_seq')"),
        ("migrator", "CREATE EXTENSION hstore"),
        ("migrator", "CREATE ROLE mine"),
        ("migrator", "CREATE SCHEMA mine"),
        ("migrator", "DROP DATABASE installed"),
        ("migrator", "SET session_replication_role = replica"),
        ("migrator", "ALTER ROLE mentorapi SUPERUSER"),
    ],
)
def test_exceed_the_rights_of_a_login_is_refused(
    installed: str, login: str, statement: str
) -> None:
    with (
        psycopg.connect(logged_in_as(installed, login), autocommit=True) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement)


def test_sweep_as_the_reader_ends_with_one_line(installed: str, tmp_path: Path) -> None:
    url = logged_in_as(installed, "reporter")
    ended = run("sweep", data_dir=tmp_path, DATABASE_URL=url)
    assert ended.stderr == (
        "mentorapi: the database refuses: permission denied for view due_sessions\n"
    )
    assert ended.returncode == 1


def test_connect_without_a_role_is_refused(server: Server, installed: str) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE ROLE stranger LOGIN")
        try:
            with pytest.raises(psycopg.OperationalError, match="CONNECT privilege"):
                psycopg.connect(logged_in_as(installed, "stranger"))
        finally:
            connection.execute("DROP ROLE stranger")


async def test_add_a_table_later_needs_no_grant_at_once(
    server: Server, installed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = shutil.copytree(migrate.MIGRATIONS, tmp_path / "migrations")
    (later / "9999.later.sql").write_text(
        f"-- depends: {migrate.known()[-1]}\n"
        "CREATE TABLE later (id int GENERATED ALWAYS AS IDENTITY, user_id text NOT NULL);\n"
        "CREATE FUNCTION write_later() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO later (user_id) VALUES (NEW.id); RETURN NULL; END $$;\n"
        "CREATE TRIGGER users_write_later AFTER INSERT ON users"
        " FOR EACH ROW EXECUTE FUNCTION write_later();\n"
    )
    (later / "9999.later.rollback.sql").write_text(
        "DROP TRIGGER users_write_later ON users;\nDROP FUNCTION write_later;\nDROP TABLE later;\n"
    )
    migrator = logged_in_as(installed, "migrator")
    async with serving(installed, tmp_path) as api:
        known = migrate.known()
        with monkeypatch.context() as patch:
            patch.setattr(migrate, "MIGRATIONS", later)
            assert migrate.migrate(migrator) == ["9999.later"]
        try:
            await api.mentor("later")
            with psycopg.connect(logged_in_as(installed, "reporter")) as connection:
                assert connection.execute("SELECT user_id FROM later").fetchall() == [("later",)]
            assert owners(installed) == {"mentorapi_owner"}

            server.paste(INSTALLING.splitlines()[-1], tmp_path, MIGRATOR=migrator)

            # grants.sql has no line for this table, so the server's login loses the default right.
            with (
                psycopg.connect(logged_in_as(installed, "mentorapi")) as connection,
                pytest.raises(psycopg.errors.InsufficientPrivilege),
            ):
                connection.execute("SELECT FROM later")
        finally:
            with monkeypatch.context() as patch:
                patch.setattr(migrate, "MIGRATIONS", later)
                roll_back(migrator, len(known))


def test_migrate_twice_and_grant_again_changes_nothing(
    server: Server, installed: str, tmp_path: Path
) -> None:
    def rights() -> list[tuple[object, ...]]:
        with psycopg.connect(installed) as connection:
            return connection.execute(
                "SELECT relname, relowner::regrole::text, relacl::text FROM pg_class"
                " WHERE relnamespace = 'public'::regnamespace ORDER BY relname"
            ).fetchall()

    before = rights()
    variables = {"ADMIN": installed, "MIGRATOR": logged_in_as(installed, "migrator")}
    server.paste(INSTALLING, tmp_path, **variables)
    assert rights() == before


async def test_restore_for_another_owner_serves_again(
    server: Server, installed: str, tmp_path: Path
) -> None:
    async with serving(installed, tmp_path / "before") as api:
        mentor = await api.mentor("restored", bio="Saved")
        shown = (await api.nobody.get(f"/mentors/{mentor.id}")).json
    dump = tmp_path / "dump"
    # The reader's login can run pg_dump and drift.sql.
    reporter = logged_in_as(installed, "reporter")
    backup = f"pg_dump --format=custom --file='{dump}' '{reporter}'"
    server.paste(backup, tmp_path)
    assert server.paste(f"psql -X -q -At -f '{DRIFT}' '{reporter}'", tmp_path) == ""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE ROLE another LOGIN")
    try:
        url = server.create("restored", owner="another")
        migrator = logged_in_as(url, "migrator")
        assert not server.paste(RESTORING, tmp_path, ADMIN=url, DB=migrator, DUMP=str(dump))
        assert owners(url) == {"mentorapi_owner"}
        assert comments(url) == comments(installed)
        assert pending(migrator) == []
        async with serving(url, tmp_path / "after") as api:
            assert (await api.nobody.get(f"/mentors/{mentor.id}")).json == shown
            tom = await api.mentor("tom")
            await api.session(api.user("jane"), tom)
    finally:
        server.drop("restored")
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("DROP ROLE another")


def test_restore_without_roles_belongs_to_the_owner(
    server: Server, installed: str, tmp_path: Path
) -> None:
    dump = tmp_path / "dump"
    server.paste(f"pg_dump --format=custom --file='{dump}' '{installed}'", tmp_path)
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE ROLE alone LOGIN")
    try:
        url = logged_in_as(server.create("alone", owner="alone"), "alone")
        without_roles = [
            line
            for line in RESTORING.splitlines()
            if "roles.sql" not in line and "grants.sql" not in line
        ]
        server.paste("\n".join(without_roles), tmp_path, DB=url, DUMP=str(dump))
        assert owners(url) == {"alone"}
        assert pending(url) == []
    finally:
        server.drop("alone")
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("DROP ROLE alone")


def test_grant_on_tables_of_a_login_says_what_to_do(
    server: Server, installed: str, tmp_path: Path
) -> None:
    url = server.create("owned")
    migrator = logged_in_as(url, "migrator")
    grants = INSTALLING.splitlines()[-1]
    set_role = LOGINS[1]
    assert set_role == "ALTER ROLE migrator SET role = 'mentorapi_owner';"
    try:
        create_roles(url)
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("ALTER ROLE migrator RESET role")
        migrate.migrate(migrator)
        assert owners(url) == {"migrator"}
        with pytest.raises(AssertionError) as refused:
            server.paste(grants, tmp_path, MIGRATOR=migrator)
        assert "belongs to migrator, not to mentorapi_owner" in str(refused.value)
        assert set_role in str(refused.value)

        server.paste(HANDING_OVER, tmp_path, ADMIN=url)

        assert owners(url) == {"mentorapi_owner"}
        server.paste(grants, tmp_path, MIGRATOR=migrator)
    finally:
        server.drop("owned")
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(set_role)


def test_create_roles_as_the_owner_needs_no_superuser(server: Server) -> None:
    """The roles have other names here, since a superuser owns those of the other tests."""

    def renamed(statements: str) -> str:
        statements = re.sub(r"\bmentorapi_", "chiefs_", statements)
        return re.sub(r"\b(ROLE) (migrator|mentorapi|reporter)\b", r"\1 chiefs_\2", statements)

    names = ("migrator", "mentorapi", "reporter", "owner", "server", "reader")
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE ROLE chief LOGIN CREATEROLE")
    try:
        url = logged_in_as(server.create("chiefs", owner="chief"), "chief")
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in (ROLES, ROLES, *LOGINS):
                connection.execute(renamed(statement))
        migrator = logged_in_as(url, "chiefs_migrator")
        assert migrate.migrate(migrator) == [*migrate.known(), "sql/functions"]
        with psycopg.connect(migrator) as connection:
            connection.execute(renamed(GRANTS))
        assert owners(url) == {"chiefs_owner"}
        assert pending(logged_in_as(url, "chiefs_mentorapi")) == []
    finally:
        server.drop("chiefs")
        with psycopg.connect(server.url, autocommit=True) as connection:
            for name in names:
                connection.execute(f"DROP ROLE IF EXISTS chiefs_{name}")
            connection.execute("DROP ROLE chief")


def test_load_the_schema_into_an_empty_database_works(server: Server, tmp_path: Path) -> None:
    def dump(url: str) -> str:
        dumped = server.paste(f"pg_dump --schema-only '{url}'", tmp_path)
        # The first and the last line contain a random word. PostgreSQL may drop parentheses when it
        # reads an expression.
        return re.sub(r"^\\(un)?restrict .*|[()]", "", dumped, flags=re.MULTILINE)

    try:
        loaded, migrated = server.create("loaded"), server.create("migrated")
        server.paste(f"psql -X -q -v ON_ERROR_STOP=1 -f '{SCHEMA}' '{loaded}'", tmp_path)
        migrate.migrate(migrated)
        assert dump(loaded) == dump(migrated)
    finally:
        server.drop("loaded", "migrated")
