"""The files of ``sql/`` as functions, and the transactions that they run in.

``sql/requests/accept.sql`` is ``statements.requests.accept``. The text of the file is what runs,
and its header comment is its signature::

    -- requests.accept: accept a pending request; the same statement creates its booking.
    -- $1 request_id uuid
    -- $2 user_id    text

``await statements.requests.accept(db, request_id=..., user_id=...)`` binds the arguments by name
and returns the first row. ``db`` is the pool or one of its connections.

Errors of the database and the driver are raised as `mentorapi.database.errors` translates them.
"""

import re
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from mentorapi.database.errors import CONNECTION_UNUSABLE, RETRIED, translate
from mentorapi.database.fair_queue import SYSTEM
from mentorapi.database.page import Page, offset
from mentorapi.database.pool import Database, DatabaseConnection, Pool
from mentorapi.errors import Unavailable
from mentorapi.telemetry import context

SQL = Path(__file__).resolve().parents[2] / "sql"

#: Wait for a free connection; then the client gets a 503.
ACQUIRE_SECONDS = 10

#: For a statement that fails with one of `RETRIED`.
MAX_ATTEMPTS = 3

#: A statement that takes longer is logged.
SLOW_SECONDS = 1.0

#: Named in the log like the statements of files.
BEGIN, COMMIT = "-- BEGIN", "-- COMMIT"

T = TypeVar("T")

log = structlog.get_logger(__name__)


@asynccontextmanager
async def connection(db: Database) -> AsyncIterator[DatabaseConnection]:
    """One connection for several statements."""
    if isinstance(db, Pool):
        acquired = await _acquire(db, BEGIN)
        try:
            yield acquired
        finally:
            db.release(acquired)
    else:
        yield db


@asynccontextmanager
async def transaction(db: Database) -> AsyncIterator[DatabaseConnection]:
    """One transaction for several statements; yields the connection to run them on.

    Within a transaction it is a savepoint: an error undoes the savepoint only. Statements translate
    their own errors; all others pass unchanged.
    """
    async with connection(db) as acquired:
        running = acquired.transaction()
        await _translated(running.start(), BEGIN, acquired)
        try:
            yield acquired
        except BaseException:
            try:
                await running.rollback()
            except Exception as error:
                # The first error is the more useful one. The connection is probably lost.
                acquired.must_close = True
                log.debug("Rollback failed: %r", error)
            raise
        await _translated(running.commit(), COMMIT, acquired)


async def fetch_row(db: Database, sql: str, *arguments: Any) -> Any:
    """Run one statement and return its first row, or None.

    Retries on the pool only: within a transaction, the statements before it are lost as well.
    """
    # Hot path: keep it cheap.
    for attempt in range(1, MAX_ATTEMPTS + 1):
        acquired = await _acquire(db, sql) if isinstance(db, Pool) else db
        started = perf_counter()
        try:
            return await _translated(acquired.fetchrow(sql, *arguments), sql, acquired)
        except Unavailable as error:
            conflict = isinstance(error.__cause__, RETRIED)
            if acquired is db or attempt == MAX_ATTEMPTS or not conflict:
                raise
            log.warning("Retrying %s after %r", _name(sql), error.__cause__)
        finally:
            if (seconds := perf_counter() - started) >= SLOW_SECONDS:
                _log_slow(sql, seconds, acquired)
            if isinstance(db, Pool):
                db.release(acquired)


async def _acquire(pool: Pool, sql: str) -> DatabaseConnection:
    running = context.current.get()
    caller = SYSTEM if running is None else running.caller
    return await _translated(pool.acquire(ACQUIRE_SECONDS, caller), sql, None)


async def _translated(work: Awaitable[T], sql: str, acquired: DatabaseConnection | None) -> T:
    """Await ``work``. Keep for the log what failed and where; mark an unusable connection.

    Asks the connection nothing: it may be lost, and its error would hide the first one.
    """
    try:
        return await work
    except BaseException as error:
        running = context.current.get()
        if running is not None:
            running.statement, running.backend = _name(sql), acquired and acquired.backend
        if acquired is not None and (
            isinstance(error, CONNECTION_UNUSABLE) or not isinstance(error, Exception)
        ):
            acquired.must_close = True
        translated = translate(error)
        if translated is None:
            raise
        raise translated from error


def _log_slow(sql: str, seconds: float, acquired: DatabaseConnection) -> None:
    running = context.current.get()
    log.warning(
        "Slow statement",
        statement=_name(sql),
        ms=round(seconds * 1000),
        backend=acquired.backend,
        request_id=running and running.name,
    )


def _name(sql: str) -> str:
    """Return the name at the start of the first line, which is a comment."""
    found = re.match(r"-- ([\w.]+)", sql)
    return found[1] if found else "?"


class Statement:
    """One SQL file: its name, its text, and its parameters (name to type, in the order of $n).

    Raises ValueError for a file without a header like the one above.
    """

    _PARAMETER = re.compile(r"^-- \$(\d+) (\w+)\s+(.+?)\s*$", re.MULTILINE)

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = f"{path.parent.name}.{path.stem}"
        self.sql = path.read_text(encoding="utf-8")
        found = self._PARAMETER.findall(self.sql)
        if not self.sql.startswith(f"-- {self.name}: "):
            raise ValueError(f"{path} does not begin with its name, '-- {self.name}: '")
        if [int(number) for number, _, _ in found] != list(range(1, len(found) + 1)):
            raise ValueError(f"{path} does not list its parameters in order, '-- $1 name type'")
        self.parameters: dict[str, str] = {name: type_ for _, name, type_ in found}

    async def __call__(
        self, db: Database, missing: type[Exception] | None = None, /, **values: Any
    ) -> Any:
        """Return the first row. Without one, return None or raise ``missing``."""
        if values.keys() != self.parameters.keys():
            raise TypeError(f"{self.name} takes {list(self.parameters)}, not {list(values)}")
        row = await fetch_row(db, self.sql, *(values[name] for name in self.parameters))
        if row is None and missing is not None:
            raise missing
        return row

    async def body(
        self, db: Database, missing: type[Exception] | None = None, /, **values: Any
    ) -> str:
        """Return the column ``body`` of the first row, a JSON text."""
        return str((await self(db, missing, **values))["body"])

    async def page(
        self,
        db: Database,
        page: int,
        limit: int,
        missing: type[Exception] | None = None,
        /,
        **values: Any,
    ) -> Page:
        """Return a page: its columns are ``items`` and ``total``."""
        row = await self(db, missing, limit=limit, offset=offset(page, limit), **values)
        return Page(row["items"], row["total"], page, limit)

    async def in_batches(self, db: Database, batch_size: int) -> int:
        """Run until it changes no row; return how many it changed, which is its only column."""
        total = 0
        while changed := (await self(db, batch_size=batch_size))[0]:
            total += changed
        return total


class Folder:
    """The statements of one folder of ``sql/``, as attributes.

    All files are read at import: a process runs the SQL that it started with, even when a
    deployment replaces the files.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        vars(self).update({file.stem: Statement(file) for file in path.glob("*.sql")})

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Statement: ...


idempotency = Folder(SQL / "idempotency")
account = Folder(SQL / "account")
mentors = Folder(SQL / "mentors")
profile = Folder(SQL / "profile")
availability = Folder(SQL / "availability")
requests = Folder(SQL / "requests")
sessions = Folder(SQL / "sessions")
events = Folder(SQL / "events")
transitions = Folder(SQL / "transitions")
reviews = Folder(SQL / "reviews")
database = Folder(SQL / "database")
