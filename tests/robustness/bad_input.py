"""Malformed requests: bodies that almost fit a schema, and bytes that are almost HTTP."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from hypothesis import strategies as st
from tornado.httputil import HTTPHeaders

from mentorapi.app import ROUTES
from mentorapi.schemas.operation import Operation
from tests.client import Response, check

SQL = (
    "'; DROP TABLE users; --",
    "' OR '1'='1",
    '"; DELETE FROM mentors; SELECT "',
    "$1 || (SELECT version()) %s %(x)s {0} ${HOME} \\x00 \\'",
    "'); UPDATE bookings SET status = 'completed'; /*",
    "E'\\\\' UNION SELECT id, name FROM users --",
    "%_\\ ~* .* ) | ( & ! <-> :*",
    "$$; COPY users TO PROGRAM 'id'; $$",
)

#: Values that replace a valid one.
STRANGE: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1.5,
    1e300,
    2**31,
    2**63,
    -(2**63) - 1,
    10**400,
    float("nan"),
    float("inf"),
    "",
    " ",
    "\0",
    "a\0b",
    "\ud800",
    "\udfff tail",
    "\u202e\u200b\ufeff",
    "e\u0301" * 50,
    "😀" * 600,
    "x" * 70_000,
    "\u0660\u0669:\u0660\u0660",
    "\uff10\uff19:\uff10\uff10",
    "\u0966\u096f:\u0966\u0966",
    "09:00\n",
    "24:00",
    "23:60",
    "\u0662\u0660\u0663\u0660-\u0660\u0661-\u0660\u0661",
    "2030-02-30",
    "2030-01-01\n",
    "0000-01-01",
    "0001-01-01",
    "9999-12-31",
    "+10000-01-01",
    "2030-01-01T00:00:00",
    "2030-01-01T00:00:60Z",
    "2030-01-01T24:00:00Z",
    "2030-01-01T00:00:00+99:99",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2030-01-01T00:00:00.123456789123Z",
    "javascript:alert(1)",
    "http://[::1",
    "http://a:99999/",
    "https://\u0130.example/",
    "NaN",
    "1e5",
    [],
    {},
    [[]],
    {"": None},
    {"__proto__": 1},
    {"$ref": "#"},
    *SQL,
]

TEXTS = st.text(max_size=40) | st.sampled_from(SQL)
#: Texts in a query or a path.
UNICODE = st.text(st.characters(codec="utf-8"), max_size=30)


def valid(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """A strategy for values that fit a schema, or almost. Knows the keywords that are used here."""
    if "anyOf" in schema:
        return st.one_of([valid(one) for one in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kinds = schema.get("type", "string")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return st.one_of([of_type(kind, schema) for kind in kinds])


def of_type(kind: str, schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    if kind == "null":
        return st.none()
    if kind == "boolean":
        return st.booleans()
    if kind == "integer":
        return st.integers(schema.get("minimum", -5), min(schema.get("maximum", 200), 10**9))
    if kind == "number":
        return st.integers(0, 10**8).map(lambda cents: cents / 100)
    if kind == "array":
        return st.lists(valid(schema.get("items", {})), max_size=3)
    if kind == "object":
        return of_object(schema)
    return of_string(schema)


def of_object(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    properties = schema.get("properties", {})
    required = schema.get("required", [])
    others = schema.get("additionalProperties")
    if not properties and isinstance(others, Mapping):
        return st.dictionaries(st.text("abc", min_size=1, max_size=3), valid(others), max_size=3)
    return st.fixed_dictionaries(
        {name: valid(properties[name]) for name in required},
        optional={name: valid(one) for name, one in properties.items() if name not in required},
    )


def of_string(schema: Mapping[str, Any]) -> st.SearchStrategy[str]:
    match schema.get("format"):
        case "date":
            return st.dates().map(str) | st.integers(1, 28).map("2027-02-{:02}".format)
        case "date-time":
            return st.datetimes().map("{:%Y-%m-%dT%H:%M:%S}Z".format) | st.integers(10, 23).map(
                "2027-02-01T{}:00:00Z".format
            )
        case "uri":
            return TEXTS.map("https://example.com/{}".format)
        case "uuid":
            return st.uuids().map(str)
    pattern = schema.get("pattern", "")
    if pattern.startswith("^"):
        return st.from_regex(pattern, fullmatch=True)
    return TEXTS


@st.composite
def mutated(draw: st.DrawFn, schema: Mapping[str, Any]) -> Any:
    """Draw a value that fits the schema, with one or two mistakes."""
    value = deepcopy(draw(valid(schema)))
    for _ in range(draw(st.integers(1, 2))):
        places = list(places_in(value))
        parent, key = draw(st.sampled_from(places)) if places else (None, None)
        strange = deepcopy(draw(st.sampled_from(STRANGE)))
        how = draw(st.sampled_from(["replace", "replace", "replace", "drop", "add", "wrap"]))
        if parent is None:
            value = strange if how == "replace" else {"unknown": strange}
        elif how == "replace":
            parent[key] = strange
        elif how == "drop":
            del parent[key]
        elif how == "wrap":
            parent[key] = [parent[key]]
        elif isinstance(parent, dict):
            parent[draw(st.sampled_from(["unknown", "", "id", "\0", "\ud800", "toString"]))] = (
                strange
            )
        else:
            parent.append(strange)
    return value


def places_in(value: Any) -> Any:
    """Yield each (container, key) within a value."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places_in(value[key])


