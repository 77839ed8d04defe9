"""The way to PostgreSQL: is it one we know, and the pool that every request draws from."""

from __future__ import annotations

import logging
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg
import psycopg

from mentorapi.startup import StartupError, reason

OLDEST, NEWEST = 15, 18

_CONNECT_TIMEOUT = 5

_SESSION = {
    "application_name": "mentorapi",
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
    "timezone": "UTC",
    # Queries here last a millisecond; compiling one takes longer than it could ever save.
    "jit": "off",
    # How alike a word must be to be found by the search (0 to 1): one letter off, or two swapped.
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
    """The server's version, such as ``18.1``. Raises StartupError: out of reach, or too old."""
    try:
        with psycopg.connect(database_url, connect_timeout=_CONNECT_TIMEOUT) as connection:
            number = connection.info.server_version
            version = connection.info.parameter_status("server_version") or str(number)
    except psycopg.Error as error:
        raise StartupError(
            f"no connection to the database (MENTORAPI_DATABASE_URL): {reason(error)}"
        ) from error
    if number // 10_000 < OLDEST:
        raise StartupError(
            f"the database runs PostgreSQL {version}; {OLDEST} to {NEWEST} are supported"
        )
    if number // 10_000 > NEWEST:
        log.warning("PostgreSQL %s is newer than %s, the newest one tested", version, NEWEST)
    return version.split()[0]


async def open_pool(database_url: str, size: int) -> asyncpg.Pool:
    """A pool of at most ``size`` connections; nothing is reset when one goes back.

    So whatever a caller sets must end with its transaction: ``SET LOCAL`` and advisory locks of the
    transaction, never of the session. Raises StartupError.
    """
    try:
        return await asyncpg.create_pool(
            _for_asyncpg(database_url),
            min_size=1,
            max_size=size,
            timeout=_CONNECT_TIMEOUT,
            reset=_keep,
            server_settings=_SESSION,
        )
    except (
        OSError,
        TimeoutError,
        ValueError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
    ) as error:
        raise StartupError(f"no connection to the database: {reason(error)}") from error


async def _keep(connection: asyncpg.Connection) -> None:
    """The default reset costs as much as a query (measured: 167 µs a request against 82)."""


def _for_asyncpg(database_url: str) -> str:
    parts = urlsplit(database_url)
    query = [
        (name, value) for name, value in parse_qsl(parts.query) if name in _FOR_ASYNCPG.split()
    ]
    return urlunsplit(parts._replace(query=urlencode(query)))
