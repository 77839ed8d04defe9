"""Schemas that several resources share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mentorapi.schemas import examples
from mentorapi.schemas.validation import DETAIL_CODES, Schema

#: All paths of the API begin with it.
PREFIX = "/api"

#: Browsers skip blanks and control characters before a scheme, and line breaks and tabs within it.
SCRIPT_LINK = {
    # Null is no text, and no link either.
    "type": "string",
    "pattern": r"^[\s\u0000-\u0020\u007f-\u009f\u00ad\u200b-\u200f\u2060\ufeff]*("
    + "|".join(
        r"[\t\n\r]*".join(f"[{letter.upper()}{letter}]" for letter in scheme) + r"[\t\n\r]*:"
        for scheme in ("javascript", "data", "vbscript")
    )
    + ")",
    "x-message": "must not begin with javascript:, data: or vbscript:",
}

HOURS = "^([01][0-9]|2[0-3]):[0-5][0-9]$"


def fields(properties: dict[str, Any], required: Sequence[str] = ()) -> dict[str, Any]:
    """An object with these fields and no others."""
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return schema | ({"required": list(required)} if required else {})


def shape(properties: dict[str, Any]) -> dict[str, Any]:
    """An object of a response: all of these fields, always."""
    return fields(properties, list(properties))


def named(name: str, schema: Schema) -> dict[str, Any]:
    """A schema that the description lists under this name, and refers to wherever it occurs."""
    return {"title": name, **schema}


def such_as(schema: Schema, example: Any, description: str = "") -> dict[str, Any]:
    """The same, with an example, of which those of whole bodies and answers are made."""
    return {**schema, "examples": [example]} | ({"description": description} if description else {})


_CONTROL = r"\u0000-\u001f\u007f-\u009f"


def text(most: int, **more: Any) -> dict[str, Any]:
    """One line of 1 to ``most`` characters, at least one of them visible.

    The pattern is what a client can check; ``x-line`` knows all characters that are invisible.
    """
    return {
        "type": "string",
        "maxLength": most,
        "pattern": rf"^[^{_CONTROL}]*[^\s{_CONTROL}][^{_CONTROL}]*$",
        "x-line": "visible",
    } | more


def free_line(most: int, **more: Any) -> dict[str, Any]:
    """One line that may be empty."""
    line = {"type": "string", "maxLength": most, "pattern": rf"^[^{_CONTROL}]*$", "x-line": "any"}
    return line | more


def free_text(most: int, **more: Any) -> dict[str, Any]:
    """A text that may be empty."""
    return {"type": "string", "maxLength": most} | more


def empty_is_null(schema: Schema) -> dict[str, Any]:
    """The same, where an empty text means null. (URLs are read like that anyway.)"""
    return {**schema, "x-empty": "null"}


def no_script(schema: Schema) -> dict[str, Any]:
    """The same text, unless a browser that takes it for a link would run it."""
    return {**schema, "not": SCRIPT_LINK}


def optional(schema: Schema) -> dict[str, Any]:
    """The same, or null."""
    return {**schema, "type": [schema["type"], "null"]}


def choice(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


def list_of(schema: Schema) -> dict[str, Any]:
    return {"type": "array", "items": schema}


TEXT = {"type": "string"}
NULLABLE_TEXT = {"type": ["string", "null"]}
ID = {"type": "string", "format": "uuid"}
MENTOR_ID = such_as(ID, examples.MENTOR_ID, "A mentor's profile id, not the user's.")
USER_ID = {"type": "string", "description": "The `sub` of the user's token."}
MENTOR_USER_ID = such_as(USER_ID, examples.MENTOR_USER)
MENTEE_USER_ID = such_as(USER_ID, examples.MENTEE_USER)
INSTANT = {
    "type": "string",
    "format": "date-time",
    "examples": ["2026-02-08T09:30:00Z"],
}
STARTS = such_as(INSTANT, f"{examples.MONDAY}T09:00:00Z")
ENDS = such_as(INSTANT, f"{examples.MONDAY}T10:00:00Z")
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
    "x-iso-4217": True,
    "x-message": "must be an ISO 4217 code, such as NGN or USD",
    "description": "An ISO 4217 code.",
    "examples": ["NGN"],
}
DATE = {
    "type": "string",
    "format": "date",
    "description": "A day in UTC.",
    "examples": [examples.MONDAY],
}
TIME = {
    "type": "string",
    "pattern": HOURS,
    "x-message": "must be a time of day, HH:mm",
    "description": "HH:mm, in UTC.",
    "examples": ["09:00"],
}
#: A window may end with the day.
END_TIME = {
    "type": "string",
    "pattern": "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$",
    "x-message": "must be a time of day, HH:mm, or 24:00",
    "description": "HH:mm, in UTC; 24:00 is the end of the day.",
    "examples": ["10:00"],
}
DURATION = {
    "type": "integer",
    "minimum": 15,
    "maximum": 180,
    "description": "Minutes.",
    "examples": [60],
}
SESSION_DURATION = {
    "type": "integer",
    "enum": [30, 60, 90, 120],
    "description": "Minutes.",
    "examples": [60],
}
BUFFER_TIME = {
    "type": "integer",
    "enum": [0, 15, 30, 45],
    "description": "Minutes kept free between two sessions.",
    "examples": [15],
}
REASON = free_text(500)
#: The body of an action that takes none.
NOTHING = named("EmptyBody", fields({}))
TIMEZONE = such_as(TEXT, "WAT", "A label to show; all dates and times are UTC.")
MEETING_LINK = such_as(NULLABLE_TEXT, "https://meet.example.com/amara-okafor")
TOPIC = such_as(TEXT, "Mock system design interview")
MESSAGE = such_as(NULLABLE_TEXT, "I interview in March and freeze at whiteboards.")

STARS = {"type": "integer", "minimum": 1, "maximum": 5, "examples": [5]}
COMMENT = such_as(NULLABLE_TEXT, "Three drills and a plan. Worth every minute.")

MENTOR = named(
    "MentorSummary",
    shape(
        {
            "id": MENTOR_ID,
            "userId": MENTOR_USER_ID,
            "name": such_as(NULLABLE_TEXT, "Amara Okafor"),
            "avatar": such_as(NULLABLE_TEXT, "https://example.com/avatars/amara.png"),
        }
    ),
)
MENTEE = named(
    "Mentee",
    shape(
        {
            "id": MENTEE_USER_ID,
            "name": such_as(NULLABLE_TEXT, "Jonas Lindqvist"),
            "avatar": such_as(NULLABLE_TEXT, None),
        }
    ),
)

PAGE = {
    "type": "integer",
    "minimum": 1,
    "maximum": 1_000_000_000,
    "default": 1,
    "description": "Which page, from 1.",
}


def paging(default: int, most: int) -> dict[str, Any]:
    return {
        "page": PAGE,
        "limit": {
            "type": "integer",
            "minimum": 1,
            "maximum": most,
            "default": default,
            "description": "How many to a page.",
            "examples": [min(default, 20)],
        },
    }


def query(properties: dict[str, Any], required: Sequence[str] = ()) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties}
    return schema | ({"required": list(required)} if required else {})


#: Plain arrays: everything, unless the client pages.
ARRAY_PAGING = paging(1000, 1000)
#: {data, meta}.
META_PAGING = paging(10, 50)

META = named(
    "PageMeta",
    shape(
        {
            "total": such_as(COUNT, 24),
            "page": such_as(COUNT, 1),
            "limit": such_as(COUNT, 10),
            "totalPages": such_as(COUNT, 3),
        }
    ),
)

ERROR = named(
    "ApiError",
    fields(
        {
            "statusCode": such_as({"type": "integer"}, 400),
            "message": {"type": "string", "minLength": 1, "examples": ["Validation failed"]},
            "error": such_as(TEXT, "Bad Request", "The name of the status."),
            "details": {
                "type": "array",
                "description": "What is wrong with the input; of a failed validation only.",
                "maxItems": 50,
                "items": named(
                    "ErrorDetail",
                    shape(
                        {
                            "field": such_as(
                                TEXT,
                                "slots.0.startTime",
                                "Where: a path in the body, a parameter or a header.",
                            ),
                            "code": such_as(
                                named("DetailCode", choice(*DETAIL_CODES)),
                                "format",
                                "For programs. The field "
                                + "; ".join(f"`{c}`: {says}" for c, says in DETAIL_CODES.items())
                                + ".",
                            ),
                            "message": such_as(TEXT, "must be a time of day, HH:mm"),
                        }
                    ),
                ),
            },
        },
        ["statusCode", "message", "error"],
    ),
)
