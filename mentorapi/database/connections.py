"""Connections to PostgreSQL: the check of the server, one connection, and the pool."""

import itertools
import logging
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

import asyncpg
import psycopg
from psycopg.conninfo import conninfo_to_dict

from mentorapi.database import statements
from mentorapi.database.pool import DatabaseConnection, Pool
from mentorapi.errors import StartupError
from mentorapi.telemetry import context

OLDEST, NEWEST = 15, 18

#: None of these may be off for our user in our database.
_DURABILITY = ("synchronous_commit", "fsync", "full_page_writes")

#: For each host.
_CONNECT_SECONDS = 5

#: For the first connection, with all hosts.
_START_SECONDS = 30

# After these the next host is tried, as libpq does. After a wrong password it is not.
_NEXT_HOST = (
    OSError,
    asyncpg.CannotConnectNowError,
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.TargetServerAttributeNotMatched,
)

#: Longer than ``statement_timeout``: for a network that drops packets without an error.
_COMMAND_SECONDS = 40

_APPLICATION = "mentorapi"

#: Settings of each connection.
SESSION = {
    "application_name": _APPLICATION,
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
    # Statements wait for a lock, and then read what was committed meanwhile.
    "default_transaction_isolation": "read committed",
    "timezone": "UTC",
    # The JSON of free slots contains dates as PostgreSQL writes them.
    "datestyle": "ISO",
    # Statements take about a millisecond; to compile one takes longer than it can save.
    "jit": "off",
    # By default PostgreSQL plans the free times and the list of mentors at each call. With 100,000
    # mentors that takes longer (1.3 ms and 0.3) than to run them (0.6 and 0.16); the plan is no
    # better.
    "plan_cache_mode": "force_generic_plan",
    # The default, 4, is for rotating disks: with it the search reads the table of words instead of
    # its index (measured with 9,000 words: 100 ms instead of 5).
    "random_page_cost": "1.1",
}

# The parameters of a URL that asyncpg reads from a DSN. It sends all others to the server, which
# refuses those that are meant for libpq.
_IN_DSN = """
    dbname user password passfile service options application_name
    sslmode sslcert sslkey sslrootcert sslcrl sslpassword sslnegotiation ssl_min_protocol_version
    ssl_max_protocol_version krbsrvname gsslib
"""

log = logging.getLogger(__name__)


def check_server(database_url: str) -> str:
    """Return the version of the server, such as ``18.1``.

    Raises StartupError if it is out of reach, too old, read-only, or may lose confirmed writes, and
    if the database cannot hold every character.
    """
    try:
        # Without an encoding, psycopg returns the bytes of an SQL_ASCII database.
        with psycopg.connect(
            database_url, connect_timeout=_CONNECT_SECONDS, client_encoding="utf8"
        ) as connection:
            query = "SELECT name, setting FROM pg_settings"
            settings: dict[str, str] = dict(connection.execute(query).fetchall())
    except psycopg.Error as error:
        raise StartupError(
            f"no connection to the database (MENTORAPI_DATABASE_URL): {reason(error)}"
        ) from error
    version = settings["server_version"].split()[0]
    major = int(settings["server_version_num"]) // 10_000
    if major < OLDEST:
        raise StartupError(
            f"the database runs PostgreSQL {version}; {OLDEST} to {NEWEST} are supported"
        )
    if settings["server_encoding"] != "UTF8":
        raise StartupError(
            f"the encoding of the database is {settings['server_encoding']}:"
            " create one with ENCODING 'UTF8'"
        )
    if settings["transaction_read_only"] == "on":
        raise StartupError(
            "the database is read-only, as a standby is: name the primary in "
            "MENTORAPI_DATABASE_URL, or several hosts and target_session_attrs=read-write"
        )
    if not_durable := [name for name in _DURABILITY if settings[name] == "off"]:
        raise StartupError(
            "the database would lose confirmed writes in a crash: turn on "
            + " and ".join(not_durable)
            + " (for the server, this database and this user)"
        )
    if major > NEWEST:
        log.warning("PostgreSQL %s is newer than %s, the newest one tested", version, NEWEST)
    return version


async def open_pool(
    database_url: str, size: int, *, trace_sql: bool = False, public_url: str = ""
) -> Pool:
    """Open a pool of at most ``size`` connections. Raises StartupError if it cannot open one.

    A connection is not reset when it is released, since that costs as much as a statement. So use
    ``SET LOCAL`` and advisory locks of the transaction, never those of the session.

    ``trace_sql``: the name of each connection is that of the request or job it was last taken for.
    ``public_url``: base of the URLs that the SQL function image_url makes.
    """
    open_one = partial(connect, database_url, {"mentorapi.public_url": public_url})
    pool = Pool(open_one, size, prepare=_set_name if trace_sql else None)
    try:
        pool.release(await pool.acquire(_START_SECONDS))
        return pool
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StartupError(f"no connection to the database: {reason(error)}") from error


async def connect(database_url: str, settings: Mapping[str, str] = {}) -> DatabaseConnection:
    """Connect to the first host of the URL that responds and satisfies ``target_session_attrs``.

    Each host has `_CONNECT_SECONDS` of its own, as with libpq. asyncpg gives them to all hosts
    together: one that drops packets would hide the next. ``settings`` add to `SESSION`.
    """
    failure: Exception | None = None
    for host in _hosts(database_url):
        try:
            connection: DatabaseConnection = await asyncpg.connect(
                **host,
                timeout=_CONNECT_SECONDS,
                command_timeout=_COMMAND_SECONDS,
                server_settings={**SESSION, **settings},
                connection_class=DatabaseConnection,
            )
        except _NEXT_HOST as error:
            failure = error
        else:
            connection.backend = connection.get_server_pid()
            return connection
    assert failure is not None
    raise failure


def _hosts(database_url: str) -> list[dict[str, Any]]:
    """Return asyncpg's arguments for each host."""
    parts = conninfo_to_dict(database_url)
    others = {name: value for name, value in parts.items() if name in _IN_DSN.split()}
    dsn = f"postgresql://?{urlencode(others)}"
    attributes = [parts.get("target_session_attrs")]
    if attributes == ["prefer-standby"]:
        # If no standby responds, any host is taken.
        attributes = ["standby", "any"]
    # libpq takes one port for all hosts, or one for each.
    ports = itertools.cycle(str(parts.get("port") or "").split(","))
    addresses = list(zip(str(parts.get("host") or "").split(","), ports, strict=False))
    return [
        {"dsn": dsn, "host": host, "port": port, "target_session_attrs": wanted}
        for wanted in attributes
        for host, port in addresses
    ]


async def _set_name(connection: DatabaseConnection) -> None:
    running = context.current.get()
    # PostgreSQL cuts long names.
    name = f"{_APPLICATION} {running.name}" if running else _APPLICATION
    await statements.database.name_connection(connection, name=name)


def reason(error: BaseException) -> str:
    """Return the most useful line of a driver's message."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    # psycopg lists one line per address that it tried.
    attempts = [line for line in lines if line.startswith("- ")]
    return " ".join((attempts[-1].removeprefix("- ") if attempts else lines[0]).split())
