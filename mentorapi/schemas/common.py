"""Schemas that several resources share, and functions that build schemas."""

from collections.abc import Sequence
from typing import Any

from mentorapi.schemas import examples
from mentorapi.schemas.validation import DETAIL_CODES, Schema

#: The start of all paths of the API.
PREFIX = "/api"

#: Browsers skip blanks and control characters before a scheme, and line breaks and tabs inside it.
SCRIPT_LINK = {
    # Null is not a text, so it does not match.
    "type": "string",
    "pattern": r"^[\s\u0000-\u0020\u007f-\u009f\u00ad\u200b-\u200f\u2060\ufeff]*("
    + "|".join(
        r"[\t\n\r]*".join(f"[{letter.upper()}{letter}]" for letter in scheme) + r"[\t\n\r]*:"
        for scheme in ("javascript", "data", "vbscript")
    )
    + ")",
    "x-message": "must not begin with javascript:, data: or vbscript:",
}


def component(name: str, schema: Schema) -> dict[str, Any]:
    """Give a schema the name under which the OpenAPI document lists it and refers to it."""
    return {"title": name, **schema}


def closed_object(name: str, required: Sequence[str] = (), /, **properties: Any) -> dict[str, Any]:
    """A named object with these fields and no others."""
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return component(name, schema | ({"required": [*required]} if required else {}))


def response_object(name: str, /, **properties: Any) -> dict[str, Any]:
    """A named object of a response: all of these fields, always."""
    return closed_object(name, [*properties], **properties)


def with_example(schema: Schema, example: Any, description: str = "") -> dict[str, Any]:
    """Add an example. The example of a body or an answer consists of those of its fields."""
    return {**schema, "examples": [example]} | ({"description": description} if description else {})


_CONTROL = r"\u0000-\u001f\u007f-\u009f"


def visible_line(max_length: int, **more: Any) -> dict[str, Any]:
    """One line of 1 to ``max_length`` characters, at least one of them visible.

    A client can check the pattern; ``x-line`` knows all invisible characters.
    """
    return {
        "type": "string",
        "maxLength": max_length,
        "pattern": rf"^[^{_CONTROL}]*[^\s{_CONTROL}][^{_CONTROL}]*$",
        "x-line": "visible",
    } | more


def line(max_length: int, **more: Any) -> dict[str, Any]:
    """One line that may be empty."""
    line = {
        "type": "string",
        "maxLength": max_length,
        "pattern": rf"^[^{_CONTROL}]*$",
        "x-line": "any",
    }
    return line | more


def multiline(max_length: int, **more: Any) -> dict[str, Any]:
    """A text that may be empty."""
    return {"type": "string", "maxLength": max_length} | more


def empty_is_null(schema: Schema) -> dict[str, Any]:
    """Read an empty text as null. (For URLs this is always so.)"""
    return {**schema, "x-empty": "null"}


def no_script(schema: Schema) -> dict[str, Any]:
    """Refuse a text that a browser would run if it were a link."""
    return {**schema, "not": SCRIPT_LINK}


def nullable(schema: Schema) -> dict[str, Any]:
    """Accept null as well."""
    return {**schema, "type": [schema["type"], "null"]}


