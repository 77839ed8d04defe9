"""What every handler shares: the way of a request from its token to its answer."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, wraps
from http import HTTPStatus
from typing import Any, ClassVar, TypeAlias
from uuid import UUID

import orjson
from tornado.httputil import HTTPServerRequest
from tornado.web import Application, HTTPError, RequestHandler

from mentorapi import errors
from mentorapi.auth.tokens import Caller, Verifier
from mentorapi.cache.responses import Response, ResponseCache
from mentorapi.config import Settings
from mentorapi.database.idempotency import RunningAttempts
from mentorapi.database.page import Page
from mentorapi.database.pool import Database, Pool
from mentorapi.events.listener import Listener
from mentorapi.http import body as json_body
from mentorapi.http import idempotency
from mentorapi.http.headers import Head, allowed_headers, header, new_headers, request_id
from mentorapi.http.turns import Turns
from mentorapi.images import ImageStore
from mentorapi.repositories import account
from mentorapi.repositories.account import Claims
from mentorapi.schemas.operation import Operation, is_repeatable
from mentorapi.schemas.validation import Schema
from mentorapi.telemetry import context
from mentorapi.telemetry.metrics import Metrics

log = logging.getLogger("mentorapi")

#: A path id that is no UUID is simply not found; nothing has this one.
NO_ID = str(UUID(int=0))

# As it came, a URL may hold any character between spaces (each stands for a byte).
_UNSAFE = re.compile(r"[^!$%&'()*+,\-./0-9:;=?@A-Z_a-z~]")

#: Seconds that a request waits for those of the same caller before it.
MAX_WAIT_SECONDS = 10.0

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

Method = Callable[..., Awaitable[None]]
#: An instance where the message is not the class's own.
Raised: TypeAlias = type[errors.ApiError] | errors.ApiError


@dataclass
class Services:
    """What handlers work with. One for each process."""

    db: Pool
    verifier: Verifier
    images: ImageStore
    settings: Settings
    cache: ResponseCache
    listener: Listener
    metrics: Metrics
    #: Ids of the migrations that the code was written for.
    migrations: Sequence[str]
    #: The API in its own words (OpenAPI).
    description: Response
    known_users: KnownUsers = field(default_factory=lambda: KnownUsers())
    running_attempts: RunningAttempts = field(default_factory=RunningAttempts)
    draining: bool = False
    #: Held by each search that runs: at most half of the pool's connections work for searches.
    searches: asyncio.Semaphore = field(init=False)
    #: One caller's requests that run at the same time: enough to keep all connections busy.
    turns: Turns = field(init=False)

    def __post_init__(self) -> None:
        self.searches = asyncio.Semaphore(max(1, self.settings.pool_size // 2))
        self.turns = Turns(2 * self.settings.pool_size)


class KnownUsers:
    """What is stored of account, so that most requests need not ask."""

    MOST = 100_000

    def __init__(self) -> None:
        self._known: dict[str, Claims] = {}

    async def remember(self, db: Database, caller: Caller) -> bool:
        """Store what is new; returns whether anything was."""
        claims = Claims(caller.name, caller.email, caller.picture, caller.issued_at)
        known = self._known.get(caller.user_id)
        if known is not None and not claims.change(known):
            return False
        stored = await account.remember(db, caller.user_id, claims)
        if stored is not None:
            if len(self._known) >= self.MOST:
                self._known.clear()
            self._known[caller.user_id] = stored
        return True

    def forget(self) -> None:
        """The database was changed beneath the server: it may know none of these users."""
        self._known.clear()


def operation(spec: Operation, raises: Sequence[Raised] = ()) -> Callable[[Method], Method]:
    """Says what a handler's method is: its schemas, whether it is public, and the errors a client
    can meet that are its own. Those that any operation of its kind has are not repeated."""

    def mark(method: Method) -> Method:
        @wraps(method)
        async def run(handler: ApiHandler, *arguments: str) -> None:
            key = handler.idempotency_key

            async def attempt() -> None:
                if key is None:
                    await method(handler, *arguments)
                else:
                    # A repetition may wait for the first request, and costs nothing meanwhile.
                    handler.end_turn()
                    await idempotency.run_once(handler, key, lambda: method(handler, *arguments))

            try:
                await attempt()
            except errors.UserMissing:
                # After a restore, say. Nothing was changed: store the user and try once more.
                services = handler.services
                services.known_users.forget()
                await services.known_users.remember(services.db, handler.caller)
                await attempt()
            if handler.request.method not in ("GET", "HEAD"):
                # Who wrote must not read what was true before from the cache.
                await handler.services.listener.wait_until_current()

        run.operation = spec  # type: ignore[attr-defined]
        run.raises = raises  # type: ignore[attr-defined]
        return run

    return mark


class ApiHandler(RequestHandler):
    """One path of the API. Its methods are marked with ``@operation``.

    Before a method runs: the token (401), then the query and the body (400), as its operation says.
    What they came to is in ``caller``, ``parameters`` and ``body``; ids in the path are UUIDs.
    """

    SUPPORTED_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    ID_ARGUMENTS: ClassVar[bool] = True
    #: Part of running the server: not counted, and logged if it fails only.
    ROUTINE: ClassVar[bool] = False

    #: The template that the path fits.
    route: str
    #: What it ends in, if not well.
    failure: BaseException | None = None
    #: The pool, or the connection of a transaction.
    db: Database
    caller: Caller
    parameters: dict[str, Any]
    body: Any
    idempotency_key: str | None = None
    _end_turn: Callable[[], None] | None = None

    _headers: Head  # type: ignore[assignment]

    # The way in ----------------------------------------------------------------------------

    def __init__(
        self, application: Application, request: HTTPServerRequest, **settings: Any
    ) -> None:
        self.services: Services = application.settings["services"]
        self.request_id = request_id(request.headers)
        super().__init__(application, request, **settings)

    def initialize(self, route: str = "unknown") -> None:
        self.route = route
        if not self.ROUTINE:
            self.services.metrics.requests_in_progress += 1
        # Tornado would read forms now, before the token. Who takes one reads it later.
        self.request._parse_body = lambda: None  # type: ignore[method-assign]

    async def prepare(self) -> None:
        if self.request.method == "OPTIONS":
            return
        running = context.ExecutionContext(
            self.request_id, caller=self.request.remote_ip or "unknown"
        )
        context.current.set(running)
        spec = self.spec()
        self.db = self.services.db
        self._headers["Cache-Control"] = spec.cache_control
        if not spec.public:
            self.caller = await self.services.verifier.caller_of(
                self.request.headers.get("Authorization")
            )
            running.caller = self.caller.user_id
        try:
            self._end_turn = await self.services.turns.take(running.caller, MAX_WAIT_SECONDS)
        except TimeoutError as error:
            raise errors.Unavailable from error
        arguments, problems = read_arguments(self.request, (spec.query or {}).get("properties", {}))
        if not problems:
            self.parameters, problems = spec.read_query(arguments)
        if problems:
            raise errors.ValidationFailed(problems)
        if self.request.method == "POST":
            self.idempotency_key = idempotency.read_key(
                self.request.headers.get(idempotency.HEADER)
            )
        self.read_body(spec)
        if not spec.public and await self.services.known_users.remember(self.db, self.caller):
            await self.services.listener.wait_until_current()

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        # What is no text is no id either: not found, and not Tornado's 400.
        text = value.decode("utf-8", "replace")
        return as_id(text) if self.ID_ARGUMENTS else text

    @classmethod
    @cache
    def operations(cls) -> dict[str, Operation]:
        """The operations of this path by HTTP method."""
        found = {}
        for name in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            spec = getattr(getattr(cls, name.lower()), "operation", None)
            if spec is not None:
                found[name] = spec
        return found

    @classmethod
    def raised_by(cls, method: str) -> Sequence[Raised]:
        raised: Sequence[Raised] = getattr(cls, method.lower()).raises
        return raised

    @classmethod
    def allowed(cls) -> list[str]:
        names = list(cls.operations())
        return names + (["HEAD"] if "GET" in names else []) + ["OPTIONS"]

    @classmethod
    def operation_of(cls, method: str | None) -> Operation | None:
        return cls.operations().get("GET" if method == "HEAD" else method or "")

    def spec(self) -> Operation:
        spec = self.operation_of(self.request.method)
        if spec is None:
            raise errors.MethodNotAllowed(self.allowed())
        return spec

    def read_body(self, spec: Operation) -> None:
        if spec.body is None:
            return
        raw = self.request.body
        if not raw and spec.body_optional:
            self.body = {}
            return
        content_type = self.request.headers.get("Content-Type", "")
        if not is_json(content_type):
            raise errors.UnsupportedMediaType
        self.body = spec.normalize_body(json_body.parse(raw))
        details = spec.check_body(self.body)
        if details:
            raise errors.ValidationFailed(details)

    # The way out ---------------------------------------------------------------------------

    def clear(self) -> None:
        """An answer with nothing in it: at the start, and before an error takes its place."""
        self._headers = new_headers(self.services.settings, self.request, self.request_id)
        self._write_buffer: list[bytes] = []
        self.set_status(200)

    def write_json(self, body: str | bytes, status: int = 200) -> None:
        """Write a JSON text."""
        if status != HTTPStatus.OK:
            self.set_status(status)
        # write() would set the type of text itself.
        self._write_buffer.append(body if isinstance(body, bytes) else body.encode())

    def written(self) -> tuple[int, str | None, str]:
        """Status, Location and body of what a method wrote."""
        return (
            self.get_status(),
            self._headers.get("Location"),
            b"".join(self._write_buffer).decode(),
        )

    def rewrite(self, status: int, location: str | None, body: str) -> None:
        """Answer this, whatever was written before."""
        self.clear()
        if location is not None:
            self.set_header("Location", location)
        self.write_json(body, status)

    def write_list(self, page: Page) -> None:
        """A plain array, with how many there are and where it goes on."""
        self._headers["X-Total-Count"] = str(page.total)
        if page.page < page.pages:
            others = [
                parameter
                for parameter in self.request.query.split("&")
                if parameter and parameter.partition("=")[0] not in ("page", "limit")
            ]
            others += [f"page={page.page + 1}", f"limit={page.limit}"]
            following = _UNSAFE.sub(_escaped, f"{self.request.path}?{'&'.join(others)}")
            self._headers["Link"] = f'<{following}>; rel="next"'
        self.write_json(page.items)

    def write_data(self, page: Page) -> None:
        """``{"data": [...], "meta": {...}}``."""
        meta = {
            "total": page.total,
            "page": page.page,
            "limit": page.limit,
            "totalPages": page.pages,
        }
        self.write_json(b'{"data":%b,"meta":%b}' % (page.items.encode(), orjson.dumps(meta)))

    def on_finish(self) -> None:
        self.end_turn()

    def end_turn(self) -> None:
        """Let the next request of the same caller begin."""
        if self._end_turn is not None:
            self._end_turn()
            self._end_turn = None

    def compute_etag(self) -> str | None:
        """None: one's own data is not to be stored."""
        return None

    async def head(self, *arguments: str) -> None:
        # Tornado leaves the body out.
        await self.get(*arguments)  # type: ignore[misc]

    def options(self, *arguments: str) -> None:
        methods = ", ".join(self.allowed())
        self.set_header("Allow", methods)
        self.clear_header("Content-Type")
        if "Access-Control-Allow-Origin" in self._headers:
            self.set_header("Access-Control-Allow-Methods", methods)
            requested = header(self.request.headers, "Access-Control-Request-Headers")
            self.set_header("Access-Control-Allow-Headers", allowed_headers(requested))
            vary = [self._headers["Vary"]] if "Vary" in self._headers else []
            self.set_header("Vary", ", ".join([*vary, "Access-Control-Request-Headers"]))
            self.set_header("Access-Control-Max-Age", "600")
        self.set_status(HTTPStatus.NO_CONTENT)

    # Errors --------------------------------------------------------------------------------

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs["exc_info"][1]
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED and isinstance(error, HTTPError):
            # Tornado refuses the methods that it does not know by itself.
            error = errors.MethodNotAllowed(self.allowed())
        if isinstance(error, errors.ApiError):
            for name, value in error.headers.items():
                self.set_header(name, value)
            code, content = error.code, error.body()
        elif isinstance(error, HTTPError) and status_code < 500:
            status = HTTPStatus(status_code)
            code, content = status.name.lower(), errors.error_body(status, status.phrase)
        else:
            code, content = errors.ApiError.code, errors.ApiError().body()
        self.set_header(errors.CODE_HEADER, code)
        self.set_status(content["statusCode"])
        self.finish(orjson.dumps(content))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        if not self._finished:
            # It goes into the request's own line.
            self.failure = value
        elif not isinstance(value, (errors.ApiError, HTTPError)):
            log.error("After the answer to %s", self.request_id, exc_info=(typ, value, tb))

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        # Tornado knows the status of its own errors only.
        error = kwargs.get("exc_info", (None, None))[1]
        if isinstance(error, errors.ApiError):
            status_code = error.status
        super().send_error(status_code, **kwargs)


