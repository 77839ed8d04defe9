"""Validators, built once, that speak to people.

JSON Schema as its specification says, with four differences, all of them stricter in Python than
the library's own reading: patterns end where ``$`` says (not before a final newline), an integer is
an ``int``, formats are checked, and a decimal's digits are counted exactly.

Validation stops early, since it runs on the event loop: what is inside a list, an object or a text
that is too large is not looked at, and the first `MAX_DETAILS` findings are enough.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from heapq import nsmallest
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

Schema = Mapping[str, Any]
Details = list[dict[str, str]]

#: As many as an answer names (`errors.MAX_DETAILS`).
MAX_DETAILS = 50

formats = FormatChecker(formats=())

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
#: ISO 4217, list one, as of 2026.
_ISO_4217 = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN
    BZD CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR
    FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY
    KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU
    MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON
    RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP
    TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAD XAF XAG XAU XBA XBB
    XBC XBD XCD XCG XDR XOF XPD XPF XPT XSU XTS XUA XXX YER ZAR ZMW ZWG
"""
CURRENCIES = frozenset(_ISO_4217.split())


@formats.checks("date", raises=ValueError)
def is_date(value: object) -> bool:
    """A full-date of RFC 3339."""
    return not isinstance(value, str) or bool(_DATE.fullmatch(value) and date.fromisoformat(value))


@formats.checks("date-time", raises=(ValueError, OverflowError))
def is_instant(value: object) -> bool:
    """A date-time of RFC 3339, which always has an offset, and in UTC a year of four digits."""
    return not isinstance(value, str) or bool(
        _INSTANT.fullmatch(value) and parse_instant(value).astimezone(UTC)
    )


@formats.checks("uri")
def _is_uri(value: object) -> bool:
    return not isinstance(value, str) or is_web_url(value)


def is_web_url(text: str) -> bool:
    """Whether it is a complete http or https URL: the only ones that links and images may have."""
    if any(character <= " " or character in '<>"\\^`{|}\x7f' for character in text):
        return False
    try:
        parts = urlsplit(text)
        # Reading the port raises ValueError for a port that is no number or too large.
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def parse_instant(text: str) -> datetime:
    """An RFC 3339 date-time; Python reads at most microseconds."""
    whole = re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", text.upper())
    return datetime.fromisoformat(whole)


#: Levels of lists and objects in a token or a key set. Python's own limit differs by version: a
#: thousand levels in 3.11, many more in 3.13.
MAX_NESTING = 64


def is_nested_deeper(value: object, levels: int) -> bool:
    """Whether a JSON value has more levels of lists and objects than this."""
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return False
    return levels == 0 or any(is_nested_deeper(entry, levels - 1) for entry in value)


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

#: Letters and symbols that are shown as nothing: Hangul fillers, an empty Braille cell, a note
#: without a head.
_BLANK_SYMBOLS = frozenset("\u115f\u1160\u3164\uffa0\u2800\U0001d159")

#: Control, format, surrogate; space and line separators; marks, which need a letter to stand on.
#: Not Cn: what Python does not know may be next year's emoji.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zs", "Zl", "Zp", "Mn", "Me"})


def is_visible(text: str) -> bool:
    """Whether a person sees any of it."""
    return any(
        unicodedata.category(character) not in _INVISIBLE
        and character not in _BLANK_SYMBOLS
        # Unassigned, and ignored by all fonts for good.
        and not "\U000e0000" <= character <= "\U000e0fff"
        for character in text
    )


class _LineError(ValidationError):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _line(validator: Any, kind: str, value: Any, schema: Schema) -> Iterable[ValidationError]:
    """Our own keyword: text of one line, which is ``visible`` or ``any``."""
    if not isinstance(value, str) or _is_too_large(value, schema):
        return
    if kind == "visible" and not is_visible(value):
        yield _LineError("blank", "must not be blank")
    elif _CONTROL.search(value):
        yield _LineError("control_character", "must not contain control characters")


def _is_too_large(value: object, schema: Schema) -> bool:
    """Whether a value has more entries or characters than its schema admits.

    Then what is in it is not looked at: it may be a thousand times as much.
    """
    match value:
        case str():
            keyword = "maxLength"
        case list():
            keyword = "maxItems"
        case dict():
            keyword = "maxProperties"
        case _:
            return False
    most: int | None = schema.get(keyword)
    return most is not None and len(value) > most


