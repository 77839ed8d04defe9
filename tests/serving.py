"""The server within the test's process, with connections of its own or with those of the worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from socket import socket
from typing import Any

import asyncpg
from tornado.ioloop import IOLoop
from tornado.testing import bind_unused_port

from mentorapi.app import make_app
from mentorapi.auth.keys import key_from_secret
from mentorapi.auth.tokens import Verifier
from mentorapi.config import Settings
from mentorapi.http.services import KnownUsers, Services
from mentorapi.images import ImageFolder, ImageStore
from mentorapi.server import http_server, open_services
from mentorapi.telemetry.metrics import Metrics
from tests.client import SECRET, Api
from tests.clock import Clock

DRIFT = Path(__file__).parent.parent / "deploy" / "database" / "drift.sql"

SETTINGS = Settings(jwt_secret=SECRET)
VERIFIER = Verifier(key_from_secret(SECRET))

#: Refuses changes of the schema: the next test uses the same database.
REFUSE_CHANGES = """
CREATE SCHEMA guard;
CREATE FUNCTION guard.refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a test that changes the schema needs the mark own_server';
END $$;
CREATE EVENT TRIGGER guard ON ddl_command_start EXECUTE FUNCTION guard.refuse();
"""

#: Returns the statements that empty all tables. After a TRUNCATE, PostgreSQL would plan each
#: statement again. The notification wakes the listener, whose interval a test may have changed.
EMPTYING = """
SELECT concat(
    'SET LOCAL session_replication_role = replica;',
    string_agg(format('DELETE FROM %I;', relname), ''),
    'SELECT setval(''mentors_number_seq'', 1, false);',
    'NOTIFY mentorapi;'
)
FROM pg_class
WHERE
    relkind = 'r' AND relnamespace = 'public'::regnamespace
    AND relname !~ 'yoyo' AND relname <> 'applied_functions'
"""


@contextmanager
def running(generator: AsyncIterator[Any], io_loop: IOLoop) -> Iterator[Any]:
    """Run an asynchronous generator as a fixture; yield what it yields."""
    yield io_loop.run_sync(lambda: anext(generator))
    io_loop.run_sync(lambda: anext(generator, None))


async def serve(
    database_url: str, settings: Settings, verifier: Verifier, folder: Path
) -> AsyncIterator[Api]:
    """Yield a server with connections of its own."""
    async with opened(database_url, settings, verifier, folder) as place:
        async with place.serving(place.services) as api:
            yield api
        await place.services.db.close()


@dataclass
class Opened:
    """An address, and connections to a database, which several servers use in turn."""

    socket: socket
    base: str
    services: Services
    db: asyncpg.Pool

    @asynccontextmanager
    async def serving(self, services: Services) -> AsyncIterator[Api]:
        app = make_app(services)
        server = http_server(app, services.settings)
        server.add_sockets([self.socket.dup()])
        yield Api(app, services, self.base, self.db)
        await assert_no_drift(self.db)
        server.stop()
        await server.close_all_connections()


@asynccontextmanager
async def opened(
    database_url: str, settings: Settings, verifier: Verifier, folder: Path
) -> AsyncIterator[Opened]:
    listening, port = bind_unused_port()
    base = f"http://127.0.0.1:{port}"
    settings = replace(settings, data_dir=folder, public_url=settings.public_url or base)
    async with AsyncExitStack() as stack:
        stack.enter_context(listening)
        db = asyncpg.create_pool(database_url, min_size=0, max_size=4)
        await stack.enter_async_context(db)
        services = await open_services(settings, database_url, verifier, stack)
        yield Opened(listening, base, services, db)


@dataclass
class WorkerDatabase:
    """A database with open connections, for the tests of a worker.

    In a new connection the first requests take ten times as long, since PostgreSQL plans every
    statement and function anew: with a database and connections for each test, the tests of
    ``tests/api`` took twice as much CPU time.
    """

    url: str
    place: Opened
    clock: Clock | None
    emptying: str

    @classmethod
    async def open(
        cls, url: str, folder: Path, has_clock: bool = False
    ) -> AsyncIterator[WorkerDatabase]:
        async with asyncpg.create_pool(url, min_size=0) as dba:
            clock = await Clock.install(dba) if has_clock else None
            await dba.execute(REFUSE_CHANGES)
            async with opened(url, SETTINGS, VERIFIER, folder) as place:
                yield cls(url, place, clock, await dba.fetchval(EMPTYING))

    async def empty(self) -> None:
        async with self.place.db.acquire() as connection, connection.transaction():
            await connection.execute(self.emptying)
        if self.clock is not None:
            await self.clock.reset()
        services = self.place.services
        async with asyncio.timeout(30):
            while not services.listener.connected:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        services.cache.open()

    async def serve(self, folder: Path) -> AsyncIterator[Api]:
        """Yield a new server with the connections, the cache and the limits of earlier tests."""
        kept = self.place.services
        kept.cache.hits = kept.cache.misses = 0
        services = replace(
            kept,
            settings=replace(kept.settings, data_dir=folder),
            images=ImageStore(ImageFolder(folder / "images")),
            metrics=Metrics(kept.db, kept.cache, kept.listener),
            known_users=KnownUsers(kept.cache),
        )
        async with self.place.serving(services) as api:
            yield api
        # A request may go on after its connection has closed.
        while services.metrics.requests_in_progress:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        await services.images.close()


@asynccontextmanager
async def refused_connections(db: asyncpg.Pool, server_url: str) -> AsyncIterator[None]:
    """End all connections to the database, and refuse new ones until the block ends."""
    name = await db.fetchval("SELECT current_database()")
    admin = await asyncpg.connect(server_url)
    try:
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name
        )
        yield
    finally:
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await admin.close()


async def assert_no_drift(db: asyncpg.Pool) -> None:
    """Assert that every stored figure equals what drift.sql counts."""
    try:
        drift = await db.fetch(DRIFT.read_text())
    except (asyncpg.PostgresError, OSError):
        return  # the test has dropped something, or its database is stopped
    assert not drift, [dict(row) for row in drift]
