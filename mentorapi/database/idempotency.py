"""Answers that were given already, kept so that a request sent twice has one effect."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from mentorapi import errors
from mentorapi.database import statements
from mentorapi.database.pool import Database

#: For which a repetition waits for the first request.
WAIT_SECONDS = 5.0

#: Between two looks at whether another process has finished the first request.
POLL_SECONDS = 0.05

#: Keys that one statement forgets: it holds its locks for some milliseconds only.
EXPIRY_BATCH = 1000


class Owner(NamedTuple):
    """Whose key it is: a user's own, on one route."""

    user_id: str
    #: Method and path template, such as ``POST /api/requests/{requestId}/accept``.
    route: str
    key: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request that carries a key. The fingerprint covers the ids in its path and its body."""

    owner: Owner
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    location: str | None
    body: str


Effect = Callable[[Database], Awaitable[Answer]]


class RunningAttempts:
    """The attempts that this process runs at the moment, one for each key.

    A repetition waits here for the first one, without a connection, and takes over its answer.
    """

    def __init__(self) -> None:
        self._running: dict[Owner, asyncio.Future[tuple[bytes, Answer] | None]] = {}

    async def once(self, db: Database, attempt: Attempt, effect: Effect) -> tuple[Answer, bool]:
        """As `once` below. Raises KeyInUse after `WAIT_SECONDS`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + WAIT_SECONDS
        while (running := self._running.get(attempt.owner)) is not None:
            await asyncio.wait([running], timeout=max(0.0, deadline - loop.time()))
            if not running.done():
                raise errors.KeyInUse
            kept = running.result()
            if kept is not None:
                fingerprint, answer = kept
                if fingerprint != attempt.fingerprint:
                    raise errors.KeyReused
                return answer, True
        outcome = self._running[attempt.owner] = loop.create_future()
        result = None
        try:
            answer, replayed = await once(db, attempt, effect, deadline - loop.time())
            result = attempt.fingerprint, answer
            return answer, replayed
        finally:
            del self._running[attempt.owner]
            outcome.set_result(result)


async def once(
    db: Database, attempt: Attempt, effect: Effect, wait_seconds: float = WAIT_SECONDS
) -> tuple[Answer, bool]:
    """The answer, and whether it is one that was given before.

    ``effect`` runs in the transaction in which its answer is kept. An error undoes both: nothing
    was changed, so nothing is kept, and the key may be used again. While another process runs a
    request with the key, this one waits, and holds no connection meanwhile.

    Raises KeyInUse when that takes longer than ``wait_seconds``, and KeyReused when the key came
    with another path or body.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_seconds
    while True:
        async with statements.transaction(db) as connection:
            # The lock and the look are two statements: the second must see what was committed
            # before the first one was granted.
            if (await statements.idempotency.lock(connection, **attempt.owner._asdict()))["locked"]:
                return await _answer(connection, attempt, effect)
        if loop.time() + POLL_SECONDS > deadline:
            raise errors.KeyInUse
        await asyncio.sleep(POLL_SECONDS)


async def _answer(connection: Database, attempt: Attempt, effect: Effect) -> tuple[Answer, bool]:
    owner = attempt.owner._asdict()
    kept = await statements.idempotency.find(connection, **owner, fingerprint=attempt.fingerprint)
    if kept is not None:
        if not kept["same_body"]:
            raise errors.KeyReused
        return Answer(kept["status"], kept["location"], kept["answer"]), True
    answer = await effect(connection)
    await statements.idempotency.keep(
        connection,
        **owner,
        fingerprint=attempt.fingerprint,
        status=answer.status,
        location=answer.location,
        answer=answer.body,
    )
    return answer, False


async def expire(db: Database) -> int:
    """Forget the keys that nobody may use again, in small batches; returns how many."""
    forgotten = 0
    while True:
        row = await statements.idempotency.expire(db, batch_size=EXPIRY_BATCH)
        forgotten += int(row["forgotten"])
        if row["forgotten"] < EXPIRY_BATCH:
            return forgotten