NUMBERS = ("1e999999", "-0", "1E400", "0x10", "01", "1.", ".5", "+1", "1e-400", "9" * 5000, "1_0")
DEEP = (b"[" * 100_000, b"[" * 500 + b"]" * 500, b'{"a":' * 70 + b"1" + b"}" * 70)


@st.composite
def broken_text(draw: st.DrawFn, schema: Mapping[str, Any]) -> bytes:
    """Draw a JSON text with a mistake in it."""
    text = json.dumps(draw(valid(schema)))
    raw = text.encode()
    match draw(st.integers(0, 9)):
        case 0:
            return raw[: draw(st.integers(0, len(raw)))]
        case 1:
            place = draw(st.integers(0, len(raw)))
            return raw[:place] + draw(st.binary(min_size=1, max_size=4)) + raw[place:]
        case 2:
            return re.sub(r"\d+(?=[,}])", draw(st.sampled_from(NUMBERS)), text).encode()
        case 3:
            return b'{"slots": 1, "slots": 2, ' + raw[1:]
        case 4:
            return b"\xef\xbb\xbf" + raw
        case 5:
            return text.encode(draw(st.sampled_from(["utf-16", "utf-32", "utf-7"])))
        case 6:
            return raw + draw(st.sampled_from([b"{}", b"\0", b"]", b"\xff", b"//", b" " * 9000]))
        case 7:
            return draw(st.sampled_from(DEEP))
        case 8:
            return raw.replace(b'"', b"'")
        case _:
            return draw(st.binary(max_size=200))


def bodies(schema: Mapping[str, Any]) -> st.SearchStrategy[bytes]:
    return st.one_of(
        valid(schema).map(encoded),
        mutated(schema).map(encoded),
        mutated(schema).map(encoded),
        broken_text(schema),
    )


def encoded(value: Any) -> bytes:
    """Lone surrogates as escapes, NaN and Infinity as Python writes them."""
    return json.dumps(value).encode()


# Headers ------------------------------------------------------------------------------------------

#: Characters allowed in a header field: Latin-1 without control characters.
FIELD = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_categories=["Cc"]), max_size=60
).map(str.strip)

HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "Accept",
            "Accept-Encoding",
            "Accept-Language",
            "Cookie",
            "Idempotency-Key",
            "If-Modified-Since",
            "If-None-Match",
            "Origin",
            "Range",
            "X-Forwarded-For",
            "X-Forwarded-Proto",
            "X-HTTP-Method-Override",
            "X-Request-Id",
        ]
    ),
    FIELD,
    max_size=3,
)

