"""Answers that were given already, kept so that a request sent twice has one effect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mentorapi import errors, queries
from mentorapi.queries import Database


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request that carries a key. Keys are a user's own, on one route."""

    user_id: str
    route: str
    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    location: str | None
    body: str


async def once(
    db: Database, attempt: Attempt, effect: Callable[[Database], Awaitable[Answer]]
) -> tuple[Answer, bool]:
    """The answer, and whether it is one that was given before.

    ``effect`` runs in the transaction in which its answer is kept. An error undoes both: nothing
    was changed, so nothing is kept, and the key may be used again.
    Raises KeyInUse while another request with the key is under way, and KeyReused when it came with
    another body.
    """
    owner = {"user_id": attempt.user_id, "route": attempt.route, "key": attempt.key}
    async with queries.transaction(db) as connection:
        # The lock and the look are two statements: the second must see what was committed before
        # the first one was granted.
        if not (await queries.idempotency.lock(connection, **owner))["locked"]:
            raise errors.KeyInUse
        kept = await queries.idempotency.find(connection, **owner, fingerprint=attempt.fingerprint)
        if kept is not None:
            if not kept["same_body"]:
                raise errors.KeyReused
            return Answer(kept["status"], kept["location"], kept["answer"]), True
        answer = await effect(connection)
        await queries.idempotency.keep(
            connection,
            **owner,
            fingerprint=attempt.fingerprint,
            status=answer.status,
            location=answer.location,
            answer=answer.body,
        )
        return answer, False


async def expire(db: Database) -> int:
    row = await queries.idempotency.expire(db)
    return int(row["forgotten"])
