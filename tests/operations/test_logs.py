"""The log: one line for each request, with the ids to look for elsewhere, and no secrets."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import re
import signal
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
import structlog
from structlog.typing import EventDict

from mentorapi.config import Settings
from mentorapi.database import statements
from mentorapi.jobs import all_jobs
from mentorapi.jobs.runner import Runner
from mentorapi.telemetry import logs
from mentorapi.telemetry.context import parse_traceparent
from tests.client import BLOCKED, SECRET, Api, day_after_tomorrow, is_error
from tests.operations.test_metrics import ask
from tests.robustness.test_http import raw
from tests.serving import refused_connections
from tests.starting import Process

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


STYLES: tuple[logs.Style, ...] = ("text", "json")


class Log:
    """The lines that the server would write to stderr, in both formats."""

    def __init__(self) -> None:
        self.streams = {style: io.StringIO() for style in STYLES}
        self.handlers = []
        for style, stream in self.streams.items():
            handler = logging.StreamHandler(stream)
            handler.setFormatter(logs.formatter(style))
            self.handlers.append(handler)

    def write(self, logger: Any, method: str, event: EventDict) -> str:
        """Write an event in both formats. A processor of structlog."""
        for style, stream in self.streams.items():
            made: Any = dict(event)
            for process in logs.processors(style):
                made = process(logger, method, made)
            stream.write(f"{made}\n")
        raise structlog.DropEvent

    @property
    def text(self) -> list[str]:
        return self.streams["text"].getvalue().splitlines()

    @property
    def json(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self.streams["json"].getvalue().split("\n")[:-1]]

    def of(self, request_id: str) -> list[dict[str, Any]]:
        return [line for line in self.json if line.get("request_id") == request_id]

    def with_message(self, beginning: str) -> list[dict[str, Any]]:
        return [line for line in self.json if line["message"].startswith(beginning)]

    def everything(self) -> str:
        return "".join(stream.getvalue() for stream in self.streams.values())


@pytest.fixture
def log() -> Iterator[Log]:
    kept, root = Log(), logging.getLogger()
    level = root.level
    root.setLevel(logging.INFO)
    for handler in kept.handlers:
        root.addHandler(handler)
    configuration = structlog.get_config()
    structlog.configure(
        processors=[kept.write],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    yield kept
    structlog.configure(**configuration)
    for handler in kept.handlers:
        root.removeHandler(handler)
    root.setLevel(level)


# One line a request ------------------------------------------------------------------------------


async def test_send_request_logs_one_line(api: Api, log: Log) -> None:
    mentor = await api.mentor()
    headers = {"X-Request-Id": "r-1", "Traceparent": TRACEPARENT}
    await mentor.request("GET", f"/mentors/{mentor.id}", headers=headers)
    (line,) = log.of("r-1")
    assert line.pop("time")
    assert 0 <= line.pop("ms") < 60_000
    assert line == {
        "level": "INFO",
        "logger": "mentorapi.access",
        "message": "GET /api/mentors/{mentorId} 200",
        "request_id": "r-1",
        "method": "GET",
        "route": "/api/mentors/{mentorId}",
        "status": 200,
        # A public operation does not read the token.
        "user_id": None,
        "client": "127.0.0.1",
        "trace_id": TRACE,
    }
    (text,) = (line for line in log.text if "request_id=r-1 " in line)
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO mentorapi\.access: "
        r"GET /api/mentors/\{mentorId\} 200 request_id=r-1 ms=\d+\.\d user_id=- "
        rf"client=127\.0\.0\.1 trace_id={TRACE}",
        text,
    )


async def test_send_every_kind_of_request_logs_one_line(api: Api, log: Log) -> None:
    ada = api.user("ada")
    requests = [
        (ada, "GET", "/sessions", 200, "ada"),
        (ada, "GET", "/nope", 404, None),
        (ada, "POST", "/requests", 415, "ada"),
        (ada, "DELETE", "/requests", 405, None),
        (ada, "OPTIONS", "/requests", 204, None),
        (api.nobody, "GET", "/sessions", 401, None),
        (api.nobody, "GET", "/mentors", 200, None),
        # From the cache.
        (api.nobody, "GET", "/mentors", 200, None),
        (api.nobody, "HEAD", "/mentors", 200, None),
    ]
    for number, (client, method, path, status, user_id) in enumerate(requests):
        response = await client.request(method, path, headers={"X-Request-Id": f"r-{number}"})
        assert response.status == status
        (line,) = log.of(f"r-{number}")
        assert (line["level"], line["status"], line["user_id"]) == ("INFO", status, user_id)
    assert len(log.text) == len(log.json) == len(requests)


async def test_send_request_logs_the_id_of_its_response(api: Api, log: Log) -> None:
    response = await api.nobody.get("/mentors")
    assert len(log.of(response.headers["X-Request-Id"])) == 1


async def test_send_refused_body_logs_one_line(api: Api, log: Log) -> None:
    await api.user("ada").post("/requests", body="x" * 2_000_000)
    (line,) = log.json
    assert (line["route"], line["status"]) == ("/api/requests", 413)


async def test_probe_logs_nothing_until_it_fails(api: Api, log: Log) -> None:
    for path in ("/livez", "/readyz", "/metrics"):
        await ask(api.base, path)
    assert log.text == []
    api.services.draining = True
    await ask(api.base, "/readyz")
    (line,) = log.json
    assert (line["level"], line["route"], line["status"]) == ("WARNING", "/readyz", 503)
    assert line["cause"] == "Unavailable('The server is shutting down')"


# Failures ----------------------------------------------------------------------------------------


@pytest.mark.own_server
async def test_cause_fault_logs_one_line_with_its_traceback(api: Api, log: Log) -> None:
    mentor = await api.mentor()
    ada = api.user("ada")
    await api.db.execute("ALTER TABLE requests ADD CONSTRAINT never CHECK (topic <> 'Secret plan')")
    body = {
        "mentorId": mentor.id,
        "topic": "Secret plan",
        "scheduledDate": f"{day_after_tomorrow():%Y-%m-%d}",
        "scheduledTime": "09:00",
    }
    response = await ada.post("/requests", body, headers={"X-Request-Id": "r-500"})
    assert response.status == 500
    (line,) = log.of("r-500")
    assert line["level"] == "ERROR"
    assert line["statement"] == "requests.create"
    assert line["backend"] > 0
    assert line["exception"].startswith("Traceback (most recent call last):")
    assert "CheckViolationError" in line["exception"]
    assert len([record for record in log.json if "exception" in record]) == 1
    assert log.streams["text"].getvalue().count("Traceback (most recent call last):") == 1
    # PostgreSQL quotes the row that it refuses.
    assert "Secret plan" not in log.everything()


async def test_lose_database_logs_one_line_with_its_cause(api: Api, log: Log) -> None:
    mentor = await api.mentor()
    async with api.db.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE mentors IN ACCESS EXCLUSIVE MODE")
        asking = asyncio.ensure_future(
            mentor.request("GET", "/mentor/me", headers={"X-Request-Id": "r-503"})
        )
        backend = None
        while backend is None:
            backend = await api.db.fetchval(BLOCKED)
        await api.db.fetchval("SELECT pg_cancel_backend($1)", backend)
        response = await asking
    assert response.status == 503
    (line,) = log.of("r-503")
    assert line["level"] == "WARNING"
    assert line["cause"] == "QueryCanceledError('canceling statement due to user request')"
    assert (line["statement"], line["backend"]) == ("profile.show", backend)
    assert "exception" not in line


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "one"}], ids=["plain", "with a key"])
async def test_kill_backend_within_a_statement_logs_where_and_why(
    api: Api, log: Log, headers: dict[str, str]
) -> None:
    mentor, ada = await api.mentor(), api.user("ada")
    request = await api.request(ada, mentor)
    async with api.db.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE bookings IN ACCESS EXCLUSIVE MODE")
        asking = asyncio.ensure_future(
            mentor.post(
                f"/requests/{request['id']}/accept", headers={"X-Request-Id": "r-dead"} | headers
            )
        )
        backend = None
        while backend is None:
            backend = await api.db.fetchval(BLOCKED)
        await api.db.fetchval("SELECT pg_terminate_backend($1)", backend)
        response = await asking
    assert response.status == 503
    (line,) = log.of("r-dead")
    assert line["cause"].startswith(("AdminShutdownError", "ConnectionDoesNotExistError"))
    assert (line["statement"], line["backend"]) == ("requests.accept", backend)


@pytest.mark.own_server
async def test_fail_to_connect_logs_the_statement_and_why(
    api: Api, log: Log, postgres: str
) -> None:
    mentor = await api.mentor()
    async with refused_connections(api.db, postgres):
        while api.services.db.get_size() or api.services.listener.connected:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        response = await mentor.request("GET", "/sessions", headers={"X-Request-Id": "r-away"})
        sweep, *_ = all_jobs(sweep_interval=300)
        await Runner(api.services.db, api.services.metrics, [sweep]).run(sweep)
        while not (of_the_listener := log.with_message("The event log cannot be read yet")):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert response.status == 503
    (line,) = log.of("r-away")
    assert "is not currently accepting connections" in line["cause"]
    # The process has forgotten all users: another one may have changed them meanwhile.
    assert (line["statement"], line["backend"]) == ("account.remember", None)
    (line,) = log.with_message("Job failed")
    assert (line["level"], line["job"], line["statement"]) == ("WARNING", "sweep", "sessions.sweep")
    assert "is not currently accepting connections" in line["cause"]
    assert "exception" not in line
    (line,) = of_the_listener
    assert "is not currently accepting connections" in line["message"]


@pytest.mark.own_server
async def test_fail_job_within_a_statement_logs_where_and_why(api: Api, log: Log) -> None:
    await api.db.execute("DROP TABLE bookings CASCADE")
    sweep, *_ = all_jobs(sweep_interval=300)
    await Runner(api.services.db, api.services.metrics, [sweep]).run(sweep)
    (line,) = log.json
    assert (line["level"], line["job"], line["statement"]) == ("ERROR", "sweep", "sessions.sweep")
    assert line["message"] == "Job failed; its next run catches up"
    assert line["backend"] > 0
    assert "UndefinedTableError" in line["exception"]


async def test_refuse_slot_logs_no_warning(api: Api, log: Log) -> None:
    mentor = await api.mentor(windows=[])
    await api.user("ada").post(
        "/requests",
        {
            "mentorId": mentor.id,
            "topic": "x",
            "scheduledDate": f"{day_after_tomorrow():%Y-%m-%d}",
            "scheduledTime": "09:00",
        },
    )
    assert {line["level"] for line in log.json} == {"INFO"}


# Secrets and line breaks -------------------------------------------------------------------------


async def test_send_secrets_logs_no_token_body_or_query(api: Api, log: Log) -> None:
    mentor, ada = await api.mentor(), api.user("ada")
    await api.request(ada, mentor, message="between you and me")
    await api.nobody.get("/mentors/search", q="what-i-look-for")
    await api.nobody.request("GET", "/sessions", headers={"Authorization": "Bearer not-a-token"})
    await ada.post("/requests", body='{"topic": "between you and me"')
    said = log.everything()
    for secret in (ada.token, mentor.token, "not-a-token", "between you", "what-i-look-for"):
        assert secret
        assert secret not in said
    assert "/api/mentors/search 200" in said


@pytest.mark.parametrize(
    ("target", "header"),
    [
        ("/api/mentors", "Authorization: Bearer the\x01secret"),
        ("/api/mentors", "Host: the secret"),
        ("/api/mentors?the=secret&" + "&".join(["x=1"] * 2000), "A: b"),
        ("/api/mentors HTTP/1.1 the secret", "A: b"),
    ],
)
async def test_send_unreadable_request_logs_none_of_it(
    api: Api, log: Log, target: str, header: str
) -> None:
    await raw(api, f"GET {target} HTTP/1.1", header)
    assert "secret" not in log.everything()


async def test_send_line_breaks_logs_no_lines_of_the_client(api: Api, log: Log) -> None:
    for sub, shown in (
        ("m status=500 user_id=admin", '"m status=500 user_id=admin"'),
        ('"m', r'"\"m"'),
        # Some programs end a line here.
        ("m\u2028m", r'"m\u2028m"'),
    ):
        await api.user(sub).get("/sessions")
        assert f" user_id={shown} client=" in log.text[-1]
        assert log.json[-1]["user_id"] == sub
    assert len(log.text) == 3


# Traces ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        TRACEPARENT,
        f"00-{TRACE}-00f067aa0ba902b7-00",
        f"cc-{TRACE}-00f067aa0ba902b7-01",
        f"cc-{TRACE}-00f067aa0ba902b7-01-what-comes-later",
    ],
)
def test_send_traceparent_logs_its_trace_id(header: str) -> None:
    assert parse_traceparent(header) == TRACE


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        TRACE,
        TRACEPARENT.upper(),
        TRACEPARENT + "\n",
        TRACEPARENT + "-more",
        TRACEPARENT + "0",
        " " + TRACEPARENT,
        f"{TRACEPARENT},{TRACEPARENT}",
        f"ff-{TRACE}-00f067aa0ba902b7-01",
        f"0-{TRACE}-00f067aa0ba902b7-01",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-00f067aa0ba902b7-01",
        f"00-{TRACE[:-1]}g-00f067aa0ba902b7-01",
        f"00-{TRACE}-00f067aa0ba902b7",
        f"cc-{TRACE}-00f067aa0ba902b7-01.more",
    ],
)
async def test_parse_malformed_traceparent_is_none(header: str | None) -> None:
    assert parse_traceparent(header) is None


async def test_send_malformed_traceparent_logs_no_trace_id(api: Api, log: Log) -> None:
    response = await api.nobody.request("GET", "/mentors", headers={"Traceparent": "00-1-2-01"})
    assert response.status == 200
    assert "trace_id" not in log.json[0]


# From a request to its statements ----------------------------------------------------------------


async def test_run_slow_statement_logs_it(
    api: Api, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    mentor = await api.mentor()
    monkeypatch.setattr(statements, "SLOW_SECONDS", 0.2)
    async with api.db.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE mentors IN ACCESS EXCLUSIVE MODE")
        asking = asyncio.ensure_future(
            mentor.request("GET", "/mentor/me", headers={"X-Request-Id": "r-slow"})
        )
        # Not on this connection: a transaction sees the query_start of its first look.
        while not await api.db.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
            "AND datname = current_database() AND clock_timestamp() > query_start + '0.3 s'"
        ):
            assert not asking.done()
    assert (await asking).status == 200
    slow, answered = log.of("r-slow")
    assert (slow["level"], slow["message"]) == ("WARNING", "Slow statement")
    assert slow["statement"] == "profile.show"
    assert slow["ms"] >= 200
    assert slow["backend"] > 0
    assert answered["status"] == 200
    (text,) = (line for line in log.text if "Slow statement" in line)
    assert re.search(
        r"statements: Slow statement statement=profile\.show ms=\d+ backend=\d+ request_id=r-slow$",
        text,
    )


async def names(api: Api) -> set[str]:
    rows = await api.db.fetch(
        "SELECT application_name FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name LIKE 'mentorapi%'"
    )
    return {row["application_name"] for row in rows}


async def test_open_connection_names_it_after_the_program(api: Api) -> None:
    await api.user("ada").request("GET", "/sessions", headers={"X-Request-Id": "r-1"})
    assert await names(api) == {"mentorapi"}


class TestWithTraceSql:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(jwt_secret=SECRET, trace_sql=True)

    async def test_trace_sql_names_connection_after_the_request(self, api: Api) -> None:
        mentor = await api.mentor()
        async with api.db.acquire() as connection, connection.transaction():
            await connection.execute("LOCK TABLE mentors IN ACCESS EXCLUSIVE MODE")
            asking = asyncio.ensure_future(
                mentor.request("GET", "/mentor/me", headers={"X-Request-Id": "r-1"})
            )
            found = None
            while found is None:
                found = await api.db.fetchrow(
                    "SELECT application_name, query FROM pg_stat_activity "
                    "WHERE wait_event_type = 'Lock' AND datname = current_database()"
                )
        assert (await asking).status == 200
        assert found["application_name"] == "mentorapi r-1"
        assert found["query"].startswith("-- profile.show: ")

    async def test_trace_sql_names_connection_anew_for_each_request(self, api: Api) -> None:
        ada = api.user("ada")
        for name in ("r-1", "r-2"):
            await ada.request("GET", "/sessions", headers={"X-Request-Id": name})
            # The other one is the listener.
            assert await names(api) == {"mentorapi", f"mentorapi {name}"}
        await api.sweep()
        assert await names(api) == {"mentorapi"}

    async def test_trace_sql_shortens_long_ids(self, api: Api) -> None:
        name = "x" * 128
        await api.user("ada").request("GET", "/sessions", headers={"X-Request-Id": name})
        assert f"mentorapi {name}"[:63] in await names(api)

    async def test_trace_sql_for_requests_at_once_keeps_their_names(self, api: Api) -> None:
        ada = api.user("ada")
        await ada.get("/sessions")
        seen: dict[str, str] = {}
        fetchrow = asyncpg.Connection.fetchrow

        async def watched(self: Any, sql: str, *arguments: Any, **more: Any) -> Any:
            if sql.startswith("-- session_shapes") or "json_agg" in sql:
                name = self.get_settings().application_name
                seen[name] = sql
            return await fetchrow(self, sql, *arguments, **more)

        asyncpg.Connection.fetchrow = watched
        try:
            await asyncio.gather(
                *(
                    ada.request("GET", "/sessions", headers={"X-Request-Id": f"r-{number}"})
                    for number in range(20)
                )
            )
        finally:
            asyncpg.Connection.fetchrow = fetchrow
        assert seen.keys() == {f"mentorapi r-{number}" for number in range(20)}

    async def test_trace_sql_keeps_errors_as_they_are(self, api: Api) -> None:
        mentor = await api.mentor(windows=[])
        response = await api.user("ada").post("/requests", {"mentorId": mentor.id})
        assert response.status == 400
        assert is_error(await api.nobody.get("/mentors/x"), 404, "Mentor not found")


# A real process ----------------------------------------------------------------------------------


def test_start_server_logs_to_stderr(data_dir: Path) -> None:
    line = orjson.loads(line_of_server(data_dir, "json"))
    assert line.pop("ms") >= 0
    assert abs(datetime.now(UTC) - datetime.fromisoformat(line.pop("time"))).seconds < 60
    assert line == {
        "level": "INFO",
        "logger": "mentorapi.access",
        "message": "GET /api/mentors 200",
        "request_id": "r-1",
        "method": "GET",
        "route": "/api/mentors",
        "status": 200,
        "user_id": None,
        "client": "127.0.0.1",
    }
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO mentorapi\.access: "
        r"GET /api/mentors 200 request_id=r-1 ms=\d+\.\d user_id=- client=127\.0\.0\.1",
        line_of_server(data_dir, "text"),
    )


def line_of_server(data_dir: Path, style: str) -> str:
    """Return the line that a server writes for a request."""
    with Process(data_dir, LOG_FORMAT=style) as process:
        base = process.listening().removesuffix("/api")
        assert fetch(f"{base}/api/mentors?q=secret", "r-1") == 200
        process.signal(signal.SIGTERM)
        complaint = process.complaint()
    assert "secret" not in complaint
    (line,) = (line for line in complaint.splitlines() if "r-1" in line)
    return line


@pytest.mark.parametrize(
    "value", ["\ud800", 2**70, b"\xff", ValueError("x"), {1: 2}, float("nan")], ids=ascii
)
def test_log_any_text_writes_one_line(log: Log, value: object) -> None:
    structlog.get_logger("mentorapi").info("Look", strange=value)
    assert len(log.text) == 1
    assert "Look strange=" in log.text[0]
    (line,) = (json.loads(line) for line in log.streams["json"].getvalue().splitlines())
    assert line["message"] == "Look"
    assert "strange" in line


def test_log_without_reader_of_stderr_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    stderr = open(writing, "w", buffering=1)  # noqa: SIM115 - to close it fails, too
    with pytest.raises(BrokenPipeError):
        stderr.write("line\n")
    monkeypatch.setattr(sys, "stderr", stderr)
    logs.StderrLogger("mentorapi").info("line")
    monkeypatch.undo()
    with suppress(BrokenPipeError):
        stderr.close()


def fetch(url: str, request_id: str) -> int:
    request = urllib.request.Request(url, headers={"X-Request-Id": request_id})
    with urllib.request.urlopen(request) as response:
        return int(response.status)
