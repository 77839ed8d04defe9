"""The real server on the real PostgreSQL: every test begins with a server of its own on a database
without rows, and talks to it over HTTP."""

from __future__ import annotations

import asyncio
import fcntl
import inspect
import itertools
import logging
import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import structlog
import uvloop
from tornado.ioloop import IOLoop

from mentorapi.auth.tokens import Verifier
from mentorapi.config import Settings
from mentorapi.database import connections, embedded, programs, statements
from mentorapi.database.migrate import migrate
from mentorapi.events import listener
from mentorapi.http import limiter, probes
from mentorapi.repositories import mentors
from tests.client import Api
from tests.clock import Clock
from tests.serving import SETTINGS, VERIFIER, WorkerDatabase, running, serve
from tests.starting import nothing_left_of

# The log that `caplog` sees: lines of structlog as records, with their fields and errors.
structlog.configure(
    processors=[structlog.stdlib.render_to_log_kwargs],
    wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    logger_factory=structlog.stdlib.LoggerFactory(),
)

# The programs of the oldest PostgreSQL that is supported.
DEBIANS = Path("/usr/lib/postgresql/15/bin")
INITDB_OPTIONS = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]

_numbers = itertools.count(1)

#: Linux keeps what is written there in memory.
MEMORY = Path("/dev/shm")

# To make a database takes 15 ms in memory, 100 to 300 on a disk.
if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > 4 * 1024**3:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))

# As in the standard library: nothing below WARNING is logged until a test configures it.
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))

# A busy machine pauses a process for seconds, also while a test holds a lock until others wait for
# it. The tests of these limits set shorter ones.
connections.SESSION["lock_timeout"] = "50s"
limiter.MAX_WAIT_SECONDS = 50
listener.CURRENT_SECONDS = 50
listener.REPLY_SECONDS = 50
mentors.MAX_SEARCH_SECONDS = 50
probes.DATABASE_SECONDS = 50
statements.ACQUIRE_SECONDS = 50
statements.SLOW_SECONDS = 50

#: What the tests tried, for the summary at the end: the number by its name.
tried: Counter[str] = Counter()


@dataclass(frozen=True)
class FirstStarts:
    """Data folders that tests copy, since a first start takes seconds."""

    #: With an empty database.
    initialized: Path
    #: With a migrated database.
    migrated: Path


def copy_folder(source: Path, target: Path) -> Path:
    """Copy a folder with owners and modes: PostgreSQL's files belong to a user of its own."""
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", source, target], check=True)
    return target


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("how long the tests by Hypothesis look; as given, they also vary")
    group.addoption("--model-examples", type=int, help="histories of the model (test_model.py)")
    group.addoption("--model-steps", type=int, help="steps of each history at most")
    group.addoption("--inputs", type=int, help="random inputs in all (test_bad_input.py)")
    group = parser.getgroup("how often the tests of faults break things (test_faults.py)")
    group.addoption("--fault-rounds", type=int, default=1, help="rounds of each fault")


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["tried"] = dict(tried)


class Workers:
    """A plugin that adds up what the workers of pytest-xdist tried."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        tried.update(getattr(node, "workeroutput", {}).get("tried", {}))


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Workers())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for what, times in tried.items():
        terminalreporter.write_line(f"tried: {times} {what}")


#: Modules with tests or fixtures that take 10 s and more. They start first: at the end, one worker
#: would run them alone.
LONG = {
    *("test_docs_page.py", "test_model.py", "test_plans.py", "test_pg_upgrade.py"),
    *("test_migrations.py", "test_roles.py", "test_typescript_client.py"),
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONG)
    if config.getoption("--fault-rounds") == 1:
        long = [item for item in items if item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]
    for item in items:
        if inspect.iscoroutinefunction(getattr(item, "function", None)):
            item.add_marker(pytest.mark.gen_test(timeout=180))


@pytest.fixture(scope="session")
def io_loop() -> Iterator[IOLoop]:
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    io_loop = IOLoop(asyncio_loop=loop, make_current=False)
    yield io_loop
    io_loop.close(all_fds=True)
    asyncio.set_event_loop(None)


@contextmanager
def folder_of_all_workers(factory: pytest.TempPathFactory, name: str) -> Iterator[Path]:
    """Yield a folder that one worker at a time may fill. It does not exist for the first one."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