def choice(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


def array_of(schema: Schema) -> dict[str, Any]:
    return {"type": "array", "items": schema}


def integer(minimum: int, maximum: int, **more: Any) -> dict[str, Any]:
    return {"type": "integer", "minimum": minimum, "maximum": maximum} | more


TEXT = {"type": "string"}
NULLABLE_TEXT = {"type": ["string", "null"]}
ID = {"type": "string", "format": "uuid"}
MENTOR_ID = with_example(ID, examples.MENTOR_ID, "A mentor's profile id, not the user's.")
USER_ID = {"type": "string", "description": "The `sub` of the user's token."}
MENTOR_USER_ID = with_example(USER_ID, examples.MENTOR_USER)
MENTEE_USER_ID = with_example(USER_ID, examples.MENTEE_USER)
INSTANT = with_example({"type": "string", "format": "date-time"}, "2026-02-08T09:30:00Z")
SESSION_START = with_example(INSTANT, f"{examples.MONDAY}T09:00:00Z")
SESSION_END = with_example(INSTANT, f"{examples.MONDAY}T10:00:00Z")
URL = {"type": "string", "format": "uri", "maxLength": 2048}
COUNT = {"type": "integer", "minimum": 0}
RATE = {
    "type": "number",
    "description": "What a session costs, in `sessionCurrency`.",
    "examples": [25000],
    "minimum": 0,
    "maximum": 9_999_999_999,
    "multipleOf": 0.01,
}
CURRENCY = {
    "type": "string",
    "pattern": "^[A-Z]{3}$",
    "x-registry": "iso-4217",
    "x-message": "must be an ISO 4217 code, such as NGN or USD",
    "description": "An ISO 4217 code.",
    "examples": ["NGN"],
}
LANGUAGE = {
    "type": "string",
    "maxLength": 35,
    # Language, extended language, script, region, variants. Extensions and private tags are
    # for programs.
    "pattern": "^[A-Za-z]{2,3}(-[A-Za-z]{3})?(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?"
    "(-([0-9A-Za-z]{5,8}|[0-9][0-9A-Za-z]{3}))*$",
    "x-registry": "bcp-47",
    "x-message": "must be a BCP 47 tag, such as en or pt-BR",
    "examples": ["en"],
}
DATE = with_example({"type": "string", "format": "date"}, examples.MONDAY, "A day in UTC.")
TIME = {
    "type": "string",
    "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$",
    "x-message": "must be a time of day, HH:mm",
    "description": "HH:mm, in UTC.",
    "examples": ["09:00"],
}
#: A window may end at midnight.
END_TIME = {
    "type": "string",
    "pattern": "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$",
    "x-message": "must be a time of day, HH:mm, or 24:00",
    "description": "HH:mm, in UTC; 24:00 is the end of the day.",
    "examples": ["10:00"],
}
DURATION = with_example(integer(15, 180), 60, "Minutes.")
SESSION_DURATION = with_example({"type": "integer", "enum": [30, 60, 90, 120]}, 60, "Minutes.")
BUFFER_TIME = with_example(
    {"type": "integer", "enum": [0, 15, 30, 45]}, 15, "Minutes kept free between two sessions."
)
REASON = multiline(500)
#: The body of an action without input.
EMPTY_BODY = closed_object("EmptyBody")
TIMEZONE = with_example(TEXT, "WAT", "A label to show; all dates and times are UTC.")
MEETING_LINK = with_example(NULLABLE_TEXT, "https://meet.example.com/amara-okafor")
TOPIC = with_example(TEXT, "Mock system design interview")
MESSAGE = with_example(NULLABLE_TEXT, "I interview in March and freeze at whiteboards.")

STARS = with_example(integer(1, 5), 5)
COMMENT = with_example(NULLABLE_TEXT, "Three drills and a plan. Worth every minute.")

MENTOR = response_object(
    "MentorSummary",
    id=MENTOR_ID,
    userId=MENTOR_USER_ID,
    name=with_example(NULLABLE_TEXT, "Amara Okafor"),
    avatar=with_example(NULLABLE_TEXT, "https://example.com/avatars/amara.png"),
)
MENTEE = response_object(
    "Mentee",
    id=MENTEE_USER_ID,
    name=with_example(NULLABLE_TEXT, "Jonas Lindqvist"),
    avatar=with_example(NULLABLE_TEXT, None),
)


def paging_parameters(default: int, most: int) -> dict[str, Any]:
    return {
        "page": integer(1, 1_000_000_000, default=1, description="Which page, from 1."),
        "limit": with_example(
            integer(1, most, default=default), min(default, 20), "How many to a page."
        ),
    }


def query_object(required: Sequence[str] = (), /, **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties}
    return schema | ({"required": [*required]} if required else {})


#: For plain arrays: all entries, up to 1000, unless the client asks for less.
ARRAY_PAGING = paging_parameters(1000, 1000)
#: For ``{data, meta}`` lists.
META_PAGING = paging_parameters(10, 50)

META = response_object(
    "PageMeta",
    total=with_example(COUNT, 24),
    page=with_example(COUNT, 1),
    limit=with_example(COUNT, 10),
    totalPages=with_example(COUNT, 3),
)

ERROR = closed_object(
    "ApiError",
    ["statusCode", "message", "error"],
    statusCode=with_example({"type": "integer"}, 400),
    message={"type": "string", "minLength": 1, "examples": ["Validation failed"]},
    error=with_example(TEXT, "Bad Request", "The name of the status."),
    details={
        "type": "array",
        "description": "What is wrong with the input. Only a failed validation has it.",
        "maxItems": 50,
        "items": response_object(
            "ErrorDetail",
            field=with_example(
                TEXT,
                "slots.0.startTime",
                "A path in the body, a parameter or a header.",
            ),
            code=with_example(
                component("DetailCode", choice(*DETAIL_CODES)),
                "format",
                "For programs. The field "
                + "; ".join(f"`{c}`: {says}" for c, says in DETAIL_CODES.items())
                + ".",
            ),
            message=with_example(TEXT, "must be a time of day, HH:mm"),
        ),
    },
)
