"""The OpenAPI 3.1 document, made from the routes, the schemas, and the errors of each handler."""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeAlias

from mentorapi import errors
from mentorapi.app import ROUTES
from mentorapi.http.base import Raised
from mentorapi.schemas import common
from mentorapi.schemas.common import PREFIX
from mentorapi.schemas.operation import Operation
from mentorapi.schemas.validation import Schema

JSON = "application/json"

Json: TypeAlias = dict[str, Any]

FIXED_PARTS = Path(__file__).with_name("openapi.toml")


@cache
def document(server_url: str | None = None) -> Json:
    """Return the document. ``server_url`` is the base URL, by default relative to the document.

    Callers must not change it: every call returns the same object.
    """
    fixed = tomllib.loads(FIXED_PARTS.read_text("utf-8"))
    tags = {tag.pop("path"): tag["name"] for tag in fixed["tags"]}
    components = Components(fixed["components"])
    components.schema(common.component("ErrorCode", common.choice(*errors.CODES)))
    paths: Json = {}
    for template, handler in ROUTES:
        path = template.removeprefix(PREFIX)
        for method, spec in handler.operations().items():
            raises = getattr(handler, method.lower()).raises
            operation = OperationDescription(components, path, method, spec, raises)
            tag = tags[path.split("/")[1]]
            paths.setdefault(path, {})[method.lower()] = operation.content(tag)
    return {
        "openapi": "3.1.0",
        "info": fixed["info"] | {"version": version("mentorapi")},
        "servers": [{"url": server_url or PREFIX}],
        "security": [{"bearerAuth": []}],
        "tags": fixed["tags"],
        "paths": paths,
        "components": {kind: dict(sorted(components[kind].items())) for kind in sorted(components)},
    }


class Components(dict[str, Json]):
    """The parts that the document defines once and refers to, by their kind."""

    def refer(self, kind: str, name: str, content: Json) -> Json:
        """Define this component if it is new, and return a reference to it."""
        known = self.setdefault(kind, {}).setdefault(name, content)
        if known != content:
            raise ValueError(f"two different {kind} are called {name}")
        return reference(kind, name)

    def schema(self, schema: Any, is_response: bool = False) -> Any:
        """Replace named schemas by references, and drop our own keywords (``x-…``).

        The objects of responses are left open: a later version may add fields, and generated
        clients refuse unknown fields of closed objects.
        """
        if isinstance(schema, list):
            return [self.schema(entry, is_response) for entry in schema]
        if not isinstance(schema, Mapping):
            return schema
        content = {
            key: value
            if key in ("examples", "enum", "default")
            else self.schema(value, is_response)
            for key, value in schema.items()
            if not key.startswith("x-")
            if not (is_response and key == "additionalProperties" and value is False)
        }
        name = content.get("title")
        if not isinstance(name, str):
            return content
        del content["title"]
        return self.refer("schemas", name, content)


