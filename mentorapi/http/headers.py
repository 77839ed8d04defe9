"""Request headers that every endpoint reads, and response headers that every response has."""

import re
import time
from collections.abc import Collection
from functools import lru_cache

from tornado.httputil import format_timestamp

from mentorapi import errors
from mentorapi.cache.responses import Response
from mentorapi.config import Settings
from mentorapi.http.request import Request

EXPOSED_HEADERS = (
    "Content-Disposition, ETag, Idempotent-Replayed, Link, Location, Retry-After, "
    "X-Error-Code, X-Request-Id, X-Total-Count"
)
ACCEPTED_HEADERS = "Authorization, Content-Type, Idempotency-Key, If-None-Match, X-Request-Id"

#: Characters of the names of headers that a preflight may ask for.
MAX_REQUESTED_HEADERS = 1024

#: Bytes. Compression of smaller bodies saves too little.
MIN_COMPRESSED_BYTES = 1024

_DEFAULTS = {
    "Content-Type": "application/json; charset=UTF-8",
    "X-Content-Type-Options": "nosniff",
    # For errors, too. An operation may replace it.
    "Cache-Control": "no-store",
    "Vary": "Accept-Encoding",
}

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")

# The draft wants a quoted string; most clients send a UUID without quotes.
_KEY = re.compile(r'"?([!#-~]{1,255})"?')

_ETAG = re.compile(r'\*|"[^"]*"')

# A weight of 0 means "not acceptable" (RFC 9110, 12.5.3).
_GZIP = re.compile(r"(?:^|[\s,])gzip\s*(?:$|,|;\s*q=(?!0(?:\.0*)?\s*(?:$|,)))", re.IGNORECASE)


def default_headers(settings: Settings, request: Request) -> dict[str, str]:
    """The headers of every response to this request.

    Each header is always spelled in the same way. Tornado's class corrects the spelling each time a
    header is used, in Python.
    """
    headers = _DEFAULTS | {"Date": _date(int(time.time())), "X-Request-Id": request.id}
    if settings.cors_origins:
        # The origin of a head that is refused is unknown. Its error contains nothing private.
        allowed = settings.cors_origins if request.uri else ("*",)
        headers.update(_cors_headers(allowed, request.headers.get("origin", "")))
    return headers


@lru_cache(maxsize=2)
def _date(seconds: int) -> str:
    return format_timestamp(seconds)


def _cors_headers(allowed: Collection[str], origin: str) -> dict[str, str]:
    headers = {"Access-Control-Expose-Headers": EXPOSED_HEADERS}
    if "*" in allowed:
        return {"Access-Control-Allow-Origin": "*"} | headers
    vary = {"Vary": "Origin, Accept-Encoding"}
    if origin not in allowed:
        return vary
    return vary | {"Access-Control-Allow-Origin": origin} | headers


def is_preflight(request: Request) -> bool:
    """Whether this is a CORS preflight: a browser asks which requests a script may send."""
    return request.method == "OPTIONS" and "access-control-request-method" in request.headers


def preflight_headers(settings: Settings, request: Request) -> dict[str, str]:
    """The headers of the response to a preflight, beside the default ones."""
    usual = default_headers(settings, request)
    if "Access-Control-Allow-Origin" not in usual:
        return {}
    return {
        # All, so that a script can read the 405 of a wrong one.
        "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
        "Access-Control-Allow-Headers": allowed_headers(
            request.headers.get("access-control-request-headers", "")
        ),
        "Vary": usual["Vary"].replace(
            "Accept-Encoding", "Access-Control-Request-Headers, Accept-Encoding"
        ),
        # Seconds for which a browser may keep the response.
        "Access-Control-Max-Age": "600",
    }


def allowed_headers(requested: str) -> str:
    """The headers that an allowed origin may send: the usual ones and those that it asks for.

    The server ignores headers that it does not know, such as ``traceparent``.
    """
    if len(requested) > MAX_REQUESTED_HEADERS:
        return ACCEPTED_HEADERS
    known = ACCEPTED_HEADERS.lower().split(", ")
    names = [name.strip(" \t").lower() for name in requested.split(",")]
    more = [name for name in dict.fromkeys(names) if name not in known and _TOKEN.fullmatch(name)]
    return ", ".join([ACCEPTED_HEADERS, *more])


def idempotency_key(request: Request) -> str | None:
    """The key of a request, None without one. Raises ValidationFailed.

    See draft-ietf-httpapi-idempotency-key-header.
    """
    header = request.headers.get("idempotency-key")
    if header is None:
        return None
    key = _KEY.fullmatch(header)
    if key is None:
        raise errors.ValidationFailed.of(
            "Idempotency-Key", "must be 1 to 255 visible ASCII characters", "format"
        )
    return key[1]


def wants_gzip(request: Request, body: bytes) -> bool:
    """Whether to compress a body: the client accepts it, and it is worth it."""
    accepted = request.headers.get("accept-encoding", "")
    return len(body) >= MIN_COMPRESSED_BYTES and _GZIP.search(accepted) is not None


def render(response: Response, request: Request) -> tuple[int, dict[str, str], bytes | None]:
    """Status, headers and body for this request; a 304 has no body."""
    headers = {**response.headers, "Etag": response.etag}
    # Weak comparison (RFC 9110, 13.1.2).
    known = _ETAG.findall(request.headers.get("if-none-match", ""))
    if known[:1] == ["*"] or response.etag.removeprefix("W/") in known:
        return 304, headers, None
    body = response.body
    if wants_gzip(request, body):
        body = response.gzipped
        headers["Content-Encoding"] = "gzip"
    return 200, headers, body
