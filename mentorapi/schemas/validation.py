"""Validation by JSON Schema, with messages for people.

Four rules are stricter in Python than in the jsonschema library: a pattern's ``$`` matches only at
the end (not before a final newline), an integer is an ``int``, formats are checked, and multiples
of a decimal are exact.

Validation runs on the event loop, so it stops early: the contents of a list, an object or a text
that is too large are not checked, and at most `MAX_DETAILS` findings are collected.
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

#: Findings in one answer, as in `errors.MAX_DETAILS`.
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
    """A date-time of RFC 3339, with an offset; its year in UTC has four digits."""
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

#: Invisible letters and symbols: Hangul fillers, the empty Braille cell, the null notehead.
_BLANK_SYMBOLS = frozenset("\u115f\u1160\u3164\uffa0\u2800\U0001d159")

#: Unicode categories: control, format, surrogate; separators; marks, which need a letter before
#: them. Not Cn (unassigned): a new emoji is unassigned in an older Python.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zs", "Zl", "Zp", "Mn", "Me"})


def is_visible(text: str) -> bool:
    """Whether at least one character is visible."""
    return any(
        unicodedata.category(character) not in _INVISIBLE
        and character not in _BLANK_SYMBOLS
        # Reserved as invisible, though most are unassigned.
        and not "\U000e0000" <= character <= "\U000e0fff"
        for character in text
    )


def _line(validator: Any, kind: str, value: Any, schema: Schema) -> Iterable[ValidationError]:
    """Our own keyword ``x-line``: a text of one line, ``visible`` or ``any``."""
    if not isinstance(value, str) or _is_too_large(value, schema):
        return
    if kind == "visible" and not is_visible(value):
        yield ValidationError("is blank", validator="blank")
    elif _CONTROL.search(value):
        yield ValidationError("has control characters", validator="control_character")


def _is_too_large(value: object, schema: Schema) -> bool:
    """Whether a value has more entries or characters than its schema allows.

    The contents of such a value are not checked: it may be a thousand times too large.
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
    maximum: int | None = schema.get(keyword)
    return maximum is not None and len(value) > maximum


def _pattern(validator: Any, pattern: str, value: Any, schema: Schema) -> Iterable[ValidationError]:
    # If there is an x-line, its message is more exact.
    if "x-line" in schema:
        return
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
    # Not a `format`, since a strict validator refuses formats that it does not know. `pattern`
    # reports a value of another form.
    if isinstance(value, str) and re.fullmatch("[A-Z]{3}", value) and value not in CURRENCIES:
        yield ValidationError("is not a currency")


def _multiple_of(
    validator: Any, step: float, value: Any, schema: Schema
) -> Iterable[ValidationError]:
    # `maximum` reports numbers that are too large.
    is_number = validator.is_type(value, "number") and abs(value) < 10**15
    if is_number and Decimal(str(value)) % Decimal(str(step)):
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
        # One error for all of them; `_details` lists them.
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
        for index in range(len(value)):
            yield from _errors_within(items, value, index)


def _type(
    validator: Any, types: str | list[str], value: object, schema: Schema
) -> Iterable[ValidationError]:
    # Replaces the library's keyword, whose message quotes the whole value.
    if not any(validator.is_type(value, name) for name in _list(types)):
        yield ValidationError("has another type")


def _errors_within(schema: Schema, value: Any, step: str | int) -> Iterable[ValidationError]:
    # The library creates a validator for each level of each value, which takes most of its time.
    _, validator = _validators.get(id(schema)) or _keep_validator(schema)
    for error in validator.iter_errors(value[step]):
        error.path.appendleft(step)
        yield error


#: By the schema's id. The schema is kept, too, so that no other object gets its id.
_validators: dict[int, tuple[Schema, Any]] = {}


def _keep_validator(schema: Schema) -> tuple[Schema, Any]:
    kept = _validators[id(schema)] = schema, Validator(schema, format_checker=formats)
    return kept


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
    """The findings in a value, as ``{"field", "code", "message"}``: the first `MAX_DETAILS`."""
    found = sorted(
        islice(validator.iter_errors(value), MAX_DETAILS),
        key=lambda error: [str(step) for step in error.path],
    )
    # A value of the wrong type, or outside an enum, breaks other keywords as a consequence.
    decisive = {
        tuple(error.path): error.validator
        for keyword in ("type", "enum")
        for error in found
        if error.validator == keyword
    }
    details = (
        detail
        for error in found
        if decisive.get(tuple(error.path), error.validator) == error.validator
        for detail in _details(error)
    )
    return list(islice(details, MAX_DETAILS))


def _details(error: ValidationError) -> Iterable[dict[str, str]]:
    path = [str(step) for step in error.absolute_path]
    # One detail for each field, though the library reports an object once.
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        # The library raises one error for each missing field; its name is in the message only.
        name = re.match(r"'(.*)' is a required property", error.message, re.DOTALL)
        for field in missing if name is None else [name[1]]:
            yield entry([*path, field], "required", "is required")
    elif error.validator == "additionalProperties" and error.validator_value is False:
        unknown = error.instance.keys() - error.schema.get("properties", {}).keys()
        for field in nsmallest(MAX_DETAILS, unknown):
            yield entry([*path, field], "unknown_field", "is not a known field")
    else:
        code, message = _FINDINGS.get(str(error.validator), ("invalid", error.message))
        if isinstance(message, str):
            message = message.replace("{}", str(error.validator_value))
        else:
            message = message(error)
        yield entry(path, code, message)


def entry(path: Sequence[str], code: str, message: str) -> dict[str, str]:
    """One of the ``details`` of a failed validation."""
    return {"field": ".".join(path), "code": code, "message": message}


def _list(types: str | list[str]) -> list[str]:
    return [types] if isinstance(types, str) else types


#: The values of ``code``, and what each says about the field.
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
    return "must be " + " or ".join(_NOUNS[name] for name in _list(error.validator_value))


def _enum_message(error: ValidationError) -> str:
    return "must be one of " + ", ".join(map(str, error.validator_value))


def _schema_message(error: ValidationError) -> str:
    return str(error.schema.get("x-message", error.message))


#: Code and message by JSON Schema's keyword. A message is a function, or a text with {} for the
#: keyword's value.
_FINDINGS: dict[str, tuple[str, str | Callable[[ValidationError], str]]] = {
    "type": ("type", _type_message),
    "enum": ("not_allowed", _enum_message),
    "const": ("not_allowed", "must be {}"),
    "format": ("format", lambda error: _FORMATS[error.validator_value]),
    "pattern": ("format", _schema_message),
    "x-iso-4217": ("format", _schema_message),
    "not": ("invalid", lambda error: str(error.validator_value["x-message"])),
    "blank": ("blank", "must not be blank"),
    "control_character": ("control_character", "must not contain control characters"),
    "minLength": ("too_short", "must not be empty"),
    "maxLength": ("too_long", "must be at most {} characters long"),
    "minItems": ("too_few", "must have at least {} entries"),
    "maxItems": ("too_many", "must have at most {} entries"),
    "minProperties": ("too_few", "must have at least {} fields"),
    "maxProperties": ("too_many", "must have at most {} entries"),
    "minimum": ("out_of_range", "must be at least {}"),
    "maximum": ("out_of_range", "must be at most {}"),
    "multipleOf": ("out_of_range", "must be a multiple of {}"),
}
