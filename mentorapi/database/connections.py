"""The way to PostgreSQL: is it one we know, and the pool that every request draws from."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg
import psycopg
from psycopg.conninfo import conninfo_to_dict

from mentorapi.database import statements
from mentorapi.database.pool import Connection, Pool
from mentorapi.errors import StartupError
from mentorapi.telemetry import context

OLDEST, NEWEST = 15, 18

#: None of these may be off, as our user sees them in our database.
_DURABILITY = ("synchronous_commit", "fsync", "full_page_writes")

#: Seconds for each host.
_CONNECT_TIMEOUT = 5

#: Seconds for the first connection, on whichever host.
_START_TIMEOUT = 30

_DEFAULT_PORT = 5432

# libpq goes on to the next host after these, too; it does not after a wrong password.
_NEXT_HOST = (
    OSError,
    TimeoutError,
    asyncpg.CannotConnectNowError,
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.TargetServerAttributeNotMatched,
)

#: Longer than any statement may take there: a network that swallows what we send says nothing.
_COMMAND_TIMEOUT = 40

_APPLICATION = "mentorapi"

#: Bytes of a name that PostgreSQL keeps.
_LONGEST_NAME = 63

#: What a connection of ours is set to.
SESSION = {
    "application_name": _APPLICATION,
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
    "timezone": "UTC",
    # Queries here last a millisecond; compiling one takes longer than it could ever save.
    "jit": "off",
    # Left to itself PostgreSQL plans the free times at each call, and with many mentors their list,
    # which takes longer than to run them (measured with 100,000: 1.3 ms against 0.6, 0.3 against
    # 0.16), and the plan does not get better by it.
    "plan_cache_mode": "force_generic_plan",
    # The default, 4, is for disks that turn: with it the search reads all words there are instead
    # of their index (measured with 9,000 words: 100 ms against 5).
    "random_page_cost": "1.1",
    # How alike a word must be to be found by the search (0 to 1): one letter off, say.
    "pg_trgm.word_similarity_threshold": "0.4",
}

# asyncpg sends all others to the server, which refuses those that are meant for libpq.
_FOR_ASYNCPG = """
    host port dbname user password passfile service options application_name target_session_attrs
    sslmode sslcert sslkey sslrootcert sslcrl sslpassword sslnegotiation ssl_min_protocol_version
    ssl_max_protocol_version krbsrvname gsslib
"""

log = logging.getLogger(__name__)


def check_server(database_url: str) -> str:
    """The server's version, such as ``18.1``.

    Raises StartupError: out of reach, too old, read-only, or one that may forget what it confirmed.
    """
    try:
        with psycopg.connect(database_url, connect_timeout=_CONNECT_TIMEOUT) as connection:
            number = connection.info.server_version
            version = connection.info.parameter_status("server_version") or str(number)
            read_only = _is(connection, "transaction_read_only", "on")
            forgetful = [name for name in _DURABILITY if _is(connection, name, "off")]
    except psycopg.Error as error:
        raise StartupError(
            f"no connection to the database (MENTORAPI_DATABASE_URL): {reason(error)}"
        ) from error
    if number // 10_000 < OLDEST:
        raise StartupError(
            f"the database runs PostgreSQL {version}; {OLDEST} to {NEWEST} are supported"
        )
    if read_only:
        raise StartupError(
            "the database is read-only, as a standby is: name the primary in "
            "MENTORAPI_DATABASE_URL, or several hosts and target_session_attrs=read-write"
        )
    if forgetful:
        raise StartupError(
            "the database would lose confirmed writes in a crash: turn on "
            + " and ".join(forgetful)
            + " (for the server, this database and this user)"
        )
    if number // 10_000 > NEWEST:
        log.warning("PostgreSQL %s is newer than %s, the newest one tested", version, NEWEST)
    return version.split()[0]


def _is(connection: psycopg.Connection, setting: str, value: str) -> bool:
    return connection.execute("SELECT current_setting(%s)", [setting]).fetchone() == (value,)


async def open_pool(
    database_url: str, size: int, *, trace_sql: bool = False, public_url: str = ""
) -> Pool:
    """A pool of at most ``size`` connections; nothing is reset when one goes back.

    So whatever a caller sets must end with its transaction: ``SET LOCAL`` and advisory locks of the
    transaction, never of the session. Raises StartupError if not one connection can be made.

    ``trace_sql``: each connection is named after what it was last taken for.
    ``public_url``: base of the addresses that the SQL function image_url makes.
    """
    open_one = partial(connect, database_url, {"mentorapi.public_url": public_url})
    pool = Pool(open_one, size, prepare=_name if trace_sql else None)
    try:
        async with pool.connection(_START_TIMEOUT):
            return pool
    except (
        OSError,
        TimeoutError,
        ValueError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
    ) as error:
        raise StartupError(f"no connection to the database: {reason(error)}") from error


async def connect(database_url: str, settings: Mapping[str, str] = {}) -> Connection:
    """Connect to the first host of the URL that answers and is as target_session_attrs wants it.

    Like libpq, and unlike asyncpg, each host has the whole time for itself, so that one that
    swallows packets does not hide the next. ``settings`` add to `SESSION`.
    """
    failure: Exception | None = None
    for host in _hosts(database_url):
        try:
            connection: Connection = await asyncpg.connect(
                _for_asyncpg(database_url),
                **host,
                timeout=_CONNECT_TIMEOUT,
                command_timeout=_COMMAND_TIMEOUT,
                server_settings={**SESSION, **settings},
                connection_class=Connection,
            )
        except _NEXT_HOST as error:
            failure = error
        else:
            connection.backend = connection.get_server_pid()
            return connection
    assert failure is not None
    raise failure


def _hosts(database_url: str) -> list[dict[str, str | int]]:
    """asyncpg's arguments for each host; a single host is left to the URL."""
    parts = conninfo_to_dict(database_url)
    hosts = str(parts.get("host", "")).split(",")
    if len(hosts) == 1:
        return [{}]
    ports = str(parts.get("port") or _DEFAULT_PORT).split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    addresses: list[dict[str, str | int]] = [
        {"host": host, "port": int(port or _DEFAULT_PORT)}
        for host, port in zip(hosts, ports, strict=True)
    ]
    if parts.get("target_session_attrs") == "prefer-standby":
        # Any is good enough, once no standby answers.
        return [
            {**address, "target_session_attrs": wanted}
            for wanted in ("standby", "any")
            for address in addresses
        ]
    return addresses


async def _name(connection: Connection) -> None:
    running = context.current.get()
    name = f"{_APPLICATION} {running.name}" if running else _APPLICATION
    await statements.database.name_connection(connection, name=name[:_LONGEST_NAME])


def _for_asyncpg(database_url: str) -> str:
    parts = urlsplit(database_url)
    query = [
        (name, value) for name, value in parse_qsl(parts.query) if name in _FOR_ASYNCPG.split()
    ]
    return urlunsplit(parts._replace(query=urlencode(query)))


def reason(error: BaseException) -> str:
    """The line of a driver's message that says most."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    # psycopg lists one line per address that it tried.
    attempts = [line for line in lines if line.startswith("- ")]
    return " ".join((attempts[-1].removeprefix("- ") if attempts else lines[0]).split())
