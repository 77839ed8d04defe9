"""Schemas that several resources share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mentorapi.schemas.validation import Schema

HOURS = "^([01][0-9]|2[0-3]):[0-5][0-9]$"


def fields(properties: dict[str, Any], required: Sequence[str] = ()) -> dict[str, Any]:
    """An object with these fields and no others."""
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return schema | ({"required": list(required)} if required else {})


def shape(properties: dict[str, Any]) -> dict[str, Any]:
    """An object of a response: all of these fields, always."""
    return fields(properties, list(properties))


def text(most: int, **more: Any) -> dict[str, Any]:
    """A text of 1 to ``most`` characters, not all of them blank."""
    return {
        "type": "string",
        "minLength": 1,
        "maxLength": most,
        "pattern": r"\S",
        "x-message": "must not be blank",
    } | more


def free_text(most: int) -> dict[str, Any]:
    """A text that may be empty."""
    return {"type": "string", "maxLength": most}


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
USER_ID = {"type": "string"}
INSTANT = {"type": "string", "format": "date-time"}
URL = {"type": "string", "format": "uri", "maxLength": 2048}
COUNT = {"type": "integer", "minimum": 0}
RATE = {
    "type": "number",
    "minimum": 0,
    "maximum": 9_999_999_999.99,
    "multipleOf": 0.01,
}
CURRENCY = {
    "type": "string",
    "pattern": "^[A-Z]{3}$",
    "x-message": "must be an ISO 4217 code, such as NGN or USD",
}
DATE = {"type": "string", "format": "date"}
TIME = {"type": "string", "pattern": HOURS, "x-message": "must be a time of day, HH:mm"}
#: A window may end with the day.
END_TIME = {
    "type": "string",
    "pattern": "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$",
    "x-message": "must be a time of day, HH:mm, or 24:00",
}
DURATION = {"type": "integer", "minimum": 15, "maximum": 180}
SESSION_DURATION = {"type": "integer", "enum": [30, 60, 90, 120]}
BUFFER_TIME = {"type": "integer", "enum": [0, 15, 30, 45]}
REASON = free_text(500)

MENTOR = shape({"id": ID, "userId": USER_ID, "name": NULLABLE_TEXT, "avatar": NULLABLE_TEXT})
MENTEE = shape({"id": USER_ID, "name": NULLABLE_TEXT, "avatar": NULLABLE_TEXT})

PAGE = {"type": "integer", "minimum": 1, "maximum": 1_000_000_000, "default": 1}


def paging(default: int, most: int) -> dict[str, Any]:
    return {
        "page": PAGE,
        "limit": {"type": "integer", "minimum": 1, "maximum": most, "default": default},
    }


def query(properties: dict[str, Any], required: Sequence[str] = ()) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties}
    return schema | ({"required": list(required)} if required else {})


#: Plain arrays: everything, unless the client pages.
ARRAY_PAGING = paging(1000, 1000)
#: {data, meta}.
META_PAGING = paging(10, 50)

META = shape({"total": COUNT, "page": COUNT, "limit": COUNT, "totalPages": COUNT})
