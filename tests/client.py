"""A client that checks each response against the OpenAPI document, and helpers that create data."""

from __future__ import annotations

import gzip
import inspect
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import orjson
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.httputil import HTTPHeaders
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from tornado.web import Application

from mentorapi import errors, openapi
from mentorapi.app import ROUTES
from mentorapi.auth.development import make_token
from mentorapi.events.listener import Listener
from mentorapi.http.router import pattern
from mentorapi.http.services import Services
from mentorapi.jobs import all_jobs, sweep
from mentorapi.schemas import common
from mentorapi.schemas.operation import Operation
from mentorapi.schemas.validation import Details, details_of, validator_of

SECRET = "a secret for tests, long enough for HS256"

#: The connections of this database that wait for a lock.
BLOCKED = """
    SELECT pid FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND datname = current_database()
"""

AsyncHTTPClient.configure(SimpleAsyncHTTPClient, max_clients=200)


@dataclass(frozen=True)
class Response:
    status: int
    headers: HTTPHeaders
    body: bytes

    @property
    def content(self) -> bytes:
        """The body, decompressed."""
        zipped = self.headers.get("Content-Encoding") == "gzip"
        return gzip.decompress(self.body) if zipped else self.body

    @property
    def json(self) -> Any:
        return orjson.loads(self.content)

    @property
    def message(self) -> str:
        return self.json["message"]


def is_error(response: Response, status: int, message: str) -> bool:
    """Assert that a response is an error with this status and message. Returns True."""
    assert (response.status, response.message) == (status, message)
    return True


def fields_of(response: Response) -> list[str]:
    """The fields that the response to a failed validation names."""
    assert is_error(response, 400, "Validation failed")
    return [detail["field"] for detail in response.json["details"]]


class Client:
    """A client with a token, or without one."""

    def __init__(self, base: str, token: str | None = None) -> None:
        self.base = base
        self.token = token

    async def request(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        body: bytes | str | None = None,
        headers: dict[str, str] | None = None,
        **query: Any,
    ) -> Response:
        sent = dict(headers or {})
        if self.token is not None:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        if json is not None:
            body = orjson.dumps(json)
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        query = {name: str(value) for name, value in query.items() if value is not None}
        fetched = await AsyncHTTPClient().fetch(
            HTTPRequest(
                f"{self.base}/api{path}" + (f"?{urlencode(query)}" if query else ""),
                method=method,
                body=body,
                headers=sent,
                allow_nonstandard_methods=True,
                follow_redirects=False,
                connect_timeout=120,
                request_timeout=120,
                decompress_response=False,
            ),
            raise_error=False,
        )
        if fetched.code == 599:
            raise fetched.error
        response = Response(fetched.code, fetched.headers, fetched.body or b"")
        check(method, path, response)
        return response

    async def get(self, path: str, **query: Any) -> Response:
        return await self.request("GET", path, **query)

    async def post(self, path: str, json: Any = None, **more: Any) -> Response:
        return await self.request("POST", path, json, **more)

    async def put(self, path: str, json: Any = None, **more: Any) -> Response:
        return await self.request("PUT", path, json, **more)

    async def patch(self, path: str, json: Any = None, **more: Any) -> Response:
        return await self.request("PATCH", path, json, **more)

    async def delete(self, path: str, **more: Any) -> Response:
        return await self.request("DELETE", path, **more)


class User(Client):
    def __init__(self, base: str, sub: str, **claims: Any) -> None:
        super().__init__(base, make_token(SECRET, sub=sub, ttl_seconds=3600, **claims))
        self.sub = sub

    async def ok(self, method: str, path: str, json: Any = None, **more: Any) -> Any:
        """Send a request; return the JSON of the response, which must be a success."""
        response = await self.request(method, path, json, **more)
        assert response.status < 300, response
        return response.json


class Mentor(User):
    """A user with a mentor profile; ``id`` is the profile's."""

    id: str


#: Every day, all day: for tests that are not about the windows.
ALWAYS = [{"dayOfWeek": day, "startTime": "00:00", "endTime": "24:00"} for day in range(7)]


class Psql:
    """The pool of a DBA. After each statement it waits until the server's cache is current."""

    def __init__(self, pool: Any, listener: Listener) -> None:
        self._pool = pool
        self._listener = listener

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._pool, name)
        if not inspect.iscoroutinefunction(method):
            return method

        async def run(*arguments: Any, **more: Any) -> Any:
            try:
                return await method(*arguments, **more)
            finally:
                await self._listener.wait_until_current()

        return run


