"""What is being done, and for whom: known wherever it leads to, down to PostgreSQL."""

from __future__ import annotations

import re
from contextvars import ContextVar
from dataclasses import dataclass

_TRACEPARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})"
    r"-(?!0{32})(?P<trace>[0-9a-f]{32})"
    r"-(?!0{16})[0-9a-f]{16}"
    r"-[0-9a-f]{2}(?P<more>-[!-~]*)?"
)


@dataclass(slots=True)
class Trace:
    """A request, or something else that has no client."""

    name: str
    #: Whose share of the database connections it takes: a user id, an address, or (empty) our own.
    caller: str = ""
    #: Where the database failed it: the statement, and the server process that ran it.
    statement: str | None = None
    backend: int | None = None


current: ContextVar[Trace | None] = ContextVar("trace", default=None)


def trace_id(traceparent: str | None) -> str | None:
    """The trace that a caller's header names (W3C Trace Context); None for what is not one."""
    found = _TRACEPARENT.fullmatch(traceparent or "")
    # Versions to come may say more.
    if found is None or (found["version"] == "00" and found["more"]):
        return None
    return found["trace"]
