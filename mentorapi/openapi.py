"""The OpenAPI 3.1 document, made from the routes, the schemas, and the errors of each handler."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
Mentorship booking: a mentor publishes weekly hours. A mentee sees the free times and requests one,
and the mentor accepts. After the session both sides confirm it, and the mentee writes a review.

**Authentication.** A bearer JWT in `Authorization`. Discovery and images are public. In
development `run.py token --sub demo-mentor` prints a token; with the data of `run.py demo` the
examples work as they stand.

**Times.** Dates are `YYYY-MM-DD`, times of day `HH:mm`, instants RFC 3339, all of them in UTC.
`timezone` is a label to show.

**Errors.** Every error has `statusCode`, `message` and `error`; a failed validation adds `details`,
at most 50 entries. The header `X-Error-Code` names the error for programs. Checks run in this
order: 401, 400 for the input, 404, 403, then the state (409 or 400). An unknown route is 404, a
wrong method 405 with `Allow`, a body that does not arrive 408, a head of more than 16 KiB 431.

**Lists** that are plain arrays have all entries, up to 1000, unless `limit` is less.
`X-Total-Count` is the number of all entries, `Link: <…>; rel="next"` the URL of the next page.

**Sending twice.** A POST with an `Idempotency-Key` has one effect, however often it is sent. A
repetition gets the first answer again, with `Idempotent-Replayed: true`. If the first request is
still running, the repetition waits for it. Keys are kept for a day, those of refused requests are
not kept.

**Every response** has an `X-Request-Id`: that of the request if it is well formed, else a new one.
Every GET answers HEAD, every route OPTIONS.
"""

CONTACT = {"name": "TalentNG", "url": "https://talentng.com"}

#: Name and description of each tag, by the first part of the path.
TAGS = {
    "mentors": ("Discovery", "Find a mentor, read reviews, see free times. No token is needed."),
    "mentor": ("Mentor dashboard", "The caller's profile, weekly windows, figures and reviews."),
    "requests": ("Requests", "A mentee requests a time, the mentor answers."),
    "sessions": ("Sessions", "From confirmed to completed and reviewed."),
    "images": ("Images", "Uploaded profile images. No token is needed."),
}


def described(description: str, example: Any, schema: Schema = common.TEXT) -> Json:
    return {"description": description, "schema": schema, "example": example}


PATH_PARAMETERS: dict[str, Json] = {
    "mentorId": described("A mentor's profile id, not the user's.", examples.MENTOR_ID, common.ID),
    "windowId": described("The id of a weekly window.", examples.WINDOW_ID, common.ID),
    "date": described(
        "A day in `availabilityTimezone`.", examples.FRIDAY, {"type": "string", "format": "date"}
    ),
    "timeOffId": described("The id of a time off.", examples.TIME_OFF_ID, common.ID),
    "requestId": {"schema": common.ID, "example": examples.REQUEST_ID},
    "sessionId": {"schema": common.ID, "example": examples.SESSION_ID},
    "name": described(
        "The last part of a `profileImageUrl`.",
        "Zk3vX0q5dJmS1b7TtYw2Rg.webp",
        {"type": "string", "pattern": r"^[A-Za-z0-9_-]{22}\.webp$"},
    ),
}

