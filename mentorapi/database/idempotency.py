"""Stored responses, so that a request sent twice with one idempotency key has one effect."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple
from weakref import WeakValueDictionary

from mentorapi import errors
from mentorapi.database import statements
from mentorapi.database.pool import Database

#: A repetition waits this long for the first request.
WAIT_SECONDS = 5.0

#: Interval at which it looks whether another process has finished the first request.
POLL_SECONDS = 0.05


class Attempt(NamedTuple):
    """A request with a key, which belongs to one user and one route."""

    user_id: str
    #: Method and path template, such as ``POST /api/requests/{requestId}/accept``.
    route: str
    key: str
    #: A digest of the ids in the path, and of the body.
    fingerprint: bytes


class StoredResponse(NamedTuple):
    status: int
    location: str | None
    body: str


Effect = Callable[[Database], Awaitable[StoredResponse]]

#: Held by the attempt that this process runs. Its repetitions wait here without a connection.
_locks: WeakValueDictionary[tuple[str, str, str], asyncio.Lock] = WeakValueDictionary()


async def run_once(db: Database, attempt: Attempt, effect: Effect) -> tuple[StoredResponse, bool]:
    """Return the response, and whether it was stored by an earlier request.

    ``effect`` runs in the transaction that stores its response. An error rolls both back, so the
    key can be used again. While another request with the key runs, this one waits, and holds no
    connection meanwhile.

    Raises KeyInUse after `WAIT_SECONDS`, and KeyReused when the key was used with another path or
    body.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + WAIT_SECONDS
    user_id, route, key, _ = attempt
    lock = _locks.setdefault((user_id, route, key), asyncio.Lock())
    try:
        async with asyncio.timeout_at(deadline):
            await lock.acquire()
    except TimeoutError:
        raise errors.KeyInUse from None
    try:
        while True:
            async with statements.transaction(db) as connection:
                # Lock and read in two statements: the second one sees what was committed before
                # the lock was granted.
                row = await statements.idempotency.lock(
                    connection, user_id=user_id, route=route, key=key
                )
                if row["locked"]:
                    return await _find_or_run(connection, attempt, effect)
            if loop.time() + POLL_SECONDS > deadline:
                raise errors.KeyInUse
            await asyncio.sleep(POLL_SECONDS)
    finally:
        lock.release()


async def _find_or_run(
    connection: Database, attempt: Attempt, effect: Effect
) -> tuple[StoredResponse, bool]:
    stored = await statements.idempotency.find(connection, **attempt._asdict())
    if stored is None:
        response = await effect(connection)
        await statements.idempotency.keep(connection, **attempt._asdict(), **response._asdict())
        return response, False
    if not stored["same_body"]:
        raise errors.KeyReused
    return StoredResponse(stored["status"], stored["location"], stored["body"]), True
