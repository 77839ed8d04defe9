"""The calls of the benchmarks, and the statement that the API runs for each."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson

from mentorapi.repositories import availability, mentors, requests, sessions
from tests.load.harness import call, token_of

FIRST_MENTOR = "aa000000-0000-7000-8000-000000000001"


@dataclass
class Endpoint:
    """``calls`` ask the database; each call of a write is sent once."""

    name: str
    sql: str
    #: What the response consists of.
    column: str
    calls: list[str]
    #: Of a public read: calls whose responses the API keeps in memory.
    kept: list[str] = field(default_factory=list)
    #: Of a read: the arguments of the statement.
    arguments: list[Any] = field(default_factory=list)
    #: Of a write: the arguments for each call.
    argument_lists: list[list[Any]] = field(default_factory=list)
    #: Whether the applications in peers/ have it, too.
    in_peers: bool = True


class Captured(Exception):
    """The statement that a repository was about to run, and its arguments."""


class Capture:
    """A stand-in for a connection that runs nothing."""

    async def fetchrow(self, sql: str, *arguments: Any) -> Any:
        raise Captured(sql, list(arguments))


DB: Any = Capture()


def captured(work: Coroutine[Any, Any, Any]) -> tuple[str, list[Any]]:
    # Not asyncio.run(): it would leave the tests without an event loop.
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(work)
    except Captured as statement:
        sql, arguments = statement.args
        return sql, arguments
    finally:
        loop.close()
    raise AssertionError("no statement was run")


def reads() -> list[Endpoint]:
    today = datetime.now(UTC).date()
    dates = str(today), str(today + timedelta(days=14))
    show = f"/mentors/{FIRST_MENTOR}"
    slots = f"{show}/availability?startDate={dates[0]}&endDate={dates[1]}"
    search = "/mentors/search?q=desing&limit=20"
    own = sessions.list_own(DB, "mentee-1", 1, 1000, False, False, "mentee")
    return [
        public("GET /mentors?limit=20", "/mentors?limit=20", mentors.find(DB, 1, 20), "items"),
        public("GET /mentors/:id", show, mentors.show(DB, FIRST_MENTOR), "body"),
        public(
            "GET /mentors/:id/availability",
            slots,
            availability.list_slots(DB, FIRST_MENTOR, *dates),
            "body",
        ),
        public(f"GET {search}", search, mentors.find(DB, 1, 20, q="desing"), "items", False),
        private("GET /sessions?role=mentee", "mentee-1", own, "items", False),
        private(
            "GET /requests/pending-count",
            "mentor-2",
            requests.count_pending(DB, "mentor-2"),
            "pending",
        ),
    ]


def public(
    name: str, path: str, work: Coroutine[Any, Any, Any], column: str, in_peers: bool = True
) -> Endpoint:
    sql, arguments = captured(work)
    # With a URL of its own, each request asks the database.
    fresh = f"/api{path}{'&' if '?' in path else '?'}fresh=#"
    return Endpoint(
        name,
        sql,
        column,
        calls=[call("GET", fresh)],
        kept=[call("GET", f"/api{path}")],
        arguments=arguments,
        in_peers=in_peers,
    )


def private(
    name: str, user: str, work: Coroutine[Any, Any, Any], column: str, in_peers: bool = True
) -> Endpoint:
    sql, arguments = captured(work)
    calls = [call("GET", "/api" + name.removeprefix("GET "), token_of(user))]
    return Endpoint(name, sql, column, calls, arguments=arguments, in_peers=in_peers)


def creating(size: int) -> Endpoint:
    """Pairs of a mentee and a mentor that have nothing pending yet."""
    monday = date.today() + timedelta(days=14 - date.today().weekday())
    body = {"topic": "Career advice", "scheduledDate": str(monday), "scheduledTime": "08:00"}
    sql, (_, _, *arguments) = captured(requests.create(DB, "mentee", FIRST_MENTOR, body))
    tokens = {f"mentee-{n}": token_of(f"mentee-{n}") for n in range(100, 400)}
    endpoint = Endpoint("POST /requests", sql, "body", [])
    for mentor in range(302, min(size, 701) + 1):
        mentor_id = f"aa000000-0000-7000-8000-{mentor:012x}"
        text = orjson.dumps({"mentorId": mentor_id, **body}).decode()
        for mentee, token in tokens.items():
            endpoint.calls.append(call("POST", "/api/requests", token, text))
            endpoint.argument_lists.append([mentor_id, mentee, *arguments])
    return endpoint


def accepting(size: int) -> Endpoint:
    sql, _ = captured(requests.accept(DB, FIRST_MENTOR, "mentor"))
    endpoint = Endpoint("POST /requests/:id/accept", sql, "booking", [])
    tokens = {n: token_of(f"mentor-{n}") for n in range(2, min(size, 1000) + 1)}
    for day in range(1, 61):
        for mentor, token in tokens.items():
            request_id = f"dd000000-0000-7000-8000-{mentor * 100 + day:012x}"
            endpoint.calls.append(call("POST", f"/api/requests/{request_id}/accept", token))
            endpoint.argument_lists.append([request_id, f"mentor-{mentor}"])
    return endpoint