class Api:
    """The server under test. ``db`` is a pool of plain connections to its database."""

    def __init__(self, app: Application, services: Services, base: str, db: Any) -> None:
        self.app = app
        self.services = services
        self.base = base
        self.db = Psql(db, services.listener)
        self.nobody = Client(base)

    def user(self, sub: str, **claims: Any) -> User:
        return User(self.base, sub, **({"name": sub.title()} | claims))

    async def mentor(
        self, sub: str = "mia", windows: list[dict[str, Any]] = ALWAYS, **profile: Any
    ) -> Mentor:
        """Create a mentor. ``profile`` may contain the settings of the availability, too."""
        mentor = Mentor(self.base, sub, name=sub.title())
        names = ("sessionDuration", "bufferTime", "timezone", "defaultMeetingLink")
        settings = {name: profile.pop(name) for name in names if name in profile}
        await mentor.ok("PUT", "/mentor/availability", {"slots": windows, **settings})
        mentor.id = (await mentor.ok("PATCH", "/mentor/me", profile))["id"]
        return mentor

    async def request(
        self, mentee: User, mentor: Mentor, at: datetime | None = None, **body: Any
    ) -> dict[str, Any]:
        """Create a pending request, by default for 09:00 on the day after tomorrow."""
        return await mentee.ok("POST", "/requests", asking(mentor, at, **body))

    async def session(
        self, mentee: User, mentor: Mentor, at: datetime | None = None, **body: Any
    ) -> dict[str, Any]:
        """Create a confirmed session."""
        request = await self.request(mentee, mentor, at, **body)
        accepted = await mentor.ok("POST", f"/requests/{request['id']}/accept")
        return accepted["booking"]

    async def completed(
        self, mentee: User, mentor: Mentor, at: datetime | None = None, **body: Any
    ) -> dict[str, Any]:
        """Create a completed session. An UPDATE moves its times into the past."""
        session = await self.session(mentee, mentor, at, **body)
        await self.make_past(session["id"])
        await mentor.ok("POST", f"/sessions/{session['id']}/complete")
        return await mentee.ok("POST", f"/sessions/{session['id']}/confirm-completion")

    async def rate(self, mentor: Mentor, *ratings: int, by: str = "rater") -> None:
        """Insert reviews by one mentee with SQL; the last one is the newest."""
        await self.db.execute(
            "INSERT INTO users (id, name) VALUES ($1, $2) ON CONFLICT DO NOTHING", by, by.title()
        )
        for rating in ratings:
            await self.db.execute(
                """
                WITH booking AS (
                    INSERT INTO bookings (
                        mentor_id, mentee_id, topic, start_time, end_time, status
                    ) VALUES (
                        $1, $2, 'Advice', now() - interval '2 h', now() - interval '1 h',
                        'completed'
                    ) RETURNING id, mentor_id, mentee_id
                )
                INSERT INTO reviews (booking_id, mentor_id, mentee_id, rating)
                SELECT id, mentor_id, mentee_id, $3 FROM booking
                """,
                mentor.id,
                by,
                rating,
            )
        await self.services.listener.wait_until_current()

    async def by_hand(
        self,
        mentee: User,
        mentor: Mentor,
        status: str = "pending",
        at: datetime | None = None,
        minutes: int = 60,
    ) -> str:
        """Insert a session with SQL; return its id."""
        at = at or day_after_tomorrow()
        await self.db.execute(
            "INSERT INTO users (id) VALUES ($1) ON CONFLICT DO NOTHING", mentee.sub
        )
        session_id = await self.db.fetchval(
            """
            INSERT INTO bookings (mentor_id, mentee_id, topic, start_time, end_time, status)
            VALUES ($1, $2, 'By hand', $3, $4, $5)
            RETURNING id
            """,
            mentor.id,
            mentee.sub,
            at,
            at + timedelta(minutes=minutes),
            status,
        )
        return str(session_id)

    async def make_past(self, session_id: str) -> None:
        """Move a session back with SQL, so that it ended an hour ago."""
        await self.db.execute(
            """
            UPDATE bookings SET
                start_time = now() - interval '1 hour' - (end_time - start_time),
                end_time = now() - interval '1 hour'
            WHERE id = $1
            """,
            session_id,
        )

    async def sweep(self) -> int:
        """Run the sweep; return how many sessions and requests it changed."""
        return sum((await sweep.run(self.services.db)).values())

    async def run_job(self, name: str) -> None:
        """Run a background job once, as the server does at its interval."""
        jobs = {job.name: job for job in all_jobs(sweep_interval=300)}
        await jobs[name].run(self.services.db)


