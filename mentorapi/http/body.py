"""Request bodies: JSON, read strictly, and multipart forms."""

import json
import re
from decimal import Decimal
from typing import Any

import orjson
from tornado.httputil import HTTPFile, HTTPInputError, parse_body_arguments

from mentorapi import errors
from mentorapi.schemas.operation import Operation
from mentorapi.schemas.validation import MAX_NESTING, Details, entry, is_nested_deeper

#: Numbers with more digits before the point, or more zeros after it, are refused. A number whose
#: value is whole is an integer: 60.0 and 6e1 are 60.
MAX_DIGITS = 18

#: Values in one body, at any depth. The largest useful body, 500 weekly windows, has 2,500. Each
#: value takes about 3 µs of the event loop.
MAX_VALUES = 4000

#: Characters of a field's name in a message.
_MAX_QUOTED = 60

NOT_MULTIPART = "Content-Type must be multipart/form-data"

_JSON = re.compile(r"application/(?:.*\+)?json")

# A string, up to its end or the end of the body. Possessive (`++`), so it takes linear time.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.?)*+"?', re.DOTALL)


def read_body(content_type: str, raw: bytes, spec: Operation) -> Any:
    """The body as the operation's schema describes it.

    Raises UnsupportedMediaType, MalformedJson and ValidationFailed.
    """
    if not raw and spec.body_optional:
        return {}
    if not is_json(content_type):
        raise errors.UnsupportedMediaType
    body = spec.normalize_body(parse(raw))
    details = spec.check_body(body)
    if details:
        raise errors.ValidationFailed(details)
    return body


def is_json(content_type: str) -> bool:
    return _JSON.fullmatch(content_type.partition(";")[0].strip().lower()) is not None


def parse(raw: bytes) -> Any:
    """The value of a JSON text, with fractions as ``Decimal``.

    orjson refuses what is not JSON, also NaN and lone surrogates. Python's parser then refuses
    a name that occurs twice. It is slow, so the number of values is limited.

    Raises MalformedJson.
    """
    try:
        # The first count includes strings. It is quick, and enough for nearly all bodies.
        if _count_marks(raw) > MAX_VALUES and _count_marks(_STRING.sub(b"", raw)) > MAX_VALUES:
            raise ValueError(f"more than {MAX_VALUES} values")
        orjson.loads(raw)
        # PostgreSQL cannot store NUL. After an escaped backslash, the same text is no NUL.
        if rb"\u0000" in raw.replace(rb"\\", b""):
            raise ValueError("a text contains a NUL character")
        value = json.loads(raw, object_pairs_hook=_object, parse_float=_number, parse_int=_number)
        if is_nested_deeper(value, MAX_NESTING):
            raise RecursionError
    except RecursionError:
        reason = "nested too deeply"
    except ArithmeticError:
        # Decimal refuses exponents of more than 18 digits.
        reason = "number out of range"
    except ValueError as error:
        reason = str(error)
    else:
        return value
    raise errors.MalformedJson(f"Body is not valid JSON: {reason}")


def _count_marks(raw: bytes) -> int:
    """An upper bound of the number of values in a JSON text."""
    return 1 + raw.count(b",") + raw.count(b"[") + raw.count(b"{")


def _number(text: str) -> int | Decimal:
    value = Decimal(text)
    if abs(value.adjusted()) > MAX_DIGITS:
        raise ValueError("number out of range")
    whole = int(value)
    return whole if whole == value else value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{json.dumps(name[:_MAX_QUOTED])} occurs twice")
        found[name] = value
    return found


def uploaded_file(content_type: str, raw: bytes) -> bytes:
    """The file of a multipart/form-data body, which must be its only part.

    Raises UnsupportedMediaType, MalformedForm and ValidationFailed.
    """
    kind, semicolon, parameters = content_type.partition(";")
    kind = kind.strip().lower()
    if kind != "multipart/form-data":
        raise errors.UnsupportedMediaType(NOT_MULTIPART)
    fields: dict[str, list[bytes]] = {}
    files: dict[str, list[HTTPFile]] = {}
    try:
        # Tornado expects the type in lower case.
        parse_body_arguments(kind + semicolon + parameters, raw, fields, files)
    except HTTPInputError as error:
        raise errors.MalformedForm from error
    uploads = files.pop("file", [])
    details: Details = [
        entry([name], "type", "must be a file")
        if name == "file"
        else entry([name], "unknown_field", "is not a known field")
        for name in sorted(fields.keys() | files.keys())
    ]
    if len(uploads) > 1:
        details.append(entry(["file"], "repeated", "must be one file"))
    elif not uploads and "file" not in fields:
        details.append(entry(["file"], "required", "is required"))
    if details:
        raise errors.ValidationFailed(details)
    return uploads[0].body
