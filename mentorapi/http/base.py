"""The handler that every endpoint extends: token, query, body, method, response, error.

Each of its methods is an operation of the API, with a schema.
"""

import hashlib
import logging
import re
from asyncio import get_running_loop
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache, wraps
from http import HTTPStatus
from typing import Any, ClassVar, TypeAlias
from uuid import UUID

import orjson
from tornado.web import Application, RequestHandler

from mentorapi import errors
from mentorapi.auth.tokens import Caller
from mentorapi.cache.responses import Response, compress
from mentorapi.database import idempotency
from mentorapi.database.page import Page
from mentorapi.database.pool import Database
from mentorapi.http.body import read_body
from mentorapi.http.headers import default_headers, idempotency_key, render, wants_gzip
from mentorapi.http.query import next_page_link, read_parameters
from mentorapi.http.request import Request
from mentorapi.http.services import Services
from mentorapi.schemas.common import PREFIX
from mentorapi.schemas.operation import Operation
from mentorapi.telemetry import context

log = logging.getLogger("mentorapi")

#: Stands for an id that is not a UUID. No row has it, so the resource is not found.
NO_ID = str(UUID(int=0))

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


Method: TypeAlias = Callable[..., Awaitable[None]]

#: An instance if its message is not the default one of its class.
Raised: TypeAlias = type[errors.ApiError] | errors.ApiError


def operation(spec: Operation, raises: Sequence[Raised] = ()) -> Callable[[Method], Method]:
    """Decorate a method with its schemas and with the errors that are its own.

    Errors that any operation of its kind may raise are not listed.
    """

    def decorate(method: Method) -> Method:
        @wraps(method)
        async def run(handler: ApiHandler, *ids: str) -> None:
            await handler.run(method, ids)

        run.spec, run.raises = spec, raises  # type: ignore[attr-defined]
        return run

    return decorate