def asking(mentor: Mentor, at: datetime | None = None, **body: Any) -> dict[str, Any]:
    """A body for POST /requests."""
    at = at or day_after_tomorrow()
    return {
        "mentorId": mentor.id,
        "topic": "Career advice",
        "scheduledDate": f"{at:%Y-%m-%d}",
        "scheduledTime": f"{at:%H:%M}",
    } | body


#: The day on which the tests began: a test that runs at midnight still sees one day.
TODAY = datetime.now(UTC).date()


def day_after_tomorrow(hour: int = 9, minute: int = 0) -> datetime:
    return datetime.combine(TODAY + timedelta(days=2), time(hour, minute), UTC)


def coming(day_of_week: int, hour: int = 0, minute: int = 0) -> datetime:
    """The first day with this number (0 is Monday) that is at least two days from now."""
    day = TODAY + timedelta(days=2)
    day += timedelta(days=(day_of_week - day.weekday()) % 7)
    return datetime.combine(day, time(hour, minute), UTC)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def iso(at: datetime | date) -> str:
    return at.isoformat().replace("+00:00", "Z")


def phrase(status: int) -> str:
    """The name of a status in RFC 9110, whatever Python calls it."""
    new = {413: "Content Too Large", 414: "URI Too Long", 422: "Unprocessable Content"}
    return new.get(status, HTTPStatus(status).phrase)


# Check of each response against the OpenAPI document ---------------------------------------------

_ERROR = validator_of(common.ERROR)


def check(method: str, path: str, response: Response) -> None:
    assert response.headers["X-Request-Id"]
    if response.status >= 400:
        if method != "HEAD":
            assert not details_of(_ERROR, response.json), response
            assert response.json["statusCode"] == response.status
            assert response.json["error"] == phrase(response.status)
            assert response.headers[errors.CODE_HEADER] in errors.CODES, response
            assert ("details" in response.json) == (response.message == "Validation failed")
            check_documented(method, path, response)
        return
    spec = operation_of(method, path)
    if spec is None or response.status in (204, 304):
        return
    assert response.status == spec.status
    if response.headers["Content-Type"].startswith("application/json"):
        problems = problems_of(spec, response.content)
        assert not problems, (problems, response.json)


def check_documented(method: str, path: str, response: Response) -> None:
    spec = operation_of(method, path)
    # A body that is too large is refused also where no body is expected.
    if spec is None or response.status == 413:
        return
    # A message says what is wrong with the JSON or the token. The document has one for each.
    malformed = errors.MalformedJson.message
    message = malformed if response.message.startswith(malformed) else response.message
    if response.status == errors.Unauthorized.status:
        message = errors.Unauthorized.message
    assert (response.status, message) in documented_errors()[spec.name], (spec.name, response)


@cache
def documented_errors() -> dict[str, set[tuple[int, str]]]:
    """The errors of each operation in the OpenAPI document, as (status, message)."""
    document = openapi.document()
    components = document["components"]

    def of(kind: str, content: dict[str, Any]) -> dict[str, Any]:
        name = content.get("$ref", "").rpartition("/")[2]
        return components[kind][name] if name else content

    return {
        described["operationId"]: {
            (int(status), of("examples", shown)["value"]["message"])
            for status, response in described["responses"].items()
            for media in of("responses", response).get("content", {}).values()
            for shown in media.get("examples", {}).values()
        }
        for methods in document["paths"].values()
        for described in methods.values()
    }


@lru_cache(maxsize=4096)
def problems_of(spec: Operation, body: bytes) -> Details:
    """Validate a body. Cached, since tests read the same lists often."""
    return details_of(response_validator(spec), orjson.loads(body))


@cache
def response_validator(spec: Operation) -> Any:
    return validator_of(spec.response)


def operation_of(method: str, path: str) -> Operation | None:
    path = path.partition("?")[0]
    for template, handler in ROUTES:
        if re.fullmatch(pattern(template), f"/api{path}"):
            return handler.operations().get(method)
    return None