def _pattern(validator: Any, pattern: str, value: Any, schema: Schema) -> Iterable[ValidationError]:
    if "x-line" in schema:
        return  # which says more
    if (
        isinstance(value, str)
        and not _is_too_large(value, schema)
        and not _compiled(pattern).search(value)
    ):
        yield ValidationError("has the wrong form")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\$$", r"\\Z", pattern))


def _format(validator: Any, name: str, value: Any, schema: Schema) -> Iterable[ValidationError]:
    if not _is_too_large(value, schema) and not formats.conforms(value, name):
        yield ValidationError(f"is not a {name}")


def _iso_4217(
    validator: Any, wanted: bool, value: Any, schema: Schema
) -> Iterable[ValidationError]:
    # Not a format of JSON Schema's: a strict validator refuses those that it does not know.
    # What has the wrong form is told by `pattern`.
    if isinstance(value, str) and re.fullmatch("[A-Z]{3}", value) and value not in CURRENCIES:
        yield ValidationError("is not a currency")


def _multiple_of(
    validator: Any, step: float, value: Any, schema: Schema
) -> Iterable[ValidationError]:
    if not validator.is_type(value, "number") or abs(value) >= 10**15:
        return  # `maximum` speaks about those
    if Decimal(str(value)) % Decimal(str(step)):
        yield ValidationError(f"must be a multiple of {step}")


def _properties(
    validator: Any, properties: Mapping[str, Schema], value: object, schema: Schema
) -> Iterable[ValidationError]:
    if isinstance(value, dict) and not _is_too_large(value, schema):
        for name, inner in properties.items():
            if name in value:
                yield from _errors_within(inner, value, name)


def _additional_properties(
    validator: Any, inner: Schema | bool, value: object, schema: Schema
) -> Iterable[ValidationError]:
    if not isinstance(value, dict) or _is_too_large(value, schema):
        return
    known = schema.get("properties", {})
    if isinstance(inner, Mapping):
        for name in value.keys() - known.keys() if known else value:
            yield from _errors_within(inner, value, name)
    elif not inner and not value.keys() <= known.keys():
        # One error for all of them; `_entries` names them.
        yield ValidationError("has unknown fields")


def _property_names(
    validator: Any, names: Schema, value: object, schema: Schema
) -> Iterable[ValidationError]:
    if isinstance(value, dict) and not _is_too_large(value, schema):
        for name in value:
            yield from validator.descend(instance=name, schema=names)


def _items(
    validator: Any, items: Schema, value: object, schema: Schema
) -> Iterable[ValidationError]:
    if isinstance(value, list) and not _is_too_large(value, schema):
        for place in range(len(value)):
            yield from _errors_within(items, value, place)


def _type(
    validator: Any, types: str | list[str], value: object, schema: Schema
) -> Iterable[ValidationError]:
    # The library's own message quotes the value.
    if not any(
        validator.is_type(value, one) for one in ([types] if isinstance(types, str) else types)
    ):
        yield ValidationError("has another type")


def _errors_within(schema: Schema, value: Any, step: str | int) -> Iterable[ValidationError]:
    # The library makes a new validator for each step down, which takes most of its time.
    _, validator = _children.get(id(schema)) or _remember_child(schema)
    for error in validator.iter_errors(value[step]):
        error.path.appendleft(step)
        yield error


#: By identity; each schema is kept with its validator, so that no other can get its id.
_children: dict[int, tuple[Schema, Any]] = {}


def _remember_child(schema: Schema) -> tuple[Schema, Any]:
    child = _children[id(schema)] = schema, Validator(schema, format_checker=formats)
    return child


Validator = extend(
    Draft202012Validator,
    validators={
        "additionalProperties": _additional_properties,
        "format": _format,
        "items": _items,
        "multipleOf": _multiple_of,
        "pattern": _pattern,
        "x-iso-4217": _iso_4217,
        "properties": _properties,
        "propertyNames": _property_names,
        "type": _type,
        "x-line": _line,
    },
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
    format_checker=formats,
)


def validator_of(schema: Schema) -> Any:
    Validator.check_schema(schema)
    return Validator(schema, format_checker=formats)


def details_of(validator: Any, value: object) -> Details:
    """What is wrong with a value, one entry per finding: ``{"field", "code", "message"}``.

    At most `MAX_DETAILS` entries, the first ones found.
    """
    found = sorted(
        islice(validator.iter_errors(value), MAX_DETAILS),
        key=lambda error: [str(p) for p in error.path],
    )
    # These say all there is to say about a value; what else it breaks follows from them.
    telling = {
        tuple(error.path): error.validator
        for decisive in ("type", "enum")
        for error in found
        if error.validator == decisive
    }
    entries = (
        entry
        for error in found
        if telling.get(tuple(error.path), error.validator) == error.validator
        for entry in _entries(error)
    )
    return list(islice(entries, MAX_DETAILS))