class UnknownRoute(ApiHandler):
    """Everything that no route names."""

    async def prepare(self) -> None:
        raise errors.NotFound(f"No such route: {self.request.path}"[:200])


def _escaped(found: re.Match[str]) -> str:
    return f"%{ord(found[0]):02X}"


def as_id(text: str) -> str:
    return text.lower() if _UUID.fullmatch(text) else NO_ID


def is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (
        kind.startswith("application/") and kind.endswith("+json")
    )


def read_arguments(
    request: HTTPServerRequest, known: Mapping[str, Schema]
) -> tuple[dict[str, list[str]], list[dict[str, str]]]:
    """The known parameters of the query string as text, or what is wrong with them."""
    arguments, problems = {}, []
    for name, values in request.query_arguments.items():
        if name not in known:
            continue
        if len(values) > 1 and not is_repeatable(known[name]):
            problems.append({"field": name, "code": "repeated", "message": "must occur once"})
            continue
        try:
            arguments[name] = [value.decode("utf-8") for value in values]
        except UnicodeDecodeError:
            problems.append({"field": name, "code": "encoding", "message": "is not valid UTF-8"})
            continue
        if "\0" in "".join(arguments[name]):
            message = "must not contain a NUL character"
            problems.append({"field": name, "code": "encoding", "message": message})
    return arguments, problems