@pytest.fixture(scope="session")
def first_starts(tmp_path_factory: pytest.TempPathFactory) -> FirstStarts:
    """The data folders, made once for all workers."""
    with folder_of_all_workers(tmp_path_factory, "first-starts") as folder:
        made = FirstStarts(folder / "initialized", folder / "migrated")
        if not folder.exists():
            with embedded.running(made.initialized):
                pass
            copy_folder(made.initialized, made.migrated)
            with embedded.running(made.migrated) as url:
                migrate(url)
    return made


@pytest.fixture
def new_data_dir(tmp_path: Path) -> Path:
    """The data folder of a program that was never started."""
    return tmp_path / "var"


@pytest.fixture
def data_dir(tmp_path: Path, first_starts: FirstStarts) -> Path:
    """A data folder as a start leaves it: with a migrated database."""
    return copy_folder(first_starts.migrated, tmp_path / "var")


@pytest.fixture(scope="session")
def postgres(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, io_loop: IOLoop
) -> Iterator[str]:
    """The URL of a server to create databases on: embedded, or MENTORAPI_TEST_SERVER."""
    with ExitStack() as stack:
        url = os.environ.get("MENTORAPI_TEST_SERVER")
        if not url:
            folder = tmp_path_factory.mktemp("server")
            first_starts: FirstStarts = request.getfixturevalue("first_starts")
            url = stack.enter_context(
                embedded.running(copy_folder(first_starts.migrated, folder / "var"))
            )
            # Its data need not survive a crash: to create and drop a database takes 30 ms, not 103.
            # Tests that start `run.py` have another server, since `run.py` refuses this one.
            for setting in (
                "fsync = off",
                "full_page_writes = off",
                "max_wal_size = '128MB'",
                # It would start for each of the databases, which exist for a second.
                "autovacuum = off",
            ):
                io_loop.run_sync(partial(execute, url, f"ALTER SYSTEM SET {setting}"))
            io_loop.run_sync(lambda: execute(url, "SELECT pg_reload_conf()"))
        yield url


@pytest.fixture(scope="session")
def postgres_15() -> Iterator[str]:
    """The URL of a PostgreSQL 15."""
    if not (DEBIANS / "postgres").exists():
        pytest.skip(f"no PostgreSQL 15 in {DEBIANS}: apt-get install postgresql-15")
    memory = os.environ.get("PYTEST_DEBUG_TEMPROOT")
    with (
        tempfile.TemporaryDirectory(prefix="postgres-15-", dir=memory) as folder,
        ExitStack() as stack,
    ):
        # Unlike later versions, 15 needs the right to pass the folders above its data.
        Path(folder).chmod(0o711)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(programs, "binaries", lambda: DEBIANS)
            patch.setattr(embedded, "_INITDB_OPTIONS", INITDB_OPTIONS)
            # To compile drift.sql takes 2 s, to run it 0.03. The embedded 18 has no compiler.
            patch.setitem(embedded._SERVER_SETTINGS, "jit", "off")
            url = stack.enter_context(embedded.running(Path(folder)))
        yield url
        stack.close()
        assert nothing_left_of(Path(folder))


