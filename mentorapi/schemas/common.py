"""Schemas that several resources share, and functions that build schemas."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from mentorapi.schemas import examples
from mentorapi.schemas.validation import DETAIL_CODES, LANGUAGE_PATTERN, Schema
from mentorapi.transitions import TRANSITIONS, Resource

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


def query_object(required: Sequence[str] = (), /, **properties: Any) -> dict[str, Any]:
    """An object with these fields, and perhaps others."""
    schema = {"type": "object", "properties": properties}
    return schema | ({"required": [*required]} if required else {})


def closed_object(name: str, required: Sequence[str] = (), /, **properties: Any) -> dict[str, Any]:
    """A named object with these fields and no others."""
    return component(name, query_object(required, **properties) | {"additionalProperties": False})


def response_object(name: str, /, **properties: Any) -> dict[str, Any]:
    """A named object of a response: all of these fields, always."""
    return closed_object(name, [*properties], **properties)


def pick(schema: Schema, names: str) -> dict[str, Any]:
    """The fields of an object that have these names, which blanks separate."""
    return {name: schema["properties"][name] for name in names.split()}


def array_of(items: Schema, max_items: int | None = None) -> dict[str, Any]:
    return {"type": "array", "items": items} | ({"maxItems": max_items} if max_items else {})


def nullable(schema: Schema) -> dict[str, Any]:
    """Accept null as well."""
    return {**schema, "type": [schema["type"], "null"]}


def choice(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


def integer(minimum: int, maximum: int, **more: Any) -> dict[str, Any]:
    return {"type": "integer", "minimum": minimum, "maximum": maximum} | more


def multiline(max_length: int) -> dict[str, Any]:
    """A text that may be empty."""
    return {"type": "string", "maxLength": max_length}


_CONTROL = r"\u0000-\u001f\u007f-\u009f"


def line(max_length: int) -> dict[str, Any]:
    """One line that may be empty."""
    return multiline(max_length) | {"pattern": rf"^[^{_CONTROL}]*$", "x-line": "any"}


def visible_line(max_length: int) -> dict[str, Any]:
    """One line of 1 to ``max_length`` characters, at least one of them visible.

    A client can check the pattern; ``x-line`` knows all invisible characters.
    """
    pattern = rf"^[^{_CONTROL}]*[^\s{_CONTROL}][^{_CONTROL}]*$"
    return multiline(max_length) | {"pattern": pattern, "x-line": "visible"}


def with_example(schema: Schema, example: Any, description: str = "") -> dict[str, Any]:
    """Add an example. The example of a body or a response consists of those of its fields."""
    described = {"description": description} if description else {}
    return {**schema, **described, "examples": [example]}


TEXT = {"type": "string"}
COUNT = {"type": "integer", "minimum": 0}

# Each takes an example, and perhaps a description.
text = partial(with_example, TEXT)
nullable_text = partial(with_example, nullable(TEXT))
uuid = partial(with_example, {"type": "string", "format": "uuid"})
count = partial(with_example, COUNT)
boolean = partial(with_example, {"type": "boolean"})
instant = partial(with_example, {"type": "string", "format": "date-time"})

MENTOR_ID = uuid(examples.MENTOR_ID, "A mentor's profile id, not the user's.")
# x-empty: an empty text is read as null.
URL = {"type": "string", "format": "uri", "maxLength": 2048, "x-empty": "null"}
#: A place or a link.
LOCATION = line(200) | {"not": SCRIPT_LINK, "x-empty": "null"}
LANGUAGE = {
    "type": "string",
    "maxLength": 35,
    "pattern": LANGUAGE_PATTERN,
    "x-format": "bcp-47",
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
INSTANT = instant("2026-02-08T09:30:00Z")
SESSION_START = instant(f"{examples.MONDAY}T09:00:00Z")
SESSION_END = instant(f"{examples.MONDAY}T10:00:00Z")
TIMEZONE = text("WAT", "A label to show; all dates and times are UTC.")
DURATION = with_example(integer(15, 180), 60, "Minutes.")
SESSION_DURATION = with_example({"type": "integer", "enum": [30, 60, 90, 120]}, 60, "Minutes.")
BUFFER_TIME = with_example(
    {"type": "integer", "enum": [0, 15, 30, 45]}, 15, "Minutes kept free between two sessions."
)
MEETING_LINK = nullable_text("https://meet.example.com/amara-okafor")
REASON = multiline(500)

# Not `multipleOf`: most validators divide doubles, and then refuse 19.99 for a step of 0.01.
RATE = {
    "type": "number",
    "description": "What a session costs, in `sessionCurrency`. Two decimals at most.",
    "examples": [25000],
    "minimum": 0,
    "maximum": 9_999_999_999,
    "x-decimals": 2,
}
CURRENCY = {
    "type": "string",
    "pattern": "^[A-Z]{3}$",
    "x-format": "iso-4217",
    "x-message": "must be an ISO 4217 code, such as NGN or USD",
    "description": "An ISO 4217 code.",
    "examples": ["NGN"],
}

MENTOR = response_object(
    "MentorSummary",
    id=MENTOR_ID,
    userId=text(examples.MENTOR_USER, "The `sub` of the user's token."),
    name=nullable_text("Amara Okafor"),
    avatar=nullable_text("https://example.com/avatars/amara.png"),
)
MENTEE = response_object(
    "Mentee",
    id=text(examples.MENTEE_USER, "The `sub` of the user's token."),
    name=nullable_text("Jonas Lindqvist"),
    avatar=nullable_text(None),
)


def status_of(resource: Resource) -> dict[str, Any]:
    """The states of a resource: what each means, and the actions that lead out of it."""
    lines = []
    for state, meaning in resource.states.items():
        actions = ", ".join(
            f"{one.action} ({' or '.join(one.by)})"
            for one in TRANSITIONS
            if one.resource is resource and state in one.states
        )
        lines.append(f"- `{state}`: {meaning}. Next: {actions or 'nothing'}.")
    states = choice(*resource.states) | {"description": "\n".join(lines)}
    return component(f"{resource.name.capitalize()}Status", states)


# Parts of operations, for ``Operation(..., **…)``.

#: An action that needs no body, and takes an empty object.
NO_INPUT: dict[str, Any] = {"body": closed_object("EmptyBody"), "body_optional": True}


def paging_parameters(default: int, most: int) -> dict[str, Any]:
    limit = integer(1, most, default=default)
    return {
        "page": integer(1, 1_000_000_000, default=1, description="Which page, from 1."),
        "limit": with_example(limit, min(default, 20), "How many to a page."),
    }


#: For plain arrays: all entries, up to 1000, unless the client asks for less.
ARRAY_PAGING = paging_parameters(1000, 1000)


def list_of(items: Schema, required: Sequence[str] = (), /, **parameters: Any) -> dict[str, Any]:
    """The query and the response of an operation that lists these items as a plain array."""
    query = query_object(required, **parameters, **ARRAY_PAGING)
    return {"query": query, "response": array_of(items)}


ERROR = closed_object(
    "ApiError",
    ["statusCode", "message", "error"],
    statusCode=with_example({"type": "integer"}, 400),
    message={"type": "string", "minLength": 1, "examples": ["Validation failed"]},
    error=text("Bad Request", "The name of the status."),
    details={
        "type": "array",
        "description": "What is wrong with the input. Only a failed validation has it.",
        "maxItems": 50,
        "items": response_object(
            "ErrorDetail",
            field=text("slots.0.startTime", "A path in the body, a parameter or a header."),
            code=with_example(
                component("DetailCode", choice(*DETAIL_CODES)),
                "format",
                "For programs. The field "
                + "; ".join(f"`{code}`: {says}" for code, says in DETAIL_CODES.items())
                + ".",
            ),
            message=text("must be a time of day, HH:mm"),
        ),
    },
)
