"""Failover: a primary that becomes read-only, a standby, hosts that do not respond."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from tornado.ioloop import IOLoop

from mentorapi.config import Settings
from mentorapi.database import connections, embedded
from mentorapi.database.migrate import migrate
from tests.client import SECRET, Api, is_error
from tests.operations.test_metrics import ask
from tests.operations.test_starting_misconfigured import assert_one_line
from tests.serving import VERIFIER, serve
from tests.starting import run


@dataclass
class Pair:
    """A migrated primary and a hot standby: the same files, the standby stays in recovery."""

    primary: str
    standby: str

    @property
    def both(self) -> str:
        hosts = [parse_qs(urlsplit(url).query)["host"][0] for url in (self.primary, self.standby)]
        return f"postgresql://postgres@/mentorapi?host={','.join(hosts)}&port=5432"


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with embedded.running(tmp_path / "primary") as url:
        migrate(url)
    files = tmp_path / "primary" / "postgres"
    copy = shutil.copytree(files, tmp_path / "standby" / "postgres", symlinks=True)
    (copy / "standby.signal").touch()
    owner = files.stat()
    for path in (copy, *copy.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
    with ExitStack() as stack:
        folders = (tmp_path / "primary", tmp_path / "standby")
        yield Pair(*(stack.enter_context(embedded.running(folder)) for folder in folders))


def execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


READ_ONLY = ("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")


def test_write_after_primary_became_read_only_reaches_the_new_one(
    pair: Pair, tmp_path: Path, io_loop: IOLoop
) -> None:
    settings = Settings(jwt_secret=SECRET, pool_size=3)
    url = f"{pair.both}&target_session_attrs=read-write"

    async def scenario() -> None:
        async for api in serve(url, settings, VERIFIER, tmp_path / "images"):
            await fail_over(api)

    async def fail_over(api: Api) -> None:
        mentor = await api.mentor()
        await asyncio.gather(*(mentor.get("/sessions") for _ in range(20)))
        assert (await ask(api.base, "/readyz")).status == 200
        execute(pair.primary, *READ_ONLY)
        # A reload takes effect after a moment.
        while (response := await ask(api.base, "/readyz")).status == 200:
            pass
        assert is_error(response, 503, "The database is read-only")
        assert (await mentor.patch("/mentor/me", {"headline": "Refused"})).status == 503
        execute(pair.standby, "SELECT pg_promote()")
        # The promoted server lacks what was written after the copy, as after a failover with loss.
        statuses = [
            (await mentor.put("/mentor/availability", {"slots": []})).status
            for _ in range(settings.pool_size + 1)
        ]
        assert statuses[-1] == 200
        assert (await ask(api.base, "/readyz")).status == 200

    io_loop.run_sync(scenario)


async def test_connect_to_several_hosts_selects_by_their_attributes(pair: Pair) -> None:
    wanted = {"any": False, "read-write": False, "standby": True, "prefer-standby": True}
    for attributes, in_recovery in wanted.items():
        connection = await connections.connect(f"{pair.both}&target_session_attrs={attributes}")
        assert await connection.fetchval("SELECT pg_is_in_recovery()") == in_recovery
        await connection.close()


def test_start_on_a_standby_alone_ends_with_one_line(pair: Pair, tmp_path: Path) -> None:
    for command in ("serve", "migrate"):
        ended = run(
            command, data_dir=tmp_path / "var", DATABASE_URL=pair.standby, JWT_SECRET=SECRET
        )
        assert_one_line(ended, 1, "the database is read-only", "MENTORAPI_DATABASE_URL")


@contextmanager
def black_hole() -> Iterator[int]:
    """A port that accepts connections and never responds."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


async def test_connect_past_a_host_that_never_responds_succeeds(
    monkeypatch: pytest.MonkeyPatch, postgres: str
) -> None:
    monkeypatch.setattr(connections, "_CONNECT_SECONDS", 2)
    folder = parse_qs(urlsplit(postgres).query)["host"][0]
    with black_hole() as port:
        url = f"postgresql://postgres@/postgres?host=127.0.0.1,{folder}&port={port},5432"
        connection = await connections.connect(url)
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()
        monkeypatch.setattr(connections, "_CONNECT_SECONDS", 0.5)
        with pytest.raises(TimeoutError):
            await connections.connect(url.replace(f",{folder}", "").replace(",5432", ""))
