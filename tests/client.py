"""A client that checks every answer against what the API says of itself, and small factories."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import orjson
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.httputil import HTTPHeaders
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from tornado.web import Application

from mentorapi import sweep
from mentorapi.app import ROUTES, pattern
from mentorapi.auth import make_token
from mentorapi.handlers.base import Services
from mentorapi.schemas.operation import Operation
from mentorapi.schemas.validation import details_of, validator_of

SECRET = "a secret for tests, long enough for HS256"

AsyncHTTPClient.configure(SimpleAsyncHTTPClient, max_clients=200)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: HTTPHeaders
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def message(self) -> str:
        return self.json["message"]


def is_error(answer: Answer, status: int, message: str) -> bool:
    """In the one error format, with this status and message. Asserts, to show what differs."""
    assert (answer.status, answer.message) == (status, message)
    return True


def fields_of(answer: Answer) -> list[str]:
    """What a failed validation complains about."""
    assert is_error(answer, 400, "Validation failed")
    return [detail["field"] for detail in answer.json["details"]]


class Client:
    """Somebody with a token, or nobody."""

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
    ) -> Answer:
        sent = dict(headers or {})
        if self.token is not None:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        if json is not None:
            body = orjson.dumps(json)
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        query = {name: str(value) for name, value in query.items() if value is not None}
        response = await AsyncHTTPClient().fetch(
            HTTPRequest(
                f"{self.base}/api{path}" + (f"?{urlencode(query)}" if query else ""),
                method=method,
                body=body,
                headers=sent,
                allow_nonstandard_methods=True,
                follow_redirects=False,
                request_timeout=60,
                decompress_response=False,
            ),
            raise_error=False,
        )
        if response.code == 599:
            raise response.error
        answer = Answer(response.code, response.headers, response.body or b"")
        check(method, path, answer)
        return answer

    async def get(self, path: str, **query: Any) -> Answer:
        return await self.request("GET", path, **query)

    async def post(self, path: str, json: Any = None, **more: Any) -> Answer:
        return await self.request("POST", path, json, **more)

    async def put(self, path: str, json: Any = None, **more: Any) -> Answer:
        return await self.request("PUT", path, json, **more)

    async def patch(self, path: str, json: Any = None, **more: Any) -> Answer:
        return await self.request("PATCH", path, json, **more)

    async def delete(self, path: str, **more: Any) -> Answer:
        return await self.request("DELETE", path, **more)


class User(Client):
    def __init__(self, base: str, sub: str, **claims: Any) -> None:
        super().__init__(base, make_token(SECRET, sub=sub, ttl_seconds=3600, **claims))
        self.sub = sub

    async def ok(self, method: str, path: str, json: Any = None, **more: Any) -> Any:
        """The JSON of a success."""
        answer = await self.request(method, path, json, **more)
        assert answer.status < 300, answer
        return answer.json


class Mentor(User):
    """A user with a mentor profile; ``id`` is the profile's."""

    id: str


#: Every day, all day: for tests that are not about the windows.
ALWAYS = [{"dayOfWeek": day, "startTime": "00:00", "endTime": "24:00"} for day in range(7)]


