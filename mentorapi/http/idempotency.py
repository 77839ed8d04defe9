"""The Idempotency-Key header (draft-ietf-httpapi-idempotency-key-header) on POST."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from mentorapi import errors
from mentorapi.database import idempotency

if TYPE_CHECKING:
    from mentorapi.http.base import ApiHandler

HEADER = "Idempotency-Key"

#: The draft wants a quoted string; what most clients send is a bare UUID.
_KEY = re.compile(r'"?([!#-~]{1,255})"?')


def read_key(header: str | None) -> str | None:
    if header is None:
        return None
    key = _KEY.fullmatch(header)
    if key is None:
        raise errors.ValidationFailed.of(
            HEADER, "must be 1 to 255 visible ASCII characters", "format"
        )
    return key[1]


async def run_once(handler: ApiHandler, key: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run a handler's method, or answer as it did the first time."""

    async def effect(connection: Any) -> idempotency.Answer:
        handler.db = connection
        await run()
        return idempotency.Answer(*handler.written())

    # The route is the template: a path is as long as a client makes it.
    owner = idempotency.Owner(
        handler.caller.user_id, f"{handler.request.method} {handler.route}", key
    )
    attempt = idempotency.Attempt(owner, _fingerprint(handler.path_args, handler.request.body))
    pool = handler.db
    try:
        answer, replayed = await handler.services.running_attempts.once(pool, attempt, effect)
    finally:
        handler.db = pool
    handler.rewrite(answer.status, answer.location, answer.body)
    if replayed:
        handler.set_header("Idempotent-Replayed", "true")


def _fingerprint(ids: Sequence[str], body: bytes) -> bytes:
    """Of what tells two requests to one route apart."""
    return hashlib.sha256("".join(f"{one}\n" for one in ids).encode() + body).digest()