def _entries(error: ValidationError) -> Iterable[dict[str, str]]:
    path = [str(part) for part in error.absolute_path]
    # The library folds these two into one error per object; a client wants them by field.
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        # One error is raised for each missing name, and each finds all of them.
        name = re.match(r"'(.*)' is a required property", error.message, re.DOTALL)
        for field in missing if name is None else [name[1]]:
            yield entry([*path, field], "required", "is required")
    elif error.validator == "additionalProperties" and error.validator_value is False:
        unknown = error.instance.keys() - error.schema.get("properties", {}).keys()
        for field in nsmallest(MAX_DETAILS, unknown):
            yield entry([*path, field], "unknown_field", "is not a known field")
    else:
        message = _MESSAGES.get(error.validator, _own_message)(error)
        yield entry(path, _code(error), message)


def entry(path: Sequence[str], code: str, message: str) -> dict[str, str]:
    """One of the ``details`` of a failed validation."""
    return {"field": ".".join(path), "code": code, "message": message}


def _code(error: ValidationError) -> str:
    if isinstance(error, _LineError):
        return error.code
    return _CODES.get(str(error.validator), "invalid")


def _own_message(error: ValidationError) -> str:
    return str(error.message)


#: What a detail's ``code`` can be, and what it says of the field.
DETAIL_CODES = {
    "required": "is missing",
    "unknown_field": "is not a field of this body",
    "type": "is of another JSON type",
    "not_allowed": "is none of the listed values",
    "format": "is not written as a date, a time, an instant, a URL or a currency is",
    "blank": "has no visible character",
    "control_character": "contains a control character",
    "too_short": "is too short",
    "too_long": "has too many characters",
    "too_few": "has too few entries",
    "too_many": "has too many entries",
    "out_of_range": "is too small or too large",
    "repeated": "occurs more than once",
    "encoding": "is not UTF-8, or contains NUL",
    "order": "begins after it ends",
    "overlap": "overlaps another entry",
    "past": "lies in the past",
    "invalid": "is wrong in another way",
}

#: By the keyword of JSON Schema that found it.
_CODES = {
    "type": "type",
    "enum": "not_allowed",
    "const": "not_allowed",
    "format": "format",
    "pattern": "format",
    "x-iso-4217": "format",
    "minLength": "too_short",
    "maxLength": "too_long",
    "minItems": "too_few",
    "maxItems": "too_many",
    "minProperties": "too_few",
    "maxProperties": "too_many",
    "minimum": "out_of_range",
    "maximum": "out_of_range",
    "multipleOf": "out_of_range",
}

_NOUNS = {
    "object": "an object",
    "array": "a list",
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}

_FORMATS = {
    "date": "must be a date, YYYY-MM-DD",
    "date-time": "must be an RFC 3339 date-time with an offset, such as 2026-02-12T14:00:00Z",
    "uri": "must be an http or https URL",
}


def _type_message(error: ValidationError) -> str:
    types = error.validator_value
    names = [_NOUNS[name] for name in ([types] if isinstance(types, str) else types)]
    return "must be " + " or ".join(names)


def _choice(error: ValidationError) -> str:
    return "must be one of " + ", ".join(str(choice) for choice in error.validator_value)


def _text(template: str) -> Callable[[ValidationError], str]:
    return lambda error: template.format(error.validator_value)


def _pattern_message(error: ValidationError) -> str:
    return str(error.schema.get("x-message", error.message))


_MESSAGES: dict[object, Callable[[ValidationError], str]] = {
    "type": _type_message,
    "enum": _choice,
    "const": _text("must be {}"),
    "format": lambda error: _FORMATS[error.validator_value],
    "pattern": _pattern_message,
    "x-iso-4217": lambda error: str(error.schema["x-message"]),
    "not": lambda error: str(error.validator_value["x-message"]),
    "minLength": lambda error: "must not be empty",
    "maxLength": _text("must be at most {} characters long"),
    "minItems": _text("must have at least {} entries"),
    "maxItems": _text("must have at most {} entries"),
    "minProperties": _text("must have at least {} fields"),
    "maxProperties": _text("must have at most {} entries"),
    "minimum": _text("must be at least {}"),
    "maximum": _text("must be at most {}"),
}