@pytest.fixture(scope="session")
def template(postgres: str, io_loop: IOLoop) -> Iterator[str]:
    """The name of a migrated database."""
    name = f"template_{os.getpid()}"
    # On the embedded server, the database of the URL is migrated; on another one, none is.
    source = "template1" if os.environ.get("MENTORAPI_TEST_SERVER") else embedded.DATABASE
    io_loop.run_sync(lambda: execute(postgres, f"CREATE DATABASE {name} TEMPLATE {source}"))
    migrate(on(postgres, name))
    yield name
    io_loop.run_sync(lambda: execute(postgres, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def worker_databases(
    postgres: str, template: str, io_loop: IOLoop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[bool], WorkerDatabase]]:
    """A function that returns the worker's database without a clock, or the one with a clock."""
    with ExitStack() as stack:

        @cache
        def opened(has_clock: bool) -> WorkerDatabase:
            url = stack.enter_context(clone(postgres, template, io_loop))
            opening = WorkerDatabase.open(url, tmp_path_factory.mktemp("worker"), has_clock)
            database: WorkerDatabase = stack.enter_context(running(opening, io_loop))
            return database

        yield opened


@pytest.fixture
def emptied(
    request: pytest.FixtureRequest,
    worker_databases: Callable[[bool], WorkerDatabase],
    io_loop: IOLoop,
) -> WorkerDatabase | None:
    """The worker's database, without rows; None for a test with the mark own_server."""
    if request.node.get_closest_marker("own_server"):
        return None
    database = worker_databases("clock" in request.fixturenames)
    io_loop.run_sync(database.empty)
    return database


@pytest.fixture
def database_url(
    emptied: WorkerDatabase | None, postgres: str, template: str, io_loop: IOLoop
) -> Iterator[str]:
    """The URL of a migrated database without rows."""
    if emptied is not None:
        yield emptied.url
    else:
        with clone(postgres, template, io_loop) as url:
            yield url


@pytest.fixture(scope="module")
def shared_database_url(postgres: str, template: str, io_loop: IOLoop) -> Iterator[str]:
    """The URL of a database for all tests of a module: they must not change it."""
    with clone(postgres, template, io_loop) as url:
        yield url


@pytest.fixture(scope="module")
def shared_api(
    shared_database_url: str, io_loop: IOLoop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Api]:
    """One server on the database for all tests of a module."""
    folder = tmp_path_factory.mktemp("shared")
    with running(serve(shared_database_url, SETTINGS, VERIFIER, folder), io_loop) as api:
        yield api


@pytest.fixture
def clock(emptied: WorkerDatabase, api: Api) -> Clock:
    """The clock that the server's SQL reads."""
    # The cache uses the real clock.
    api.services.cache.close()
    assert emptied.clock is not None
    return emptied.clock


@pytest.fixture
def settings() -> Settings:
    """The settings of the server. A module may override this fixture."""
    return SETTINGS


@pytest.fixture
def verifier() -> Verifier:
    return VERIFIER


@pytest.fixture
def api(
    database_url: str,
    emptied: WorkerDatabase | None,
    settings: Settings,
    verifier: Verifier,
    io_loop: IOLoop,
    tmp_path: Path,
) -> Iterator[Api]:
    if emptied and (emptied.url, SETTINGS, VERIFIER) == (database_url, settings, verifier):
        serving = emptied.serve(tmp_path)
    else:
        serving = serve(database_url, settings, verifier, tmp_path)
    with running(serving, io_loop) as api:
        yield api


@pytest.fixture
def other(
    api: Api,
    database_url: str,
    settings: Settings,
    verifier: Verifier,
    io_loop: IOLoop,
    tmp_path: Path,
) -> Iterator[Api]:
    """A second server on the same database."""
    with running(serve(database_url, settings, verifier, tmp_path / "other"), io_loop) as api:
        yield api


@contextmanager
def clone(postgres: str, template: str, io_loop: IOLoop) -> Iterator[str]:
    name = f"test_{os.getpid()}_{next(_numbers)}"
    made = f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy"
    io_loop.run_sync(lambda: execute(postgres, made))
    yield on(postgres, name)
    io_loop.run_sync(lambda: execute(postgres, f"DROP DATABASE {name} WITH (FORCE)"))


def on(server_url: str, database: str) -> str:
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{database}"))


async def execute(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