class ApiHandler(RequestHandler):
    """One path of the API. Its methods are decorated with ``@operation``.

    When a method runs, ``user_id``, ``parameters`` and ``body`` hold what has been verified.
    """

    #: Whether requests are made by the operator's tools: they are not counted, and logged only if
    #: they fail.
    ROUTINE: ClassVar[bool] = False

    request: Request
    spec: Operation
    #: The pool, or the connection of a transaction.
    db: Database
    caller: Caller
    user_id: str
    parameters: dict[str, Any]
    body: Any
    idempotency_key: str | None = None
    #: The error that the response reports.
    failure: BaseException | None = None
    is_finished = False
    #: The response that ``write_json`` has written.
    _written: idempotency.StoredResponse
    _release_caller: Callable[[], None] | None = None

    # Request -------------------------------------------------------------------------------

    def __init__(self, application: Application, request: Request, route: str) -> None:
        self.services: Services = application.settings["services"]
        #: The template of the path.
        self.route = route
        super().__init__(application, request)
        # The body is read later, if at all.
        request._parse_body = lambda: None  # type: ignore[method-assign]
        if not self.ROUTINE:
            self.services.metrics.requests_in_progress += 1

    def start(self, arguments: Sequence[str]) -> None:
        """Handle the request. ``arguments`` are the parts of the path that vary.

        Tornado's own delegate also takes care of template caches and streamed bodies: a fifth of
        the time from the head of a request to its response.
        """
        # Tornado would also decode bytes.
        handling = self._execute([], *arguments)  # type: ignore[arg-type]
        # asyncio keeps no reference to a task: the garbage collector could remove it.
        self.task = get_running_loop().create_task(handling)

    async def prepare(self) -> None:
        """Check size, token, coding, query, key and body. Tornado calls it before the method."""
        running = context.ExecutionContext(self.request.id, caller=self.request.remote_ip)
        context.current.set(running)
        method = self.request.method
        spec = self.operations()["GET" if method == "HEAD" else method]
        self.request.connection.limit_body(spec.max_body)
        self.spec, self.db = spec, self.services.db
        self.add_headers({"Cache-Control": spec.cache_control})
        if not spec.public:
            authorization = self.request.headers.get("authorization")
            self.caller = await self.services.verifier.caller_of(authorization)
            self.user_id = running.caller = self.caller.user_id
        if self.request.has_body:
            coding = self.request.headers.get("content-encoding", "").lower()
            if coding not in ("", "identity") and (spec.body or spec.form):
                raise errors.UnsupportedCoding
            limiter = self.services.caller_limiter
            self._release_caller = await limiter.acquire(running.caller)
        self.parameters = read_parameters(self.request.query_arguments, spec)
        if self.request.method == "POST":
            self.idempotency_key = idempotency_key(self.request)
        self.request.body = await self.request.connection.read_body()
        if spec.body is not None:
            content_type = self.request.headers.get("content-type", "")
            self.body = read_body(content_type, self.request.body, spec)
        if not spec.public:
            await self._store_caller()

    # Method --------------------------------------------------------------------------------

    @classmethod
    @cache
    def operations(cls) -> dict[str, Operation]:
        """The operations of this path by HTTP method."""
        names = ("GET", "POST", "PUT", "PATCH", "DELETE")
        methods = {name: getattr(cls, name.lower()) for name in names}
        return {name: one.spec for name, one in methods.items() if hasattr(one, "spec")}

    @classmethod
    def allowed(cls) -> list[str]:
        names = list(cls.operations())
        return names + (["HEAD"] if "GET" in names else []) + ["OPTIONS"]

    async def run(self, method: Method, ids: Sequence[str]) -> None:
        """Run the method of an operation."""
        try:
            await self._run_once(method, ids)
        except errors.UserMissing:
            # For example after a restore. Nothing was changed: store the user and try once more.
            self.services.cache.clear()
            await self._store_caller()
            await self._run_once(method, ids)
        if self.spec.affects_cache and self.request.method not in ("GET", "HEAD"):
            # A client that reads after this response must not get an older state from the cache.
            await self.services.listener.note_write()

    async def _store_caller(self) -> None:
        # Twice after a change: by reading the log, this process also hears of its own change.
        for _ in range(2):
            if not await self.services.known_users.store(self.db, self.caller):
                break
            await self.services.listener.note_write()

    async def _run_once(self, method: Method, ids: Sequence[str]) -> None:
        if self.idempotency_key is None:
            await method(self, *ids)
            return
        # A repetition may wait for the first request. Others of its caller must not wait for it.
        self.release_caller()
        pool = self.db

        async def effect(connection: Database) -> idempotency.StoredResponse:
            self.db = connection
            await method(self, *ids)
            return self._written

        path = "".join(f"{one}\n" for one in ids)
        fingerprint = hashlib.sha256(path.encode() + self.request.body).digest()
        route = f"{self.request.method} {self.route}"
        attempt = idempotency.Attempt(self.user_id, route, self.idempotency_key, fingerprint)
        try:
            stored, replayed = await idempotency.run_once(pool, attempt, effect)
        finally:
            self.db = pool
        if replayed:
            location = {} if stored.location is None else {"Location": stored.location}
            self.write_json(stored.body, stored.status, location)
            self.set_header("Idempotent-Replayed", "true")

    async def head(self, *ids: str) -> None:
        # Tornado does not send the body.
        await self.get(*ids)  # type: ignore[misc]

    # Response ------------------------------------------------------------------------------

    def clear(self) -> None:
        # Tornado's own headers, set one by one, take 25 µs: a tenth of a read.
        self._headers = default_headers(self.services.settings, self.request)  # type: ignore[assignment]
        self._write_buffer: list[bytes] = []
        self.set_status(HTTPStatus.OK)

    def add_headers(self, headers: Mapping[str, str]) -> None:
        """Set headers as they are. The connection refuses line breaks."""
        self._headers.update(headers)

    def write_response(self, response: Response) -> None:
        """Write a complete response: with its headers, ETag and compressed form."""
        status, headers, body = render(response, self.request)
        self.set_status(status)
        self.add_headers(headers)
        if body is not None:
            self.write(body)

    def write_json(self, text: str, status: int = 200, headers: Mapping[str, str] = {}) -> None:
        """Write a JSON text, which is the whole body."""
        self.set_status(status)
        self.add_headers(headers)
        self.write(text)
        self._written = idempotency.StoredResponse(status, headers.get("Location"), text)

    def write_created(self, path: str, text: str) -> None:
        """Write a new resource. Its path begins after the prefix."""
        self.write_json(text, HTTPStatus.CREATED, {"Location": PREFIX + path})

    def write_list(self, page: Page) -> None:
        """Write a plain array, with its total and the next page in headers."""
        headers = {"X-Total-Count": str(page.total)}
        if page.page < page.pages:
            headers["Link"] = next_page_link(self.request, page)
        self.write_json(page.items, headers=headers)

    def write_data(self, page: Page) -> None:
        """Write ``{"data": [...], "meta": {...}}``."""
        meta = {
            "total": page.total,
            "page": page.page,
            "limit": page.limit,
            "totalPages": page.pages,
        }
        self.write_json(f'{{"data":{page.items},"meta":{orjson.dumps(meta).decode()}}}')

    def finish(self, chunk: Any = None) -> Any:
        if chunk is not None:
            self.write(chunk)
        body, headers = b"".join(self._write_buffer), self._headers
        is_text = headers.get("Content-Type", "").startswith(("text/", "application/json"))
        if is_text and "Content-Encoding" not in headers and wants_gzip(self.request, body):
            headers["Content-Encoding"] = "gzip"
            body = compress(body)
        self._write_buffer = [body] if body else []
        if self.get_status() not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
            # Tornado takes longer to set this header than all others together.
            headers["Content-Length"] = str(len(body))
        return super().finish()

    def compute_etag(self) -> str | None:
        # Private data must not be stored, so there is nothing to revalidate.
        return None

    def on_finish(self) -> None:
        self.is_finished = True
        self.release_caller()

    def release_caller(self) -> None:
        """Let the next request of the same caller begin."""
        if self._release_caller is not None:
            self._release_caller()
            self._release_caller = None

    # Error ---------------------------------------------------------------------------------

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs["exc_info"][1]
        if not isinstance(error, errors.ApiError):
            error = errors.ApiError()
        self.add_headers({**error.headers, errors.CODE_HEADER: error.code})
        self.set_status(error.status)
        self.finish(orjson.dumps(error.body()))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        if not self.is_finished:
            # The access log has one line per request, which includes the error.
            self.failure = value
        elif not isinstance(value, errors.ApiError):
            log.error("Error after the response to %s", self.request.id, exc_info=(typ, value, tb))


class PlainHandler(ApiHandler):
    """A path that is no operation of the API: a GET without token, parameters and body."""

    async def prepare(self) -> None:
        context.current.set(context.ExecutionContext(self.request.id))

    @classmethod
    def allowed(cls) -> list[str]:
        return ["GET", "HEAD", "OPTIONS"]


def as_id(text: str) -> str:
    return text.lower() if _UUID.fullmatch(text) else NO_ID
