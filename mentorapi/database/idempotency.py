"""Stored responses, so that a request sent twice with one idempotency key has one effect."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from mentorapi import errors
from mentorapi.database import statements
from mentorapi.database.pool import Database

#: A repetition waits this long for the first request.
WAIT_SECONDS = 5.0

#: Interval at which it looks whether another process has finished the first request.
POLL_SECONDS = 0.05

#: Keys that one statement deletes: it holds its locks for some milliseconds only.
EXPIRY_BATCH = 1000


class KeyOwner(NamedTuple):
    """The scope of a key: one user and one route."""

    user_id: str
    #: Method and path template, such as ``POST /api/requests/{requestId}/accept``.
    route: str
    key: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request with a key. The fingerprint covers the ids in its path and its body."""

    owner: KeyOwner
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class StoredResponse:
    status: int
    location: str | None
    body: str


Effect = Callable[[Database], Awaitable[StoredResponse]]


class RunningAttempts:
    """The attempts that this process is running, one for each key.

    A repetition waits here for the first one, without a connection, and takes its response.
    """

    def __init__(self) -> None:
        self._running: dict[KeyOwner, asyncio.Future[tuple[bytes, StoredResponse] | None]] = {}

    async def run_once(
        self, db: Database, attempt: Attempt, effect: Effect
    ) -> tuple[StoredResponse, bool]:
        """As `run_once` below. Raises KeyInUse after `WAIT_SECONDS`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + WAIT_SECONDS
        while (running := self._running.get(attempt.owner)) is not None:
            await asyncio.wait([running], timeout=max(0.0, deadline - loop.time()))
            if not running.done():
                raise errors.KeyInUse
            finished = running.result()
            if finished is not None:
                fingerprint, response = finished
                if fingerprint != attempt.fingerprint:
                    raise errors.KeyReused
                return response, True
        outcome = self._running[attempt.owner] = loop.create_future()
        result = None
        try:
            response, replayed = await run_once(db, attempt, effect, deadline - loop.time())
            result = attempt.fingerprint, response
            return response, replayed
        finally:
            del self._running[attempt.owner]
            outcome.set_result(result)


async def run_once(
    db: Database, attempt: Attempt, effect: Effect, wait_seconds: float = WAIT_SECONDS
) -> tuple[StoredResponse, bool]:
    """Return the response, and whether it was stored by an earlier request.

    ``effect`` runs in the transaction that stores its response. An error rolls both back, so the
    key can be used again. While another process runs a request with the key, this one waits, and
    holds no connection meanwhile.

    Raises KeyInUse when it has waited for ``wait_seconds``, and KeyReused when the key was used
    with another path or body.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_seconds
    while True:
        async with statements.transaction(db) as connection:
            # Lock and read in two statements: the second one sees what was committed before the
            # lock was granted.
            if (await statements.idempotency.lock(connection, **attempt.owner._asdict()))["locked"]:
                return await _find_or_run(connection, attempt, effect)
        if loop.time() + POLL_SECONDS > deadline:
            raise errors.KeyInUse
        await asyncio.sleep(POLL_SECONDS)


async def _find_or_run(
    connection: Database, attempt: Attempt, effect: Effect
) -> tuple[StoredResponse, bool]:
    owner = attempt.owner._asdict()
    stored = await statements.idempotency.find(connection, **owner, fingerprint=attempt.fingerprint)
    if stored is not None:
        if not stored["same_body"]:
            raise errors.KeyReused
        return StoredResponse(stored["status"], stored["location"], stored["answer"]), True
    response = await effect(connection)
    await statements.idempotency.keep(
        connection,
        **owner,
        fingerprint=attempt.fingerprint,
        status=response.status,
        location=response.location,
        answer=response.body,
    )
    return response, False


async def expire(db: Database) -> int:
    """Delete the keys that have expired, in batches; returns how many there were."""
    deleted = 0
    while True:
        row = await statements.idempotency.expire(db, batch_size=EXPIRY_BATCH)
        deleted += int(row["forgotten"])
        if row["forgotten"] < EXPIRY_BATCH:
            return deleted
