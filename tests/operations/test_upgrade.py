"""The steps of docs/upgrading.md, followed on a database with data."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Set
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
from tornado.ioloop import IOLoop

from mentorapi.config import Settings
from mentorapi.database import embedded, migrate
from tests.client import SECRET, Api
from tests.conftest import execute, on
from tests.docs.documents import UPGRADING
from tests.operations.roles import create_logins, create_roles, drop_roles, logged_in_as
from tests.operations.rollback import pending
from tests.operations.test_dba import PROGRAMS
from tests.serving import VERIFIER, serve
from tests.starting import RUN, environment

ROOT = RUN.parent
PAGE = UPGRADING
KNOWN = migrate.known()

SCHEMA_0008 = Path(__file__).with_name("schema_0008.sql")

#: Tables that are computed from others. drift.sql compares them.
DERIVED = {"applied_functions", "search_postings", "search_vocabulary"}

#: Tables whose rows 0002.adopt changes. test_migrations.py compares them.
CHANGED_BY_ADOPT = {"idempotency_keys", "mentors", "requests"}

Rows = list[dict[str, Any]]


async def paste(heading: str, url: str, folder: Path) -> str:
    """Run the steps below a heading that concern the database; return what they print."""
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section
    steps = [
        block
        for block in re.findall(r"^ *```sh\n(.*?)^ *```$", section[1], re.MULTILINE | re.DOTALL)
        if block.lstrip().startswith("cd /opt/mentorapi\n")
    ]
    assert len(steps) == 2
    bin_folder = Path(sys.executable).parent
    script = "".join(steps).replace("cd /opt/mentorapi", f"cd '{ROOT}'")
    script = script.replace(".venv/bin/", f"{bin_folder}/")
    surroundings = environment(folder)
    surroundings |= {"DB": url, "HOME": str(folder)}
    surroundings["PATH"] = f"{PROGRAMS}{os.pathsep}{surroundings['PATH']}"
    seen = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-euo", "pipefail", "-c", script],
        env=surroundings,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert seen.returncode == 0, seen.stdout + seen.stderr
    return seen.stdout


async def contents(url: str) -> dict[str, Rows]:
    """Return the rows of each table. Their times are in UTC, whatever the zone of the server."""
    connection = await asyncpg.connect(url, server_settings={"timezone": "UTC"})
    try:
        tables = await connection.fetch(
            "SELECT relname FROM pg_class"
            " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            " AND relname NOT LIKE '%yoyo%'"
        )
        return {
            table: [
                orjson.loads(row["row"])
                for row in await connection.fetch(
                    f'SELECT to_jsonb(t)::text AS row FROM "{table}" t'
                )
            ]
            for (table,) in tables
        }
    finally:
        await connection.close()


def assert_intact(
    before: dict[str, Rows], after: dict[str, Rows], *, but: Set[str] = frozenset()
) -> None:
    """Compare the tables that both have, and of these the columns that both have."""

    def kept(rows: Rows, columns: set[str]) -> list[bytes]:
        # Each migrate that applies functions adds an event of this type.
        stay = (row for row in rows if row.get("type") != "cache.cleared")
        shown = ({name: row[name] for name in columns} for row in stay)
        return sorted(orjson.dumps(row, option=orjson.OPT_SORT_KEYS) for row in shown)

    for table in before.keys() & after.keys() - DERIVED - but:
        old, new = before[table], after[table]
        columns = old[0].keys() & new[0].keys() if old and new else set()
        assert kept(old, columns) == kept(new, columns), table


@asynccontextmanager
async def serving(url: str, folder: Path) -> AsyncIterator[Api]:
    """Serve the database; run drift.sql at the end."""
    running = serve(url, Settings(jwt_secret=SECRET), VERIFIER, folder)
    yield await anext(running)
    await anext(running, None)


async def journey(api: Api, sub: str) -> None:
    mentor, jane = await api.mentor(sub, sessionRate=5000), api.user("jane")
    session = await api.completed(jane, mentor)
    reviewed = await jane.ok("POST", f"/sessions/{session['id']}/review", {"rating": 5})
    assert reviewed["review"]["rating"] == 5
    dashboard = await mentor.ok("GET", "/mentor/dashboard")
    assert (dashboard["totalSessions"], dashboard["totalEarnings"]) == (1, 5000)
    history = await jane.ok("GET", f"/sessions/{session['id']}/history")
    assert history[-1]["to"] == "completed"
    assert (await api.nobody.get("/mentors/search", q="sytem design")).json


async def show_former_sessions(api: Api) -> None:
    """Read the sessions of schema_0008.sql."""
    jane = api.user("jane")
    former = [
        each for each in await jane.ok("GET", "/sessions") if each["mentor"]["userId"] == "ada"
    ]
    assert len(former) == 2
    for each in former:
        told = await jane.ok("GET", f"/sessions/{each['id']}/history")
        assert told[-1]["to"] == each["status"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a durable server: `run.py` refuses that of the other tests."""
    with embedded.running(tmp_path_factory.mktemp("upgrade")) as url:
        yield url


@pytest.fixture
def used(server: str, io_loop: IOLoop) -> Iterator[str]:
    """The URL of a database with data and the former migrations, as the login that migrates."""
    io_loop.run_sync(lambda: execute(server, "CREATE DATABASE used"))
    create_roles(on(server, "used"))
    create_logins(on(server, "used"))
    url = logged_in_as(on(server, "used"), "migrator")
    io_loop.run_sync(lambda: execute(url, SCHEMA_0008.read_text()))
    yield url
    io_loop.run_sync(lambda: execute(server, "DROP DATABASE used WITH (FORCE)"))
    drop_roles(server)


async def test_upgrade_older_schema_with_data_keeps_it(used: str, tmp_path: Path) -> None:
    before = await contents(used)

    printed = await paste("Up", used, tmp_path)

    # Nothing else is printed: the last command would show drift.
    assert printed.splitlines() == [f"Applied {name}" for name in (*KNOWN[1:], "sql/functions")]
    assert (tmp_path / "before-upgrade.dump").stat().st_size
    assert_intact(before, await contents(used), but=CHANGED_BY_ADOPT)
    async with serving(used, tmp_path / "data") as api:
        await journey(api, "tom")
        await show_former_sessions(api)


async def test_downgrade_and_upgrade_again_keeps_the_data(used: str, tmp_path: Path) -> None:
    migrate.migrate(used)
    async with serving(used, tmp_path / "data") as api:
        await journey(api, "tom")
        await show_former_sessions(api)
    before = await contents(used)

    await paste("Back", used, tmp_path)

    assert pending(used) == [KNOWN[-1]]
    assert (tmp_path / "before-rollback.dump").stat().st_size
    without = await contents(used)
    assert without["reviews"]
    assert_intact(before, without)

    await paste("Up", used, tmp_path)

    assert_intact(without, await contents(used))
    async with serving(used, tmp_path / "data") as api:
        await journey(api, "tina")
        await show_former_sessions(api)
