"""The files of ``sql/`` as callables: ``sql/requests/accept.sql`` is ``queries.requests.accept``.

What stands in a file is what runs. Its header comment is its signature::

    -- requests.accept: accept a pending request; its booking comes of the same statement.
    -- $1 request_id uuid
    -- $2 user_id    text

so ``await queries.requests.accept(db, request_id=…, user_id=…)`` binds by it and returns the one
row that every statement here answers with, or None. ``db`` is the pool or a connection.

A refusal of the database becomes an error of ours here, in one place: told apart by the name of
the constraint, or by what kind of trouble it was.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, NoReturn

import asyncpg

from mentorapi import errors
from mentorapi.database.pool import SYSTEM, Connection, Database, Pool
from mentorapi.telemetry import context
from mentorapi.telemetry.logs import Event

SQL = Path(__file__).resolve().parents[2] / "sql"

#: Seconds to wait for a free connection before a client is told to come again.
ACQUIRE_TIMEOUT = 10

#: A statement that lost a deadlock or a serialization race left nothing behind and is tried again.
ATTEMPTS = 3

# Named in the log like the statements of files.
BEGIN, COMMIT = "-- BEGIN", "-- COMMIT"

#: Seconds from which a statement is worth a line in the log.
SLOW = 1.0

log = logging.getLogger(__name__)

#: What a client is told when a constraint refuses. A test holds the two lists against the schema.
CONSTRAINTS: dict[str, type[errors.ApiError]] = {
    "bookings_no_overlap": errors.SlotTaken,
    "requests_one_pending": errors.DuplicateRequest,
    "reviews_one_per_booking": errors.AlreadyReviewed,
}

#: The caller is not in ``users``, though a request before this one stored them: the database was
#: restored, or somebody deleted the row. The base handler stores them again.
OF_THE_CALLER = frozenset(
    {"idempotency_keys_user_fkey", "mentors_user_fkey", "requests_mentee_fkey"}
)

#: Constraints that no client can run into: validation, the statement itself or its lock keeps them.
#: One that refuses anyway is a fault of ours, a 500.
INTERNAL = frozenset(
    """
    availability_windows_day_of_week availability_windows_mentor_fkey
    availability_windows_no_overlap availability_windows_order availability_windows_pkey
    availability_windows_whole_minutes
    bookings_buffer_time bookings_cancelled_by_fkey bookings_length bookings_mentee_fkey
    bookings_mentor_fkey bookings_one_per_request bookings_pkey bookings_reason_only_when_cancelled
    bookings_request_fkey bookings_session_currency bookings_session_rate bookings_status
    idempotency_keys_pkey
    mentor_counts_not_negative mentor_counts_pkey
    mentors_buffer_time mentors_counts mentors_links_object mentors_number mentors_one_per_user
    mentors_pkey mentors_session_currency mentors_session_duration mentors_session_rate
    mentors_visibility
    requests_accepted_has_booking requests_booking_fkey requests_expired_is_rejected requests_length
    requests_mentor_fkey requests_one_booking requests_pkey requests_reason_only_when_rejected
    requests_session_currency requests_session_rate requests_status
    reviews_booking_fkey reviews_mentee_fkey reviews_mentor_fkey reviews_pkey reviews_rating
    search_postings_pkey search_vocabulary_pkey
    state_changes_booking_fkey state_changes_of_one state_changes_pkey state_changes_request_fkey
    state_changes_source state_changes_user
    users_id_length users_pkey
    """.split()  # noqa: SIM905 - one a line would be a page
)

# Nothing is wrong with the request or the statement; whoever comes again may have better luck.
_UNREACHABLE = (
    asyncpg.PostgresConnectionError,  # class 08
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TransactionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidAuthorizationSpecificationError,  # class 28: a password that was changed, say
    asyncpg.InvalidCatalogNameError,  # the database is away: restored from a backup, say
    asyncpg.TransactionRollbackError,  # class 40
    asyncpg.InsufficientResourcesError,  # class 53: connections, memory, disk
    asyncpg.ObjectNotInPrerequisiteStateError,  # class 55: locks, a database closed to connections
    asyncpg.OperatorInterventionError,  # class 57: shutdowns, crashes, cancelled statements
    asyncpg.PostgresSystemError,  # class 58
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
_TRY_AGAIN = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)

#: What a value from a client can cause in a statement that is right, by SQLSTATE. All others of
#: class 22, a division by zero say, are faults of the statement.
_CAUSED_BY_VALUES = frozenset(
    {
        "22000",  # a range with its bounds reversed, or a value that asyncpg can't encode
        "22001",  # text too long
        "22003",  # number out of range
        "22007",  # no date, or no time
        "22008",  # date or time out of range
        "22009",  # offset from UTC out of range
        "22021",  # text that is not UTF-8, or contains NUL
        "22023",  # no such time zone
        "22P02",  # text that is not of the type, such as a UUID
        "22P03",  # the same in binary
        "22P05",  # a character that the database's encoding lacks
    }
)

#: After these a connection is in a state that is not known, or on a server that can't write.
_REPLACED_AFTER = (
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)


def translate(error: BaseException) -> errors.ApiError | errors.UserMissing | None:
    """The error that a client meets for one of the database or the driver; None for a fault."""
    if isinstance(error, asyncpg.PostgresError):
        # It quotes the row, people's words and all, and errors go to the log.
        error.detail = None
    name = getattr(error, "constraint_name", None) or ""
    constraint = CONSTRAINTS.get(name)
    if constraint is not None:
        return constraint()
    if name in OF_THE_CALLER:
        return errors.UserMissing()
    if isinstance(error, asyncpg.PostgresError) and error.sqlstate in _CAUSED_BY_VALUES:
        return errors.BadRequest("A value is out of range or not valid")
    if isinstance(error, _UNREACHABLE + _TRY_AGAIN):
        return errors.Unavailable()
    return None


def _raise_translated(error: Exception) -> NoReturn:
    known = translate(error)
    if known is None:
        raise error
    raise known from error


def _note_failure(error: BaseException, statement: str, connection: Connection | None) -> None:
    """Remember for the log what failed and where, and have the pool replace a doubtful connection.

    Nothing here asks the connection: it may be gone, and that would hide the error.
    """
    doing = context.current.get()
    if doing is not None:
        doing.statement, doing.backend = statement, connection and connection.backend
    if connection is not None and (
        isinstance(error, _REPLACED_AFTER) or not isinstance(error, Exception)
    ):
        connection.must_close = True


async def _acquire(pool: Pool, sql: str) -> Connection:
    doing = context.current.get()
    try:
        return await pool.acquire(ACQUIRE_TIMEOUT, SYSTEM if doing is None else doing.caller)
    except Exception as error:
        _note_failure(error, _name(sql), None)
        _raise_translated(error)


@asynccontextmanager
async def connection(db: Database) -> AsyncIterator[Connection]:
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
async def transaction(db: Database) -> AsyncIterator[Connection]:
    """Several statements as one: yields the connection to run them on.

    Within a transaction it is a savepoint: what fails is undone, and the rest goes on. Errors of
    the statements are translated where they run; all others pass as they are.
    """
    async with connection(db) as acquired:
        running = acquired.transaction()
        await _control(acquired, BEGIN, running.start)
        try:
            yield acquired
        except BaseException:
            try:
                await running.rollback()
            except Exception as error:
                # The first error says more. The connection is probably gone.
                acquired.must_close = True
                log.debug("No rollback after it: %r", error)
            raise
        await _control(acquired, COMMIT, running.commit)


async def _control(
    acquired: Connection, statement: str, run: Callable[[], Awaitable[object]]
) -> None:
    try:
        await run()
    except Exception as error:
        _note_failure(error, _name(statement), acquired)
        _raise_translated(error)


async def fetch_row(db: Database, sql: str, *arguments: Any) -> Any:
    """Run one statement and return its first row, or None."""
    if not isinstance(db, Pool):
        # Within a transaction there is nothing to try again: all of it is lost.
        try:
            return await _run(db, sql, arguments)
        except Exception as error:
            _raise_translated(error)
    # Hot path: keep it cheap.
    for attempts_left in reversed(range(ATTEMPTS)):
        acquired = await _acquire(db, sql)
        try:
            return await _run(acquired, sql, arguments)
        except Exception as error:
            if not attempts_left or not isinstance(error, _TRY_AGAIN):
                _raise_translated(error)
            log.warning("%s is tried again after %r", _name(sql), error)
        finally:
            db.release(acquired)


async def _run(acquired: Connection, sql: str, arguments: tuple[Any, ...]) -> Any:
    started = perf_counter()
    try:
        return await acquired.fetchrow(sql, *arguments)
    except BaseException as error:
        _note_failure(error, _name(sql), acquired)
        raise
    finally:
        seconds = perf_counter() - started
        if seconds >= SLOW:
            _log_slowness(acquired, sql, seconds)


def _log_slowness(acquired: Connection, sql: str, seconds: float) -> None:
    doing = context.current.get()
    log.warning(
        Event(
            "Slow statement",
            statement=_name(sql),
            ms=round(seconds * 1000),
            backend=acquired.backend,
            request_id=doing and doing.name,
        )
    )


def _name(sql: str) -> str:
    """What its first line, a comment, calls it."""
    found = re.match(r"-- ([\w.]+)", sql)
    return found[1] if found else "?"


class Statement:
    """One SQL file: ``name``, ``sql`` and ``parameters``, a dict of name to type in order of $n.

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

    def __call__(self, db: Database, **values: Any) -> Awaitable[Any]:
        if values.keys() != self.parameters.keys():
            raise TypeError(f"{self.name} takes {list(self.parameters)}, not {list(values)}")
        return fetch_row(db, self.sql, *(values[name] for name in self.parameters))


class Folder:
    """The statements of one folder of ``sql/``, as attributes.

    All files are read now: a process keeps to the SQL that it started with, whatever a deployment
    changes on the disk beneath it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._statements = {file.stem: Statement(file) for file in sorted(path.glob("*.sql"))}

    def __getattr__(self, name: str) -> Statement:
        try:
            return self._statements[name]
        except KeyError:
            raise AttributeError(f"no such statement: {self.path / name}.sql") from None


idempotency = Folder(SQL / "idempotency")
account = Folder(SQL / "account")
mentors = Folder(SQL / "mentors")
profile = Folder(SQL / "profile")
availability = Folder(SQL / "availability")
requests = Folder(SQL / "requests")
sessions = Folder(SQL / "sessions")
reviews = Folder(SQL / "reviews")
database = Folder(SQL / "database")
demo = Folder(SQL / "demo")