@dataclass
class OperationDescription:
    """An operation as an OpenAPI object."""

    components: Components
    path: str
    method: str
    spec: Operation
    raises: Sequence[Raised]

    def content(self, tag: str) -> Json:
        spec = self.spec
        responses = {str(spec.status): self.success_response()}
        if self.has_etag:
            responses["304"] = reference("responses", "NotModified")
        found = {
            "operationId": spec.name,
            "tags": [tag],
            "summary": spec.summary,
            "description": spec.description,
            "security": [] if spec.public else None,
            "parameters": [*self.parameters()] or None,
            "requestBody": self.request_body(),
            "responses": responses | self.error_responses(),
        }
        return {key: value for key, value in found.items() if value is not None}

    @property
    def has_etag(self) -> bool:
        return self.method == "GET" and self.spec.public and self.spec.media_type == JSON

    def parameters(self) -> Iterable[Json]:
        for name in re.findall(r"\{(\w+)\}", self.path):
            yield reference("parameters", name)
        query = self.spec.query or common.query_object()
        for name, schema in query["properties"].items():
            yield self.query_parameter(name, schema, name in query.get("required", ()))
        if self.method == "POST":
            yield reference("parameters", "Idempotency-Key")
        if self.has_etag:
            yield reference("parameters", "If-None-Match")

    def query_parameter(self, name: str, schema: Schema, required: bool) -> Json:
        content: Json = {"name": name, "in": "query"} | ({"required": True} if required else {})
        if "examples" in schema:
            content["example"] = schema["examples"][0]
        # A named schema is described where it is defined.
        if "title" not in schema:
            if "description" in schema:
                content["description"] = schema["description"]
            schema = {k: v for k, v in schema.items() if k not in ("description", "examples")}
        return content | {"schema": self.components.schema(schema)}

    def request_body(self) -> Json | None:
        spec, schema = self.spec, self.components.schema
        if spec.form is not None:
            content = {"multipart/form-data": {"schema": schema(spec.form)}}
            return {"required": True, "content": content}
        if (body := spec.accepted_body) is None:
            return None
        content = {JSON: {"schema": schema(body), "example": example_of(body)}}
        return {"required": not spec.body_optional, "content": content}

    def success_response(self) -> Json:
        spec = self.spec
        media: Json = {"schema": self.components.schema(spec.response, is_response=True)}
        if spec.media_type == JSON:
            example = example_of(spec.response)
            media["example"] = with_changes(example, spec.example) if spec.example else example
        elif "examples" in spec.response:
            media["example"] = example_of(spec.response)
        is_list = "page" in (spec.query or {}).get("properties", {}) and (
            spec.response.get("type") == "array"
        )
        headers = {
            "X-Request-Id": True,
            "X-Total-Count": is_list,
            "Link": is_list,
            "Location": spec.status == HTTPStatus.CREATED,
            "ETag": self.has_etag,
            "Cache-Control": spec.public,
            "Idempotent-Replayed": self.method == "POST",
        }
        return {
            "description": HTTPStatus(spec.status).phrase,
            "headers": header_references(name for name, is_sent in headers.items() if is_sent),
            "content": {spec.media_type: media},
        }

    def error_responses(self) -> Json:
        """Return a response for each status; the operation's own errors come first."""
        shared = list(self.shared_errors())
        by_status = attrgetter("status")
        found = {}
        for status, group in groupby(sorted([*self.raises, *shared], key=by_status), by_status):
            raised = list(group)
            response = self.error_response(raised)
            if all(error in shared for error in raised):
                name = "Or".join(map(error_name, raised))
                response = self.components.refer("responses", name, response)
            found[str(int(status))] = response
        return found

    def shared_errors(self) -> Iterable[type[errors.ApiError]]:
        """Yield the errors that every operation of this kind can have."""
        if self.spec.query or self.spec.body is not None or self.spec.form or self.method == "POST":
            yield errors.ValidationFailed
        if self.spec.body is not None:
            yield from (errors.MalformedJson, errors.BodyTooLarge, errors.UnsupportedMediaType)
        if self.spec.body is not None or self.spec.form:
            yield from (errors.RequestTimeout, errors.UnsupportedCoding)
        if not self.spec.public:
            yield errors.Unauthorized
        if self.method == "POST":
            yield from (errors.KeyInUse, errors.KeyReused, errors.TooManyRequests)
        yield from (errors.ApiError, errors.Unavailable)

    def error_response(self, raised: Sequence[Raised]) -> Json:
        names = [errors.CODE_HEADER, *(name for error in raised for name in error.headers)]
        several = "\n".join(f"- {error.message}" for error in raised)
        media = {
            "schema": self.components.schema(common.ERROR, is_response=True),
            "examples": {error_name(error): self.error_example(error) for error in raised},
        }
        return {
            "description": several if len(raised) > 1 else raised[0].message,
            "headers": header_references(dict.fromkeys(names)),
            "content": {JSON: media},
        }

    def error_example(self, error: Raised) -> Json:
        if error is errors.ValidationFailed:
            body = example_of(common.ERROR)
        else:
            body = (error() if isinstance(error, type) else error).body()
        content = {
            "summary": error.message,
            "description": f"`{errors.CODE_HEADER}: {error.code}`",
            "value": body,
        }
        return self.components.refer("examples", error_name(error), content)


def reference(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}


def header_references(names: Iterable[str]) -> Json:
    return {name: reference("headers", name) for name in names}


def error_name(error: Raised) -> str:
    """Return the name of the class, or of an instance its message in CamelCase."""
    if isinstance(error, type):
        return "Fault" if error is errors.ApiError else error.__name__
    return "".join(word.capitalize() for word in re.findall(r"[A-Za-z0-9]+", error.message))


def example_of(schema: Schema) -> Any:
    """Return the schema's example, or build one from the schemas inside it."""
    if "examples" in schema:
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0])
    if schema["type"] == "object":
        return {name: example_of(field) for name, field in schema["properties"].items()}
    if schema["type"] == "array":
        return [example_of(schema["items"])]
    if schema["type"] == "integer":
        return schema["minimum"]
    raise ValueError(f"no example for {schema}")


def with_changes(example: Any, changes: Any) -> Any:
    """Return the example with these fields replaced, at any depth."""
    if not isinstance(example, dict) or not isinstance(changes, dict):
        return changes
    return example | {name: with_changes(example[name], value) for name, value in changes.items()}
