"""Request headers that every endpoint reads, and response headers that every response has."""

import gzip
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import count
from uuid import uuid4

from tornado.httputil import format_timestamp

from mentorapi.config import Settings

EXPOSED_HEADERS = (
    "Content-Disposition, ETag, Idempotent-Replayed, Link, Location, Retry-After, "
    "X-Error-Code, X-Request-Id, X-Total-Count"
)
ACCEPTED_HEADERS = "Authorization, Content-Type, Idempotency-Key, If-None-Match, X-Request-Id"

#: Characters of the names of headers that a preflight may ask for.
MAX_REQUESTED_HEADERS = 1024

#: Seconds for which a browser may keep the answer to a preflight.
PREFLIGHT_SECONDS = 600

#: Bytes. Compression of smaller bodies saves too little.
MIN_COMPRESSED_BYTES = 1024

_COMPRESSION_LEVEL = 6

_DEFAULTS = {
    "Content-Type": "application/json; charset=UTF-8",
    "X-Content-Type-Options": "nosniff",
    # For errors, too. An operation may replace it.
    "Cache-Control": "no-store",
    "Vary": "Accept-Encoding",
}

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")

# A weight of 0 means "not acceptable" (RFC 9110, 12.5.3).
_GZIP = re.compile(r"(?:^|[\s,])gzip\s*(?:$|,|;\s*q=(?!0(?:\.0*)?\s*(?:$|,)))", re.IGNORECASE)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")

# Our own request ids are UUIDs made of a random part per process and a number per request. A
# random one for each request costs more.
_PROCESS = str(uuid4())[:24]
_numbers = count(1)


def request_id(headers: Mapping[str, str]) -> str:
    """The client's request id, or a new one."""
    given = headers.get("x-request-id")
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given
    return f"{_PROCESS}{next(_numbers):012x}"


class ResponseHeaders(dict[str, str]):
    """Headers that are always spelled in the same way, and have one value each.

    Tornado's class corrects the spelling each time a header is used, in Python.
    """

    def get_all(self) -> Iterable[tuple[str, str]]:
        return self.items()


def default_headers(
    settings: Settings, request_headers: Mapping[str, str], request_id: str
) -> ResponseHeaders:
    """The headers of every response to a request with these headers."""
    headers = ResponseHeaders(_DEFAULTS)
    headers["Date"] = _date(int(time.time()))
    headers["X-Request-Id"] = request_id
    headers.update(cors_headers(settings, request_headers))
    return headers


@lru_cache(maxsize=2)
def _date(seconds: int) -> str:
    return format_timestamp(seconds)


def cors_headers(settings: Settings, headers: Mapping[str, str]) -> Sequence[tuple[str, str]]:
    """The CORS headers of the response to a request with these headers."""
    allowed = settings.cors_origins
    if not allowed:
        return ()
    exposed = ("Access-Control-Expose-Headers", EXPOSED_HEADERS)
    if "*" in allowed:
        return ("Access-Control-Allow-Origin", "*"), exposed
    origin, vary = headers.get("origin", ""), ("Vary", "Origin, Accept-Encoding")
    if origin not in allowed:
        return (vary,)
    return vary, ("Access-Control-Allow-Origin", origin), exposed


def preflight_headers(
    settings: Settings, headers: Mapping[str, str], methods: str
) -> Iterable[tuple[str, str]]:
    """The headers of the response to an OPTIONS request, beside the default ones."""
    yield "Allow", methods
    cors = dict(cors_headers(settings, headers))
    if "Access-Control-Allow-Origin" in cors:
        asked = headers.get("access-control-request-headers")
        vary = ["Origin"] if "Vary" in cors else []
        yield "Access-Control-Allow-Methods", methods
        yield "Access-Control-Allow-Headers", allowed_headers(asked)
        yield "Vary", ", ".join([*vary, "Access-Control-Request-Headers", "Accept-Encoding"])
        yield "Access-Control-Max-Age", str(PREFLIGHT_SECONDS)


def allowed_headers(requested: str | None) -> str:
    """The headers that an allowed origin may send: the usual ones and those that it asks for.

    The server ignores headers that it does not know, such as ``traceparent``.
    """
    if requested is None or len(requested) > MAX_REQUESTED_HEADERS:
        return ACCEPTED_HEADERS
    known = ACCEPTED_HEADERS.lower().split(", ")
    names = [name.strip(" \t").lower() for name in requested.split(",")]
    more = [name for name in dict.fromkeys(names) if name not in known and _TOKEN.fullmatch(name)]
    return ", ".join([ACCEPTED_HEADERS, *more])


def accepts_gzip(headers: Mapping[str, str]) -> bool:
    accepted = headers.get("accept-encoding")
    return accepted is not None and _GZIP.search(accepted) is not None


def compress(headers: dict[str, str], body: bytes, request_headers: Mapping[str, str]) -> bytes:
    """The body as it is sent, with the header that says how."""
    if (
        len(body) < MIN_COMPRESSED_BYTES
        or "Content-Encoding" in headers
        or not headers.get("Content-Type", "").startswith(("text/", "application/json"))
        or not accepts_gzip(request_headers)
    ):
        return body
    headers["Content-Encoding"] = "gzip"
    return gzip.compress(body, _COMPRESSION_LEVEL, mtime=0)
