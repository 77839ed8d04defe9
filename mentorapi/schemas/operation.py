"""An operation of the API: what it is called with, what it answers with."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, TypeAlias

from mentorapi.schemas.validation import Details, Schema, details_of, validator_of

#: The known parameters of a query string, each with all of its values.
Texts: TypeAlias = tuple[tuple[str, tuple[str, ...]], ...]

DEFAULT_MAX_BODY = 64 * 1024


@dataclass(frozen=True, eq=False)
class Operation:
    """``body`` and ``query`` are JSON Schemas of objects; without ``body`` none is looked at.

    ``response`` describes the answer to success, whose code is ``status``. ``name`` is what clients
    call the operation by.
    """

    name: str
    summary: str
    response: Schema
    media_type: str = "application/json"
    description: str = ""
    status: int = 200
    public: bool = False
    #: For public reads that change with a release only: how long a cache need not ask again. All
    #: others are asked for again each time, with their ETag: a browser that has saved reads what it
    #: saved.
    cache_seconds: int = 0
    query: Schema | None = None
    body: Schema | None = None
    body_optional: bool = False
    #: Bytes. Enough for the largest body that the schema admits, with every character escaped.
    max_body: int = DEFAULT_MAX_BODY
    #: In its body (RFC 7396) null clears a field. In all other bodies null for an optional field
    #: means the same as leaving it out.
    merge_patch: bool = False
    #: The parts of a multipart/form-data body, which the handler reads itself.
    form: Schema | None = None
    #: In which the answer's example differs from the examples of its schema.
    example: Mapping[str, Any] = field(default_factory=dict)
    #: Whether it is part of the API, or just helps to read about it.
    described: bool = True

    @cached_property
    def cache_control(self) -> str:
        if not self.public:
            return "no-store"
        return f"public, max-age={self.cache_seconds}" if self.cache_seconds else "public, no-cache"

    @cached_property
    def _body_validator(self) -> Any:
        return validator_of(self.body or {})

    @cached_property
    def _query_validator(self) -> Any:
        return validator_of(self.query or {})

    @cached_property
    def accepted_body(self) -> Schema | None:
        """The body as clients may send it: with null for optional fields."""
        if self.body is None or self.merge_patch:
            return self.body
        return accept_nulls(self.body)

    def normalize_body(self, value: Any) -> Any:
        """The body as ``body`` describes it: without what means the same as a field left out.

        An empty text for a URL, or where the schema says so, means null.
        """
        return normalize(self.body or {}, value, drop_nulls=not self.merge_patch)

    def check_body(self, value: object) -> Details:
        return details_of(self._body_validator, value)

    def read_query(self, arguments: Mapping[str, Sequence[str]]) -> tuple[dict[str, Any], Details]:
        """The known parameters, typed as their schemas say, with defaults; and what is wrong.

        Unknown ones are ignored. A parameter whose schema is an array may be repeated.
        """
        if self.query is None:
            return {}, []
        texts = [
            (name, tuple(arguments[name])) for name in self.query["properties"] if name in arguments
        ]
        values, details = self._read_query(tuple(texts))
        return dict(values), list(details)

    @cached_property
    def _read_query(self) -> Callable[[Texts], tuple[Any, Any]]:
        properties = (self.query or {})["properties"]
        defaults = {
            name: schema["default"] for name, schema in properties.items() if "default" in schema
        }

        # Clients ask the same few things over and over.
        @lru_cache(maxsize=256)
        def read(texts: Texts) -> tuple[dict[str, Any], Details]:
            values = {name: read_values(properties[name], given) for name, given in texts}
            return defaults | values, details_of(self._query_validator, values)

        return read


def accepts_null(schema: Schema) -> bool:
    return "null" in schema.get("type", ()) or any(map(accepts_null, schema.get("anyOf", ())))


def accept_nulls(schema: Schema) -> Schema:
    """The same schema, with null for the optional fields of its objects."""
    if "items" in schema:
        return {**schema, "items": accept_nulls(schema["items"])}
    if "properties" not in schema:
        return schema
    required = schema.get("required", ())
    fields = {name: accept_nulls(field) for name, field in schema["properties"].items()}
    optional = {name: or_null(field) for name, field in fields.items() if name not in required}
    return {**schema, "properties": fields | optional}


def or_null(schema: Schema) -> Schema:
    if accepts_null(schema):
        return schema
    if "title" in schema or "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    choices = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, **choices, "type": [schema["type"], "null"]}


def normalize(schema: Schema, value: Any, *, drop_nulls: bool) -> Any:
    """See ``Operation.normalize_body``. Leaves alone what does not fit the schema."""
    if isinstance(value, list):
        items = schema.get("items", {})
        return [normalize(items, entry, drop_nulls=drop_nulls) for entry in value]
    if not isinstance(value, dict):
        return value
    fields, required = schema.get("properties", {}), schema.get("required", ())
    others = schema.get("additionalProperties")
    normalized = {}
    for name, entry in value.items():
        field = fields.get(name, others)
        if isinstance(field, Mapping):
            droppable = drop_nulls and name in fields and name not in required
            if entry == "" and (droppable or accepts_null(field)) and is_empty_null(field):
                entry = None
            if entry is None and droppable and not accepts_null(field):
                continue
            entry = normalize(field, entry, drop_nulls=drop_nulls)
        normalized[name] = entry
    return normalized


def is_empty_null(schema: Schema) -> bool:
    return schema.get("format") == "uri" or schema.get("x-empty") == "null"


def is_repeatable(schema: Schema) -> bool:
    """Whether a query parameter with this schema may occur more than once."""
    return bool(schema.get("type") == "array")


def read_values(schema: Schema, texts: Sequence[str]) -> Any:
    if is_repeatable(schema):
        return [read_value(schema["items"], text) for text in texts]
    return read_value(schema, texts[-1])


def read_value(schema: Schema, text: str) -> Any:
    """A query parameter as the type its schema wants; left as text where it isn't one."""
    if schema["type"] == "integer" and re.fullmatch(r"-?[0-9]{1,19}", text):
        return int(text)
    if schema["type"] == "boolean" and text in ("true", "false"):
        return text == "true"
    return text
