"""The OpenAPI 3.1 document, made from the routes, the schemas, and the errors of each handler."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, TypeAlias

from mentorapi import errors
from mentorapi.app import ROUTES
from mentorapi.http.operation import Raised
from mentorapi.schemas import common, examples
from mentorapi.schemas.common import PREFIX
from mentorapi.schemas.operation import Operation
from mentorapi.schemas.validation import Schema

JSON = "application/json"

Json: TypeAlias = dict[str, Any]

DESCRIPTION = """\
Mentorship booking: mentors publish weekly hours, mentees see the true free times and ask for one,
the mentor accepts, both settle the session, the mentee reviews it.

**Authentication.** A bearer JWT in `Authorization`. Discovery and images are public. In
development `run.py token --sub demo-mentor` prints a token; with the data of `run.py demo` the
examples work as they stand.

**Times.** Dates are `YYYY-MM-DD`, times of day `HH:mm`, instants RFC 3339, all of them in UTC.
`timezone` is a label to show.

**Errors.** Every error has `statusCode`, `message` and `error`; a failed validation adds `details`,
at most 50 entries. The header `X-Error-Code` names the error for programs. Checks run in this
order: 401, 400 for the input, 404, 403, then the state (409 or 400). An unknown route is 404, a
wrong method 405 with `Allow`.

**Lists** that are plain arrays hold everything, up to 1000, unless `limit` says less;
`X-Total-Count` tells how much there is, `Link: <…>; rel="next"` where it goes on.

**Sending twice.** A POST with an `Idempotency-Key` has one effect however often it is sent; the
answer that was given first is given again, with `Idempotent-Replayed: true`; while the first one
is under way, the next ones wait for it. Keys are kept for a day, those of refusals are not kept.

