"""What is done with every answer on its way out."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING
from uuid import uuid4

from tornado.httputil import HTTPHeaders, HTTPServerRequest, format_timestamp
from tornado.web import GZipContentEncoding

from mentorapi.config import Settings

if TYPE_CHECKING:
    from mentorapi.http.base import Services

EXPOSED_HEADERS = (
    "Content-Disposition, ETag, Idempotent-Replayed, Link, Location, Retry-After, "
    "X-Error-Code, X-Request-Id, X-Total-Count"
)
ACCEPTED_HEADERS = "Authorization, Content-Type, Idempotency-Key, If-None-Match, X-Request-Id"

#: Characters of the names of headers that a preflight may ask for.
MAX_REQUESTED_HEADERS = 1024

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")

#: Bytes. Smaller answers are not worth compressing.
COMPRESSED_FROM = 1024

# With a weight of 0 it is what the client does not want (RFC 9110, 12.5.3).
_GZIP = re.compile(r"(?:^|[\s,])gzip\s*(?:$|,|;\s*q=(?!0(?:\.0*)?\s*(?:$|,)))", re.IGNORECASE)

_ALWAYS = {
    "Content-Type": "application/json; charset=UTF-8",
    "X-Content-Type-Options": "nosniff",
    # Of errors, and until an operation says otherwise.
    "Cache-Control": "no-store",
}

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")

# Request ids of our own are UUIDs: the process, and which request of it. A random one costs more.
_PROCESS = str(uuid4())[:24]
_numbers = count(1)


class Head(dict[str, str]):
    """Headers of an answer: each has one value, and is always spelled in the same way.

    Tornado's own put the spelling right each time that one is touched, in Python.
    """

    def get_all(self) -> Iterable[tuple[str, str]]:
        return self.items()


def header(headers: HTTPHeaders, name: str) -> str | None:
    """Of a request, if it is there. ``get`` raises and catches an exception where it is not."""
    return headers[name] if name in headers else None  # noqa: SIM401


def request_id(headers: HTTPHeaders) -> str:
    """The one that the client gave, or one of our own."""
    given = header(headers, "X-Request-Id")
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given
    return f"{_PROCESS}{next(_numbers):012x}"


def new_headers(settings: Settings, request: HTTPServerRequest, named: str) -> Head:
    """What the answer to a request begins with."""
    headers = Head(_ALWAYS)
    headers["Date"] = _date_of(int(time.time()))
    headers["X-Request-Id"] = named
    headers.update(cors_headers(settings, request.headers))
    return headers


@lru_cache(maxsize=2)
def _date_of(seconds: int) -> str:
    return format_timestamp(seconds)


def cors_headers(settings: Settings, headers: HTTPHeaders) -> Sequence[tuple[str, str]]:
    """For an answer to a request with these headers."""
    allowed = settings.cors_origins
    if not allowed:
        return ()
    exposed = ("Access-Control-Expose-Headers", EXPOSED_HEADERS)
    if "*" in allowed:
        return ("Access-Control-Allow-Origin", "*"), exposed
    origin = headers.get("Origin", "")
    if origin not in allowed:
        return (("Vary", "Origin"),)
    return ("Vary", "Origin"), ("Access-Control-Allow-Origin", origin), exposed


def allowed_headers(requested: str | None) -> str:
    """For a preflight that names the headers of the request to come.

    An allowed origin may send what it likes (``traceparent`` or ``sentry-trace``, say): a header
    that this server does not know does nothing.
    """
    if requested is None or len(requested) > MAX_REQUESTED_HEADERS:
        return ACCEPTED_HEADERS
    known = ACCEPTED_HEADERS.lower().split(", ")
    names = [name.strip(" \t").lower() for name in requested.split(",")]
    more = [name for name in dict.fromkeys(names) if name not in known and _TOKEN.fullmatch(name)]
    return ", ".join([ACCEPTED_HEADERS, *more])


def accepts_gzip(headers: HTTPHeaders) -> bool:
    accepted = header(headers, "Accept-Encoding")
    return accepted is not None and _GZIP.search(accepted) is not None


class Outgoing(GZipContentEncoding):
    """Tornado makes one for each answer: compresses what is not compressed already, and asks the
    client to close its connection while the services drain."""

    MIN_LENGTH = COMPRESSED_FROM

    def __init__(self, services: Services, request: HTTPServerRequest) -> None:
        self._services, self._request = services, request

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        self._gzipping = accepts_gzip(self._request.headers)
        if self._services.draining:
            headers["Connection"] = "close"
        return super().transform_first_chunk(status_code, headers, chunk, finishing)