HEADERS: dict[str, Json] = {
    errors.CODE_HEADER: described(
        "The name of the error for programs. It never changes.",
        errors.ValidationFailed.code,
        common.component("ErrorCode", common.choice(*errors.CODES)),
    ),
    "X-Request-Id": described(
        "The id of this request in the server's log.", "0f5b6f0e-8f0e-4a51-9f61-4f1c7d3c7a52"
    ),
    "X-Total-Count": described("The number of entries on all pages.", 24, common.COUNT),
    "Link": described(
        "RFC 8288: the URL of the next page. The last page has none.",
        f'<{PREFIX}/mentors?page=2&limit=10>; rel="next"',
    ),
    "Location": described(
        "The path of the new resource.", f"{PREFIX}/requests/{examples.REQUEST_ID}"
    ),
    "ETag": described(
        "Changes with the answer; for `If-None-Match`.",
        'W/"3f786850e387550fdab836ed7e6dc881de23001b"',
    ),
    "Cache-Control": described(
        "Caches may store the answer, and must validate it with its `ETag`.", "public, no-cache"
    ),
    "Idempotent-Replayed": described(
        "Present if this is the answer to an earlier request with the same key.",
        "true",
        {"const": "true"},
    ),
    "Retry-After": described("Seconds to wait before trying again.", 1, {"type": "integer"}),
    "Accept-Encoding": described("The body must be sent as it is.", "identity"),
    "WWW-Authenticate": described(
        "RFC 6750. Without a token it is `Bearer` alone.", 'Bearer error="invalid_token"'
    ),
}

IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Makes it safe to send the request again: 1 to 255 visible characters, such "
    "as a UUID. Use a new one for each new request.",
    "schema": {"type": "string", "pattern": '^"?[!#-~]{1,255}"?$'},
}
IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The `ETag` of an earlier answer. If nothing has changed, the answer is 304.",
    "schema": common.TEXT,
}

SECURITY_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "A token of the platform; `sub` and `exp` are required. "
    "`run.py token --sub demo-mentor` prints one for development.",
}


@cache
def document(server_url: str | None = None) -> Json:
    """Return the document. ``server_url`` is the base URL, by default relative to the document.

    Callers must not change it: every call returns the same object.
    """
    components = Components({"securitySchemes": {"bearerAuth": SECURITY_SCHEME}})
    paths: Json = {}
    for template, handler in ROUTES:
        path = template.removeprefix(PREFIX)
        for method, spec in handler.operations().items():
            if spec.described:
                raises = handler.raised_by(method)
                described = OperationDescription(components, path, method, spec, raises)
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
        "tags": [{"name": name, "description": text} for name, text in TAGS.values()],
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


@dataclass
class OperationDescription:
    """An operation as an OpenAPI object."""

    components: Components
    path: str
    method: str
    spec: Operation
    raises: Sequence[Raised]

    def operation(self) -> Json:
        spec = self.spec
        responses = {str(spec.status): self.success_response()}
        if self.has_etag:
            responses["304"] = self.not_modified()
        found = {
            "operationId": spec.name,
            "tags": [TAGS[self.path.split("/")[1]][0]],
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
            content = {"name": name, "in": "path", "required": True, **PATH_PARAMETERS[name]}
            yield self.components.refer("parameters", name, content)
        query = self.spec.query or {"properties": {}}
        for name, schema in query["properties"].items():
            yield self.query_parameter(name, schema, name in query.get("required", ()))
        if self.method == "POST":
            yield self.components.refer("parameters", "Idempotency-Key", IDEMPOTENCY_KEY)
        if self.has_etag:
            yield self.components.refer("parameters", "If-None-Match", IF_NONE_MATCH)

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
        media: Json = {"schema": self.components.schema(spec.response)}
        if spec.media_type == JSON:
            media["example"] = with_changes(example_of(spec.response), spec.example)
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
        if self.spec.body is not None or self.spec.form:
            yield errors.UnsupportedCoding
        if not self.spec.public:
            yield errors.Unauthorized
        if self.method == "POST":
            yield from (errors.KeyInUse, errors.KeyReused, errors.TooManyRequests)
        yield from (errors.ApiError, errors.Unavailable)

    def error_response(self, raised: Sequence[Raised]) -> Json:
        names = [errors.CODE_HEADER, *(name for error in raised for name in error.headers)]
        examples = {error_name(error): self.error_example(error) for error in raised}
        messages = [error_of(error).message for error in raised]
        several = "\n".join(f"- {message}" for message in messages)
        return {
            "description": several if len(messages) > 1 else messages[0],
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
    """Return the example with these fields replaced, at any depth."""
    if not changes:
        return example
    return example | {
        name: with_changes(example[name], value) if isinstance(example[name], dict) else value
        for name, value in changes.items()
    }
