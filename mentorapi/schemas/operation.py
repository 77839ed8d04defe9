"""An operation of the API: what a client sends and what it gets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mentorapi.schemas.validation import Details, Schema, details_of, validator_of


@dataclass(frozen=True, eq=False)
class Operation:
    """``body`` and ``query`` are JSON Schemas of objects. Without ``body`` no body is read.

    ``response`` describes a successful response, whose code is ``status``. ``name`` is the name of
    the function in generated clients.
    """

    name: str
    summary: str
    response: Schema
    media_type: str = "application/json"
    description: str = ""
    status: int = 200
    public: bool = False
    query: Schema | None = None
    body: Schema | None = None
    body_optional: bool = False
    #: Bytes. Enough for the largest body that the schema admits, with every character escaped.
    max_body: int = 64 * 1024
    #: The body is a merge patch (RFC 7396): null clears a field. In all other bodies null for an
    #: optional field means the same as leaving it out.
    merge_patch: bool = False
    #: Whether a write may make a cached response stale. A pending request changes none.
    affects_cache: bool = True
    #: Rules that JSON Schema cannot express, for the body, or for the query of an operation without
    #: a body. They are checked when it fits its schema.
    rules: Callable[[Any], Details] | None = None
    #: The parts of a multipart/form-data body, which the handler reads itself.
    form: Schema | None = None
    #: Fields in which the example of the response differs from the examples of its schema; of a
    #: list, all of it.
    example: Mapping[str, Any] | list[Any] = field(default_factory=dict)

    @property
    def cache_control(self) -> str:
        # A cache asks each time, with the ETag.
        return "public, no-cache" if self.public else "no-store"

    @cached_property
    def _body_validator(self) -> Any:
        return validator_of(self.body or {})

    @cached_property
    def _query_validator(self) -> Any:
        return validator_of(self.query or {})

    @cached_property
    def accepted_body(self) -> Schema | None:
        """The schema of what clients may send: null is accepted for optional fields."""
        if self.body is None or self.merge_patch:
            return self.body
        return accept_nulls(self.body)

    def normalize_body(self, value: Any) -> Any:
        """Return the body without nulls that mean the same as a field left out.

        An empty text means null where the schema has our own keyword ``x-empty``.
        """
        return normalize(self.body or {}, value, drop_nulls=not self.merge_patch)

    def check_body(self, value: object) -> Details:
        return details_of(self._body_validator, value) or self._check_rules(value)

    def check_query(self, values: object) -> Details:
        details = details_of(self._query_validator, values)
        return details or ([] if self.body else self._check_rules(values))

    def _check_rules(self, value: object) -> Details:
        return self.rules(value) if self.rules is not None else []


def accepts_null(schema: Schema) -> bool:
    return "null" in schema.get("type", ())


def accept_nulls(schema: Schema) -> Schema:
    """Accept null for the optional fields of objects."""
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
    choices = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, **choices, "type": [schema["type"], "null"]}


def normalize(schema: Schema, value: Any, *, drop_nulls: bool) -> Any:
    """See ``Operation.normalize_body``. A value that does not fit the schema stays as it is."""
    if isinstance(value, list):
        items = schema.get("items", {})
        return [normalize(items, entry, drop_nulls=drop_nulls) for entry in value]
    if not isinstance(value, dict):
        return value
    fields, required = schema.get("properties", {}), schema.get("required", ())
    normalized = {}
    for name, entry in value.items():
        field = fields.get(name) or schema.get("additionalProperties") or {}
        takes_null = accepts_null(field)
        can_drop = drop_nulls and name in fields and name not in required
        if entry == "" and "x-empty" in field and (takes_null or can_drop):
            entry = None
        if entry is not None or takes_null or not can_drop:
            normalized[name] = normalize(field, entry, drop_nulls=drop_nulls)
    return normalized
