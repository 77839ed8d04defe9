"""pg_upgrade of a database with data in it: Debian's PostgreSQL 15 to a new cluster of 15."""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mentorapi.config import Settings
from mentorapi.database import embedded, programs
from mentorapi.database.connections import open_pool
from mentorapi.database.migrate import migrate
from mentorapi.demo import fill
from tests.client import SECRET
from tests.conftest import DEBIANS, INITDB_OPTIONS
from tests.operations.rollback import pending
from tests.operations.test_upgrade import contents, journey, serving


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the two clusters, `old` and `new`."""
    if not (DEBIANS / "pg_upgrade").exists():
        pytest.skip(f"no pg_upgrade in {DEBIANS}: apt-get install postgresql-15")
    monkeypatch.setattr(programs, "binaries", lambda: DEBIANS)
    monkeypatch.setattr(embedded, "_INITDB_OPTIONS", INITDB_OPTIONS)
    memory = os.environ.get("PYTEST_DEBUG_TEMPROOT")
    with tempfile.TemporaryDirectory(prefix="pg-upgrade-", dir=memory) as name:
        # PostgreSQL 15 needs the right to pass the folders above its data.
        for path in (Path(name), Path(name) / "old", Path(name) / "new"):
            path.mkdir(exist_ok=True)
            path.chmod(0o711)
        yield Path(name)


def run(program: str, *arguments: str | Path, cwd: Path) -> None:
    """Run a program as the user that PostgreSQL runs as."""
    account: dict[str, Any] = programs.unprivileged_account()
    done = subprocess.run(
        [DEBIANS / program, *arguments], cwd=cwd, capture_output=True, text=True, **account
    )
    if done.returncode:
        # The errors are in the logs of pg_restore.
        logs = [path.read_text() for path in cwd.parent.rglob("pg_upgrade_dump_*.log")]
        wrong = [line for text in logs for line in text.splitlines() if "ERROR" in line]
        raise AssertionError("\n".join([done.stdout, done.stderr, *wrong]))


def own(path: Path) -> Path:
    """Make a folder for the user that PostgreSQL runs as."""
    path.mkdir(parents=True)
    account = programs.unprivileged_account()
    if account:
        os.chown(path, account["user"], account["group"])
    return path


async def test_pg_upgrade_with_data_keeps_every_row(folder: Path, tmp_path: Path) -> None:
    with embedded.running(folder / "old") as url:
        await asyncio.to_thread(migrate, url)
        pool = await open_pool(url, 1)
        try:
            await fill.fill(pool, Settings(jwt_secret=SECRET))
        finally:
            await pool.close()
        before = await contents(url)
        assert len(before["bookings"]) > 100

    data, work = own(folder / "new" / "postgres"), own(folder / "work")
    run("initdb", "-D", data, *INITDB_OPTIONS, cwd=data)
    run(
        "pg_upgrade",
        *("--old-bindir", DEBIANS, "--new-bindir", DEBIANS),
        *("--old-datadir", folder / "old" / "postgres", "--new-datadir", data),
        *("--username", "postgres", "--socketdir", work),
        cwd=work,
    )

    with embedded.running(folder / "new") as url:
        assert pending(url) == []
        assert await contents(url) == before
        # At its end it runs drift.sql.
        async with serving(url, tmp_path) as api:
            await journey(api, "tom")