CONTENT_TYPES = st.sampled_from(
    ["application/json"] * 8
    + [
        "application/json; charset=utf-16",
        "application/merge-patch+json",
        "text/plain",
        "application/jsonp",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "b" * 5000,
        "application/x-www-form-urlencoded",
        "\xff/\xfe",
        "",
    ]
)


# Operations ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Target:
    method: str
    template: str
    spec: Operation

    def __str__(self) -> str:
        return f"{self.method} {self.template}"


TARGETS = [
    Target(method, template.removeprefix("/api"), spec)
    for template, handler in ROUTES
    for method, spec in handler.operations().items()
]


@dataclass(frozen=True)
class Call:
    path: str
    query: tuple[tuple[str, str], ...]
    body: bytes | None
    headers: dict[str, str]
    #: Index of the caller among the test's people.
    caller: int


@st.composite
def calls(draw: st.DrawFn, target: Target, ids: Sequence[str], callers: int) -> Call:
    path = target.template
    for name in re.findall(r"\{\w+\}", path):
        path = path.replace(name, draw(st.sampled_from(ids) | st.sampled_from(ids) | ODD_IDS))
    query = []
    known = (target.spec.query or {}).get("properties", {})
    if known:
        for name in draw(st.lists(st.sampled_from(sorted(known)), max_size=3)):
            query.append((name, draw(valid(known[name]).map(as_query) | UNICODE | ODD_QUERY)))
    body = None
    headers = draw(HEADERS)
    if target.method != "GET":
        body = draw(bodies(target.spec.body or {"type": "object"}) | st.just(b""))
        headers["Content-Type"] = draw(CONTENT_TYPES)
    return Call(path, tuple(query), body, headers, draw(st.integers(0, callers - 1)))


ODD_IDS = st.sampled_from(
    [
        "0",
        "..",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "%00",
        "%ff%fe",
        "%",
        "%zz",
        "a" * 3000,
        "' OR 1=1 --".replace(" ", "%20"),
        "00000000-0000-0000-0000-000000000000",
        "01A1B2C3-0000-7000-8000-000000000000",
        "{01a1b2c3-0000-7000-8000-000000000000}",
        "urn:uuid:01a1b2c3-0000-7000-8000-000000000000",
        "%D9%A1" * 36,
    ]
)

ODD_QUERY = st.sampled_from(
    ["", "-1", "0", "1.0", "9" * 19, "9" * 400, "\u0661", "TRUE", "1 ", "\0", "2027-13-01", *SQL]
)


def as_query(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# Sockets ------------------------------------------------------------------------------------------


async def exchange(
    base: str, *pieces: bytes, pause: float = 0, patience: float = 30, half_close: bool = False
) -> tuple[list[Response], bytes, bool]:
    """Send raw bytes; return the responses, the bytes that are no response of ours, and whether the
    server closed the connection in time."""
    parts = urlsplit(base)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    received, closed = bytearray(), True

    async def send() -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        if half_close:
            writer.write_eof()

    sending = asyncio.create_task(send())
    try:
        async with asyncio.timeout(patience):
            while chunk := await reader.read(65536):
                received += chunk
    except TimeoutError:
        closed = False
    except ConnectionError:
        pass
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    writer.close()
    responses, rest = split_responses(bytes(received))
    return responses, rest, closed


def split_responses(received: bytes) -> tuple[list[Response], bytes]:
    """Check the responses of the application; return them, and the remaining bytes."""
    responses = []
    while received:
        head, end, rest = received.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        if not end or "X-Request-Id" not in head.decode("latin-1"):
            break
        status = int(lines[0].split()[1])
        headers = HTTPHeaders.parse("\r\n".join(lines[1:]))
        length = int(headers.get("Content-Length", "0"))
        response = Response(status, headers, rest[:length])
        if response.body or status < 400:
            check("HEAD" if not response.body else "GET", "/unknown", response)
        responses.append(response)
        received = rest[length:]
    return responses, received
