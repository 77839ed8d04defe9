"""Bodies as clients send them, read strictly."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import orjson
from tornado.httputil import HTTPFile, HTTPInputError, HTTPServerRequest, parse_body_arguments

from mentorapi import errors

#: A JSON number is one kind of thing: 60.0 and 6e1 are the integer 60. Beyond this many digits
#: it stays a decimal, which no schema here admits.
MOST_DIGITS = 18

MOST_DEPTH = 64

#: Values in one body, at any depth. The largest that is of use, 500 weekly windows, has 2,500; each
#: takes some 3 µs of the event loop.
MAX_VALUES = 4000

#: Characters of a field's name in a message.
_MAX_QUOTED = 60

#: Up to its end, or that of the body. It never goes back (`++`): linear for whatever is sent.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.?)*+"?', re.DOTALL)


def parse(body: bytes) -> Any:
    """The value of a JSON text, its fractions as ``Decimal``.

    orjson refuses what is no JSON, NaN and lone surrogates among it; the second reading finds what
    it lets pass: a name that occurs twice with different values, and NUL, which PostgreSQL can't
    store. It reads in Python, so how much there may be to read is limited.

    Raises MalformedJson.
    """
    try:
        if _has_too_many_values(body):
            raise ValueError(f"more than {MAX_VALUES} values")
        orjson.loads(body)
        value = json.loads(body, object_pairs_hook=_object, parse_float=_number, parse_int=_number)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise errors.MalformedJson(f"Body is not valid JSON: {_reason(error)}") from error
    _check(value, MOST_DEPTH)
    return value


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    # Decimal takes exponents of 18 digits at most; its own message names classes of Python.
    return "number out of range" if isinstance(error, ArithmeticError) else str(error)


def _has_too_many_values(body: bytes) -> bool:
    # Counting within texts as well is quick, and enough for nearly all bodies.
    return _count_marks(body) > MAX_VALUES and _count_marks(_STRING.sub(b"", body)) > MAX_VALUES


def _count_marks(body: bytes) -> int:
    """An upper bound of the number of values in a JSON text."""
    return 1 + body.count(b",") + body.count(b"[") + body.count(b"{")


def _number(text: str) -> int | Decimal:
    value = Decimal(text)
    if abs(value.adjusted()) > MOST_DIGITS:
        raise ValueError("number out of range")
    whole = int(value)
    return whole if whole == value else value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found and not _agree(found[name], value):
            raise ValueError(f"{json.dumps(name[:_MAX_QUOTED])} occurs twice")
        found[name] = value
    return found


def _agree(one: Any, other: Any) -> bool:
    """Equal as JSON has it; to Python, true is 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_agree(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_agree, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _check(value: Any, depth: int) -> None:
    if not depth:
        raise errors.MalformedJson("Body is not valid JSON: nested too deeply")
    if isinstance(value, str):
        if "\0" in value:
            raise errors.MalformedJson("Body is not valid JSON: a text contains a NUL character")
    elif isinstance(value, list):
        for entry in value:
            _check(entry, depth - 1)
    elif isinstance(value, dict):
        for name, entry in value.items():
            _check(name, depth)
            _check(entry, depth - 1)


def parse_form(
    parameters: str, request: HTTPServerRequest
) -> tuple[dict[str, list[bytes]], dict[str, list[HTTPFile]]]:
    """The fields and the files of a multipart/form-data body.

    ``parameters`` are those of its type.
    """
    fields: dict[str, list[bytes]] = {}
    files: dict[str, list[HTTPFile]] = {}
    kind = f"multipart/form-data;{parameters}"
    try:
        parse_body_arguments(kind, request.body, fields, files, request.headers)
    except HTTPInputError as error:
        raise errors.MalformedForm from error
    return fields, files
