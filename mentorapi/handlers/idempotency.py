"""The Idempotency-Key header (draft-ietf-httpapi-idempotency-key-header) on POST."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from mentorapi import errors
from mentorapi.repositories import idempotency

if TYPE_CHECKING:
    from mentorapi.handlers.base import ApiHandler

HEADER = "Idempotency-Key"

#: The draft wants a quoted string; what most clients send is a bare UUID.
_KEY = re.compile(r'"?([!#-~]{1,255})"?')


def read_key(header: str | None) -> str | None:
    if header is None:
        return None
    key = _KEY.fullmatch(header)
    if key is None:
        raise errors.ValidationFailed.of(HEADER, "must be 1 to 255 visible ASCII characters")
    return key[1]


async def run_once(handler: ApiHandler, key: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run a handler's method, or answer as it did the first time."""

    async def effect(connection: Any) -> idempotency.Answer:
        handler.db = connection
        await run()
        return idempotency.Answer(*handler.written())

    attempt = idempotency.Attempt(
        user_id=handler.caller.user_id,
        route=f"{handler.request.method} {handler.request.path}",
        key=key,
        fingerprint=hashlib.sha256(handler.request.body).digest(),
    )
    answer, replayed = await idempotency.once(handler.db, attempt, effect)
    handler.rewrite(answer.status, answer.location, answer.body)
    if replayed:
        handler.set_header("Idempotent-Replayed", "true")