class Api:
    """The server under test. ``db`` is a pool of plain connections to its database."""

    def __init__(self, app: Application, services: Services, base: str, db: Any) -> None:
        self.app = app
        self.services = services
        self.base = base
        self.db = db
        self.nobody = Client(base)

    def user(self, sub: str, **claims: Any) -> User:
        return User(self.base, sub, **({"name": sub.title()} | claims))

    async def mentor(
        self, sub: str = "mia", windows: list[dict[str, Any]] = ALWAYS, **profile: Any
    ) -> Mentor:
        """``profile`` may hold the settings of the availability as well."""
        mentor = Mentor(self.base, sub, name=sub.title())
        names = ("sessionDuration", "bufferTime", "timezone", "defaultMeetingLink")
        settings = {name: profile.pop(name) for name in names if name in profile}
        await mentor.ok("PUT", "/mentor/availability", {"slots": windows, **settings})
        mentor.id = (await mentor.ok("PATCH", "/mentor/me", profile))["id"]
        return mentor

    async def request(
        self, mentee: User, mentor: Mentor, at: datetime | None = None, **body: Any
    ) -> dict[str, Any]:
        """A pending request, for the day after tomorrow at nine unless told otherwise."""
        return await mentee.ok("POST", "/requests", asking(mentor, at, **body))

    async def session(
        self, mentee: User, mentor: Mentor, at: datetime | None = None, **body: Any
    ) -> dict[str, Any]:
        """A confirmed session."""
        request = await self.request(mentee, mentor, at, **body)
        accepted = await mentor.ok("POST", f"/requests/{request['id']}/accept")
        return accepted["booking"]

    async def completed(
        self, mentee: User, mentor: Mentor, at: datetime | None = None, **body: Any
    ) -> dict[str, Any]:
        """A session that both sides agree took place. Its times are moved into the past by hand."""
        session = await self.session(mentee, mentor, at, **body)
        await self.make_past(session["id"])
        await mentor.ok("POST", f"/sessions/{session['id']}/complete")
        return await mentee.ok("POST", f"/sessions/{session['id']}/confirm-completion")

    async def make_past(self, session_id: str) -> None:
        """Move a session back so that it ended an hour ago (a DBA's update)."""
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
        return await sweep.run_once(self.services.db)


def asking(mentor: Mentor, at: datetime | None = None, **body: Any) -> dict[str, Any]:
    """A body for POST /requests."""
    at = at or day_after_tomorrow()
    return {
        "mentorId": mentor.id,
        "topic": "Career advice",
        "scheduledDate": f"{at:%Y-%m-%d}",
        "scheduledTime": f"{at:%H:%M}",
    } | body


def day_after_tomorrow(hour: int = 9, minute: int = 0) -> datetime:
    day = datetime.now(UTC).date() + timedelta(days=2)
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)


def coming(day_of_week: int, hour: int = 0, minute: int = 0) -> datetime:
    """The first such day (0 = Monday) that is at least two days from now."""
    day = datetime.now(UTC).date() + timedelta(days=2)
    day += timedelta(days=(day_of_week - day.weekday()) % 7)
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def iso(at: datetime | date) -> str:
    return at.isoformat().replace("+00:00", "Z")


# Every answer is what the API's description says -------------------------------------------------

_ERROR = validator_of(
    {
        "type": "object",
        "properties": {
            "statusCode": {"type": "integer"},
            "message": {"type": "string", "minLength": 1},
            "error": {"type": "string"},
            "details": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
                    "required": ["field", "message"],
                    "additionalProperties": False,
                },
            },
        },
        "required": ["statusCode", "message", "error"],
        "additionalProperties": False,
    }
)


def check(method: str, path: str, answer: Answer) -> None:
    assert answer.headers["X-Request-Id"]
    if answer.status >= 400:
        if method != "HEAD":
            assert not details_of(_ERROR, answer.json), answer
            assert answer.json["statusCode"] == answer.status
            assert answer.json["error"] == HTTPStatus(answer.status).phrase
            assert ("details" in answer.json) == (answer.message == "Validation failed")
        return
    spec = operation_of(method, path)
    if spec is None or answer.status in (204, 304):
        return
    assert answer.status == spec.status
    if answer.headers["Content-Type"].startswith("application/json"):
        problems = details_of(response_validator(spec), answer.json)
        assert not problems, (problems, answer.json)


@cache
def response_validator(spec: Operation) -> Any:
    return validator_of(spec.response)


def operation_of(method: str, path: str) -> Operation | None:
    for template, handler in ROUTES:
        if re.match(pattern(template), f"/api{path}"):
            return handler.operations().get(method)
    return None