**Every response** carries `X-Request-Id`; a sane one that came with the request is kept. Every GET
answers HEAD, every route OPTIONS.
"""

CONTACT = {"name": "TalentNG", "url": "https://talentng.com"}

#: By the first part of the path.
TAGS = {
    "mentors": ("Discovery", "Find a mentor, read reviews, see free times. Public."),
    "mentor": ("Mentor dashboard", "One's own profile, weekly windows, figures and reviews."),
    "requests": ("Requests", "A mentee asks for a time, the mentor answers."),
    "sessions": ("Sessions", "From confirmed to settled and reviewed."),
    "images": ("Images", "Uploaded profile images. Public."),
}

PATH_PARAMETERS: dict[str, Json] = {
    "mentorId": {
        "description": "A mentor's profile id, not the user's.",
        "schema": common.ID,
        "example": examples.MENTOR_ID,
    },
    "windowId": {
        "description": "The id of a weekly window.",
        "schema": common.ID,
        "example": examples.WINDOW_ID,
    },
    "requestId": {"schema": common.ID, "example": examples.REQUEST_ID},
    "sessionId": {"schema": common.ID, "example": examples.SESSION_ID},
    "name": {
        "description": "As in `profileImageUrl`.",
        "schema": {"type": "string", "pattern": r"^[A-Za-z0-9_-]{22}\.webp$"},
        "example": "Zk3vX0q5dJmS1b7TtYw2Rg.webp",
    },
}

HEADER_PARAMETERS: dict[str, Json] = {
    "Idempotency-Key": {
        "description": "Makes it safe to send the request again: 1 to 255 visible characters, such "
        "as a UUID, new for each thing to be done.",
        "schema": {"type": "string", "pattern": '^"?[!#-~]{1,255}"?$'},
    },
    "If-None-Match": {
        "description": "The `ETag` of an earlier answer; if it still holds, 304 comes back.",
        "schema": {"type": "string"},
    },
}

HEADERS: dict[str, Json] = {
    errors.CODE_HEADER: {
        "description": "Names the error for programs, and never changes.",
        "schema": common.component("ErrorCode", common.choice(*errors.CODES)),
        "example": errors.ValidationFailed.code,
    },
    "X-Request-Id": {
        "description": "Names this request in the server's log.",
        "schema": {"type": "string"},
        "example": "0f5b6f0e-8f0e-4a51-9f61-4f1c7d3c7a52",
    },
    "X-Total-Count": {
        "description": "How many there are on all pages.",
        "schema": {"type": "integer", "minimum": 0},
        "example": 24,
    },
    "Link": {
        "description": "RFC 8288: where the list goes on; not there on the last page.",
        "schema": {"type": "string"},
        "example": f'<{PREFIX}/mentors?page=2&limit=10>; rel="next"',
    },
    "Location": {
        "description": "The path of what came of it.",
        "schema": {"type": "string"},
        "example": f"{PREFIX}/requests/{examples.REQUEST_ID}",
    },
    "ETag": {
        "description": "Changes with the answer; for `If-None-Match`.",
        "schema": {"type": "string"},
        "example": 'W/"3f786850e387550fdab836ed7e6dc881de23001b"',
    },
    "Cache-Control": {
        "description": "Caches may keep the answer, and ask with its `ETag` whether it holds.",
        "schema": {"type": "string"},
        "example": "public, no-cache",
    },
    "Idempotent-Replayed": {
        "description": "There if this is the answer to an earlier request with the same key.",
        "schema": {"const": "true"},
        "example": "true",
    },
    "Retry-After": {
        "description": "Seconds to wait before trying again.",
        "schema": {"type": "integer"},
        "example": 1,
    },
    "WWW-Authenticate": {
        "description": "RFC 6750. Without a token it is `Bearer` alone.",
        "schema": {"type": "string"},
        "example": 'Bearer error="invalid_token"',
    },
}


@cache
def document(server_url: str | None = None) -> Json:
    """Return the document. ``server_url`` is the base URL, by default relative to the document.

    Callers must not change it: every call returns the same object.
    """
    components = Components()
    paths: Json = {}
    used: list[str] = []
    for template, handler in ROUTES:
        path = template.removeprefix(PREFIX)
        tag = path.split("/")[1]
        for method, spec in handler.operations().items():
            if spec.described:
                used.append(tag)
                described = OperationDescription(
                    components, path, method, spec, handler.raised_by(method)
                )
                paths.setdefault(path, {})[method.lower()] = described.operation()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Mentorship API",
            "version": version("mentorapi"),
            "summary": "Mentors, free times, requests, sessions and reviews",
            "description": DESCRIPTION,
            "contact": CONTACT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": server_url or PREFIX}],
        "security": [{"bearerAuth": []}],
        "tags": [
            {"name": name, "description": text} for tag, (name, text) in TAGS.items() if tag in used
        ],
        "paths": paths,
        "components": components.listed(),
    }


class Components:
    """The parts that the document defines once and refers to."""

    def __init__(self) -> None:
        self._kinds: dict[str, Json] = {
            "securitySchemes": {
                "bearerAuth": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A token of the platform; `sub` and `exp` are required. "
                    "`run.py token --sub demo-mentor` prints one for development.",
                }
            }
        }

    def refer(self, kind: str, name: str, content: Json) -> Json:
        """Define this component if it is new, and return a reference to it."""
        known = self._kinds.setdefault(kind, {}).setdefault(name, content)
        if known != content:
            raise ValueError(f"two different {kind} are called {name}")
        return {"$ref": f"#/components/{kind}/{name}"}

    def schema(self, schema: Any) -> Any:
        """Replace named schemas by references, and drop our own keywords (``x-…``)."""
        if isinstance(schema, list):
            return [self.schema(entry) for entry in schema]
        if not isinstance(schema, Mapping):
            return schema
        content = {
            key: value if key in ("examples", "enum", "default") else self.schema(value)
            for key, value in schema.items()
            if not key.startswith("x-")
        }
        name = content.get("title")
        if not isinstance(name, str):
            return content
        del content["title"]
        return self.refer("schemas", name, content)

    def listed(self) -> Json:
        return {kind: dict(sorted(named.items())) for kind, named in sorted(self._kinds.items())}


class OperationDescription:
    """An operation as an OpenAPI object."""

    def __init__(
        self,
        components: Components,
        path: str,
        method: str,
        spec: Operation,
        raises: Sequence[Raised],
    ) -> None:
        self.components = components
        self.path = path
        self.method = method
        self.spec = spec
        self.raises = raises

    def operation(self) -> Json:
        spec = self.spec
        found: Json = {
            "operationId": spec.name,
            "tags": [TAGS[self.path.split("/")[1]][0]],
            "summary": spec.summary,
        }
        if spec.description:
            found["description"] = spec.description
        if spec.public:
            found["security"] = []
        if parameters := [
            *self.path_parameters(),
            *self.query_parameters(),
            *self.header_parameters(),
        ]:
            found["parameters"] = parameters
        if spec.body is not None or spec.form is not None:
            found["requestBody"] = self.request_body()
        found["responses"] = {str(spec.status): self.success_response()}
        if self.has_etag:
            found["responses"]["304"] = self.not_modified()
        found["responses"] |= self.error_responses()
        return found

    @property
    def has_etag(self) -> bool:
        return self.method == "GET" and self.spec.public and self.spec.media_type == JSON

    # Parameters and body -------------------------------------------------------------------

    def path_parameters(self) -> Iterable[Json]:
        for name in re.findall(r"\{(\w+)\}", self.path):
            content = {"name": name, "in": "path", "required": True, **PATH_PARAMETERS[name]}
            yield self.components.refer("parameters", name, content)

    def query_parameters(self) -> Iterable[Json]:
        query = self.spec.query or {"properties": {}}
        for name, schema in query["properties"].items():
            content: Json = {"name": name, "in": "query"}
            if name in query.get("required", ()):
                content["required"] = True
            # A named schema is described where it is defined.
            if "description" in schema and "title" not in schema:
                content["description"] = schema["description"]
            if "examples" in schema:
                content["example"] = schema["examples"][0]
            if "title" not in schema:
                schema = {k: v for k, v in schema.items() if k not in ("description", "examples")}
            yield content | {"schema": self.components.schema(schema)}

    def header_parameters(self) -> Iterable[Json]:
        taken = {"Idempotency-Key": self.method == "POST", "If-None-Match": self.has_etag}
        for name, is_taken in taken.items():
            if is_taken:
                content = {"name": name, "in": "header", **HEADER_PARAMETERS[name]}
                yield self.components.refer("parameters", name, content)

    def request_body(self) -> Json:
        if self.spec.form is not None:
            content = {"multipart/form-data": {"schema": self.components.schema(self.spec.form)}}
            return {"required": True, "content": content}
        body = self.spec.accepted_body or {}
        content = {JSON: {"schema": self.components.schema(body), "example": example_of(body)}}
        return {"required": not self.spec.body_optional, "content": content}

    # Responses -----------------------------------------------------------------------------

    def success_response(self) -> Json:
        spec = self.spec
        media: Json = {"schema": self.components.schema(spec.response)}
        if spec.media_type == JSON:
            media["example"] = with_changes(example_of(spec.response), spec.example)
        elif "examples" in spec.response:
            media["example"] = example_of(spec.response)
        is_list = spec.response.get("type") == "array"
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
            "headers": self.headers(name for name, is_sent in headers.items() if is_sent),
            "content": {spec.media_type: media},
        }

    def not_modified(self) -> Json:
        content = {
            "description": "Nothing has changed since the answer with that `ETag`",
            "headers": self.headers(["X-Request-Id", "ETag", "Cache-Control"]),
        }
        return self.components.refer("responses", "NotModified", content)

    def headers(self, names: Iterable[str]) -> Json:
        return {
            name: self.components.refer("headers", name, self.components.schema(HEADERS[name]))
            for name in names
        }

    def error_responses(self) -> Json:
        """Return a response for each status; the operation's own errors come first."""
        shared = list(self.shared_errors())
        by_status: dict[int, list[Raised]] = {}
        for error in [*self.raises, *shared]:
            by_status.setdefault(error.status, []).append(error)
        found = {}
        for status, raised in sorted(by_status.items()):
            response = self.error_response(raised)
            if all(error in shared for error in raised):
                name = "Or".join(error_name(error) for error in raised)
                response = self.components.refer("responses", name, response)
            found[str(int(status))] = response
        return found

    def shared_errors(self) -> Iterable[type[errors.ApiError]]:
        """Yield the errors that every operation of this kind can have."""
        if self.spec.query or self.spec.body is not None or self.spec.form or self.method == "POST":
            yield errors.ValidationFailed
        if self.spec.body is not None:
            yield from (errors.MalformedJson, errors.BodyTooLarge, errors.UnsupportedMediaType)
        if not self.spec.public:
            yield errors.Unauthorized
        if self.method == "POST":
            yield from (errors.KeyInUse, errors.KeyReused, errors.TooManyRequests)
        yield from (errors.ApiError, errors.Unavailable)

    def error_response(self, raised: Sequence[Raised]) -> Json:
        names = [errors.CODE_HEADER, *(name for error in raised for name in error.headers)]
        examples = {error_name(error): self.error_example(error) for error in raised}
        messages = [error_of(error).message for error in raised]
        return {
            "description": messages[0] if len(messages) == 1 else bullets(messages),
            "headers": self.headers(dict.fromkeys(names)),
            "content": {
                JSON: {"schema": self.components.schema(common.ERROR), "examples": examples}
            },
        }

    def error_example(self, error: Raised) -> Json:
        body = error_of(error).body()
        content = {
            "summary": body["message"],
            "description": f"`{errors.CODE_HEADER}: {error.code}`",
            "value": body,
        }
        return self.components.refer("examples", error_name(error), content)


def error_of(error: Raised) -> errors.ApiError:
    if isinstance(error, errors.ApiError):
        return error
    if error is errors.ValidationFailed:
        return errors.ValidationFailed(example_of(common.ERROR)["details"])
    return error()


def error_name(error: Raised) -> str:
    """Return the name of the class, or of an instance its message in CamelCase."""
    if isinstance(error, type):
        return "Fault" if error is errors.ApiError else error.__name__
    return "".join(word.capitalize() for word in re.findall(r"[A-Za-z0-9]+", error.message))


def bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def example_of(schema: Schema) -> Any:
    """Return the schema's example, or build one from the schemas inside it."""
    if "examples" in schema:
        return schema["examples"][0]
    if "default" in schema:
        return schema["default"]
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


def with_changes(example: Any, changes: Mapping[str, Any]) -> Any:
    """Replace these fields of an example, at any depth."""
    if not changes:
        return example
    return example | {
        name: with_changes(example[name], value) if isinstance(example[name], dict) else value
        for name, value in changes.items()
    }
