"""The context of the request or the job that is running, for the log and the database."""

import re
from contextvars import ContextVar
from dataclasses import dataclass

_TRACEPARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})"
    r"-(?!0{32})(?P<trace_id>[0-9a-f]{32})"
    r"-(?!0{16})[0-9a-f]{16}"
    r"-[0-9a-f]{2}(?P<more>-[!-~]*)?"
)


@dataclass(slots=True)
class ExecutionContext:
    """A request, or a job."""

    #: The request id, or the name of the job.
    name: str
    #: The caller for the pool's fair shares: a user id, an address, or empty for the service.
    caller: str = ""
    #: The statement that the database last refused, and the process id of its backend.
    statement: str | None = None
    backend: int | None = None


current: ContextVar[ExecutionContext | None] = ContextVar("current", default=None)


def parse_traceparent(header: str | None) -> str | None:
    """Return the trace id of a ``traceparent`` header (W3C Trace Context); None if not valid."""
    found = _TRACEPARENT.fullmatch(header or "")
    # Only versions after 00 may have more fields.
    if found is None or (found["version"] == "00" and found["more"]):
        return None
    return found["trace_id"]
