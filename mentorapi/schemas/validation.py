"""Validation by JSON Schema, with messages for people.

Four rules are stricter than in the jsonschema library: a pattern's ``$`` matches only at the end
(not before a final newline), an integer is an ``int``, formats are checked, and multiples of a
decimal are exact.

Validation runs on the event loop, so it stops early: the contents of a list, an object or a text
that is too large are not checked, and at most `MAX_DETAILS` findings are collected.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from heapq import nsmallest
from itertools import islice
from operator import itemgetter
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from mentorapi.errors import MAX_DETAILS

Schema = Mapping[str, Any]
Details = list[dict[str, str]]

formats = FormatChecker(formats=())

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
#: Of BCP 47: language, extended language, script, region, variants. Extensions and private tags are
#: for programs.
LANGUAGE_PATTERN = (
    "^[A-Za-z]{2,3}(-[A-Za-z]{3})?(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?"
    "(-([0-9A-Za-z]{5,8}|[0-9][0-9A-Za-z]{3}))*$"
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


@cache
def _registered() -> frozenset[str]:
    """Numbers of regions as ``-419``; extended languages after their languages as ``zh-yue``."""
    from langcodes.registry_parser import parse_registry

    return frozenset(
        f"{prefix}-{entry['Subtag']}"
        for entry in parse_registry()
        if entry["Type"] in ("extlang", "region")
        for prefix in entry.get("Prefix", [""])
    )


@formats.checks("bcp-47")
def is_language(value: object) -> bool:
    """A tag of BCP 47 that is made of registered parts."""
    if not isinstance(value, str):
        return True
    # Importing it takes 40 ms, which a start does not need.
    import langcodes

    if not _exact(LANGUAGE_PATTERN).match(value) or not langcodes.tag_is_valid(value):
        return False
    # langcodes accepts all numbers of regions, and extended languages after any language.
    language, *others = value.lower().split("-")
    for part in others:
        prefix = "" if part.isdecimal() else language
        if len(part) == 3 and f"{prefix}-{part}" not in _registered():
            return False
    return True


def canonical_language(tag: str) -> str:
    """Return a tag of BCP 47 as the registry writes it: ``pt-BR`` for ``PT-br``.

    An extended language replaces its language: ``yue`` for ``zh-yue``.
    """
    import langcodes

    return str(langcodes.standardize_tag(re.sub("^[A-Za-z]+-(?=[A-Za-z]{3}(-|$))", "", tag)))


@formats.checks("iso-4217")
def _is_currency(value: object) -> bool:
    return not isinstance(value, str) or value in CURRENCIES


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


#: Levels of lists and objects in a body, a token or a key set. Python's own limit differs by
#: version: a thousand levels in 3.11, many more in 3.13.
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
        # Reserved for invisible characters, though most are unassigned.
        and not "\U000e0000" <= character <= "\U000e0fff"
        for character in text
    )


#: Takes the validator, the keyword's value, the value to check, and its schema.
Keyword: TypeAlias = Callable[[Any, Any, Any, Schema], Iterable[ValidationError] | None]

_SIZES: dict[type, str] = {str: "maxLength", list: "maxItems", dict: "maxProperties"}


def _unless_too_large(keyword: Keyword) -> Keyword:
    """Skip values that are larger than the schema allows: they may be a thousand times as large."""

    def check(
        validator: Any, wanted: Any, value: Any, schema: Schema
    ) -> Iterable[ValidationError] | None:
        size = schema.get(_SIZES.get(type(value), ""))
        if size is not None and len(value) > size:
            return None
        return keyword(validator, wanted, value, schema)

    return check


#: The validators of fields and entries, by the id of their schema. A validator refers to its
#: schema, so no other object gets this id.
_parts: dict[int, Any] = {}


def _check_part(
    validator: Any, name: str | int, value: Any, schema: Schema
) -> Iterable[ValidationError]:
    """Check a field or an entry, as the library does, but without a new validator each time."""
    part = _parts.get(id(schema))
    if part is None:
        part = _parts[id(schema)] = validator.evolve(schema=schema)
    for error in part.iter_errors(value):
        error.path.appendleft(name)
        yield error


def _properties(
    validator: Any, fields: Mapping[str, Schema], value: Any, _: Schema
) -> Iterable[ValidationError]:
    if isinstance(value, dict):
        for name, schema in fields.items():
            if name in value:
                yield from _check_part(validator, name, value[name], schema)


def _items(validator: Any, schema: Schema, value: Any, _: Schema) -> Iterable[ValidationError]:
    if isinstance(value, list):
        for place, entry in enumerate(value):
            yield from _check_part(validator, place, entry, schema)


def _required(_: Any, names: list[str], value: Any, schema: Schema) -> Iterable[ValidationError]:
    # The library names the field in the message only.
    if isinstance(value, dict):
        for name in names:
            if name not in value:
                yield ValidationError("is missing", path=[name])


def _dependent_required(
    validator: Any, names: Mapping[str, list[str]], value: Any, schema: Schema
) -> Iterable[ValidationError]:
    for given in names.keys() & value:
        yield from _required(validator, names[given], value, schema)


_library = Draft202012Validator.VALIDATORS


def _additional_properties(
    validator: Any, inner: Any, value: Any, schema: Schema
) -> Iterable[ValidationError]:
    if inner is not False:
        yield from _library["additionalProperties"](validator, inner, value, schema)
    elif isinstance(value, dict):
        for name in nsmallest(MAX_DETAILS, value.keys() - schema.get("properties", {}).keys()):
            yield ValidationError("is unknown", path=[name], validator="unknown")


def _line(_: Any, kind: str, value: Any, schema: Schema) -> Iterable[ValidationError]:
    """Our own keyword ``x-line``: a text of one line, ``visible`` or ``any``."""
    if isinstance(value, str):
        if kind == "visible" and not is_visible(value):
            yield ValidationError("is blank", validator="blank")
        elif _CONTROL.search(value):
            yield ValidationError("has control characters", validator="control_character")


def _pattern(_: Any, pattern: str, value: Any, schema: Schema) -> Iterable[ValidationError]:
    # x-line and x-format check more than the pattern, and x-line has a more exact message.
    is_covered = "x-line" in schema or "x-format" in schema
    if isinstance(value, str) and not is_covered and not _exact(pattern).search(value):
        yield ValidationError("has the wrong form")


@cache
def _exact(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\$$", r"\\Z", pattern))


def _decimals(validator: Any, most: int, value: Any, schema: Schema) -> Iterable[ValidationError]:
    """Our own keyword ``x-decimals``: how many a number may have."""
    # `maximum` reports numbers that are too large.
    is_number = validator.is_type(value, "number") and abs(value) < 10**15
    if is_number and Decimal(str(value)) % Decimal(10) ** -most:
        yield ValidationError("has too many decimals")


_CONTENTS = {
    "additionalProperties": _additional_properties,
    "format": _library["format"],
    "items": _items,
    "pattern": _pattern,
    "properties": _properties,
    "propertyNames": _library["propertyNames"],
    # For formats of our own: a strict validator refuses a `format` that it does not know.
    "x-format": _library["format"],
    "x-line": _line,
}

Validator = extend(
    Draft202012Validator,
    validators={name: _unless_too_large(keyword) for name, keyword in _CONTENTS.items()}
    | {"dependentRequired": _dependent_required, "required": _required, "x-decimals": _decimals},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)


def validator_of(schema: Schema) -> Any:
    Validator.check_schema(schema)
    return Validator(schema, format_checker=formats)


def details_of(validator: Any, value: object) -> Details:
    """The findings in a value, as ``{"field", "code", "message"}``: the first `MAX_DETAILS`."""
    found = list(islice(validator.iter_errors(value), MAX_DETAILS))
    # A value of the wrong type, or outside an enum, breaks other keywords as a consequence.
    decisive = {
        tuple(error.path): error.validator for error in found if error.validator in ("type", "enum")
    }
    details = [
        entry(map(str, error.path), *_code_and_message(error))
        for error in found
        if decisive.get(tuple(error.path), error.validator) == error.validator
    ]
    return sorted(details, key=itemgetter("field"))


def entry(path: Iterable[str], code: str, message: str) -> dict[str, str]:
    """One of the ``details`` of a failed validation."""
    return {"field": ".".join(path), "code": code, "message": message}


def check_whole_minutes(times: Mapping[str, datetime]) -> Details:
    return [
        entry([name], "format", "must be a whole minute")
        for name, time in times.items()
        if time.second or time.microsecond
    ]


#: The values of ``code``, and what each says about the field.
DETAIL_CODES = {
    "required": "is missing",
    "unknown_field": "is not a field of this body",
    "type": "is of another JSON type",
    "not_allowed": "is none of the listed values",
    "format": "is not written as a date, a time, an instant, a URL, a currency or a language is",
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

#: Code and message by JSON Schema's keyword, with {} for the keyword's value.
_FINDINGS = {
    "required": ("required", "is required"),
    "dependentRequired": ("required", "is required"),
    "unknown": ("unknown_field", "is not a known field"),
    "type": ("type", "must be {}"),
    "enum": ("not_allowed", "must be one of {}"),
    "format": ("format", "{}"),
    "pattern": ("format", "{}"),
    "x-format": ("format", "{}"),
    "not": ("invalid", "{}"),
    "blank": ("blank", "must not be blank"),
    "control_character": ("control_character", "must not contain control characters"),
    "minLength": ("too_short", "must not be empty"),
    "maxLength": ("too_long", "must be at most {} characters long"),
    "minItems": ("too_few", "must have at least {} entries"),
    "maxItems": ("too_many", "must have at most {} entries"),
    "maxProperties": ("too_many", "must have at most {} entries"),
    "minimum": ("out_of_range", "must be at least {}"),
    "maximum": ("out_of_range", "must be at most {}"),
    "x-decimals": ("out_of_range", "must have at most {} decimals"),
}


def _code_and_message(error: ValidationError) -> tuple[str, str]:
    code, message = _FINDINGS.get(error.validator, ("invalid", error.message))
    wanted = error.validator_value
    match error.validator:
        case "type":
            names = [wanted] if isinstance(wanted, str) else wanted
            wanted = " or ".join(_NOUNS[name] for name in names)
        case "enum":
            wanted = ", ".join(map(str, wanted))
        case "format":
            wanted = _FORMATS[wanted]
        case "pattern" | "x-format":
            wanted = error.schema.get("x-message", error.message)
        case "not":
            wanted = wanted["x-message"]
    return code, message.replace("{}", str(wanted))
