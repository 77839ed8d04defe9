"""A TypeScript program with types generated from the OpenAPI document (``tests/node/``).

It runs the guide's four flows, in Node and on a page of another origin."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler, StaticFileHandler

from mentorapi import openapi
from mentorapi.config import Settings
from mentorapi.demo import fill
from tests import npm
from tests.client import SECRET, Api, User, instant
from tests.clock import Clock
from tests.docs.documents import API, blocks, section

pytestmark = pytest.mark.skipif(not npm.IS_THERE, reason="needs Node 20 and npm")

DASHBOARD = {
    "totalMentees": 1,
    "totalEarnings": 5000,
    "totalSessions": 1,
    "pendingBookings": 0,
    "upcomingBookings": 0,
    "avgRating": 5,
    "totalReviews": 1,
}


#: The sections of docs/api.md with code, and the modules made from them.
DOCUMENTED = {
    "A client in TypeScript": "client",
    "Generated types": "generated",
    "Pages of a list": "pages",
    "Times and time zones": "times",
    "Finding a mentor": "discovery",
    "A calendar in the user's own zone": "week",
    "Idempotency": "idempotency",
    "Polling": "polling",
    "Images": "images",
    "Calendar files": "calendar",
}


def as_module(code: str) -> str:
    """Make a module of code from the document.

    It exports everything, imports the client, and reads the base URL, the token and an id from the
    command line.
    """
    code = code.replace('"http://127.0.0.1:8000/api"', "baseUrl")
    code = re.sub(r"^(?=(async |function |const |interface |type ))", "export ", code, flags=re.M)
    preamble = []
    if "class ApiError" not in code:
        client = [name for name in ("ApiError", "call") if re.search(rf"\b{name}\b", code)]
        if client:
            preamble.append(f'import {{ {", ".join(client)} }} from "./documented_client";')
        for place, name in enumerate(("baseUrl", "token", "id"), start=2):
            if re.search(rf"\b{name}\b(?!:)", code):
                # A page reads the fragment of its URL instead of arguments.
                value = (
                    "location.hash.slice(1)" if "document." in code else f"process.argv[{place}]"
                )
                preamble.append(f"const {name} = {value} as string;")
    return "\n".join([*preamble, code])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built program, with types generated from the document."""
    folder = npm.installed(tmp_path_factory.getbasetemp())
    (folder / "openapi.json").write_bytes(orjson.dumps(openapi.document()))
    for heading, name in DOCUMENTED.items():
        code = "\n".join(blocks(section(API, heading), "ts"))
        (folder / "src" / f"documented_{name}.ts").write_text(as_module(code))
    npm.run(folder, "npm", "run", "types")
    npm.run(folder, "npm", "run", "build")
    return folder


PAGE = (
    '<!doctype html><meta charset="utf-8"><title>A page</title><script src="/browser.js"></script>'
)


DISCOVERY_PAGE = f"""
<!doctype html><html lang="en"><meta charset="utf-8"><title>Mentors</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
{"".join(blocks(section(API, "Finding a mentor"), "html"))}
<script type="module" src="/documented_discovery.js"></script>
"""


class ShowPage(RequestHandler):
    def initialize(self, page: str) -> None:
        self.page = page

    def get(self) -> None:
        self.write(self.page)


@pytest.fixture
def page_port(project: Path, io_loop: IOLoop) -> Iterator[int]:
    """The port of a server of pages: another origin than the API."""
    app = Application(
        [
            ("/", ShowPage, {"page": PAGE}),
            ("/discovery", ShowPage, {"page": DISCOVERY_PAGE}),
            (r"/(\w+\.js)", StaticFileHandler, {"path": str(project / "dist")}),
        ]
    )
    server = HTTPServer(app)
    socket, port = bind_unused_port()

    async def start() -> None:
        server.add_socket(socket)

    async def stop() -> None:
        server.stop()
        await server.close_all_connections()

    io_loop.run_sync(start)
    yield port
    io_loop.run_sync(stop)


@pytest.fixture
def settings(page_port: int) -> Settings:
    return Settings(jwt_secret=SECRET, cors_origins=(f"http://127.0.0.1:{page_port}",))


def test_compile_client_accepts_flows_and_rejects_mistakes(project: Path) -> None:
    npm.run(project, "npm", "run", "check")


async def test_run_four_flows_in_node_succeeds(api: Api, clock: Clock, project: Path) -> None:
    served = (await api.nobody.get("/openapi.json")).json
    assert served == orjson.loads((project / "openapi.json").read_bytes())
    john, jane = api.user("john"), api.user("jane")
    command = ["node", "dist/node.js", f"{api.base}/api", john.token, jane.token]
    seen = await converse(project, command, api, clock)
    assert seen["dashboard"] == DASHBOARD
    await assert_both_sessions(jane)


@pytest.mark.skipif(npm.CHROMIUM is None, reason="needs chromium")
async def test_run_four_flows_in_browser_of_another_origin_succeeds(
    api: Api, clock: Clock, project: Path, page_port: int
) -> None:
    await api.mentor("mia")
    john, jane = api.user("john"), api.user("jane")
    command = [
        "node",
        "dist/drive.js",
        str(npm.CHROMIUM),
        f"http://127.0.0.1:{page_port}/",
        f"http://localhost:{page_port}/",
        f"{api.base}/api",
        john.token,
        jane.token,
    ]
    seen = await converse(project, command, api, clock)
    assert seen["dashboard"] == DASHBOARD
    await assert_both_sessions(jane)

    assert seen["refusals"] == ["TypeError: Failed to fetch"] * 2
    complaints = [text for text in seen["complaints"] if "CORS policy" in text]
    assert len(complaints) == 2
    profile = (await john.ok("GET", "/mentor/me"))["profile"]
    assert profile["headline"] == "Senior Software Engineer"


async def test_run_the_code_of_the_document_books_a_session(
    api: Api, clock: Clock, project: Path
) -> None:
    await clock.stop_at(datetime(2027, 10, 1, tzinfo=UTC))
    mentor, jane = await api.mentor("mia"), api.user("jane")
    await api.mentor("max")
    process = await asyncio.create_subprocess_exec(
        *("node", "dist/guide.js", f"{api.base}/api", jane.token, mentor.id),
        cwd=project,
        env=os.environ | {"TZ": "Pacific/Auckland"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    seen = orjson.loads(out)
    (request,) = await mentor.ok("GET", "/requests", role="received")
    assert request["id"] == seen["request"]
    assert {name: request[name] for name in seen["scheduled"]} == seen["scheduled"]


@pytest.mark.skipif(npm.CHROMIUM is None, reason="needs chromium")
async def test_open_discovery_page_of_the_document_filters_mentors(
    api: Api, settings: Settings, project: Path, page_port: int, tmp_path: Path
) -> None:
    """In a wide window and in one of a phone's size."""
    await fill.fill(api.services.db, settings)
    process = await asyncio.create_subprocess_exec(
        *("node", "discovery.mjs", str(npm.CHROMIUM)),
        f"http://127.0.0.1:{page_port}/discovery#{api.base}/api",
        str(os.environ.get("SCREENSHOTS", tmp_path)),
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    listed = [card["fullName"] for card in (await api.nobody.get("/mentors")).json]
    for seen in orjson.loads(out):
        assert seen["complaints"] == []
        assert seen["overflow"] == 0
        assert seen["all"] == listed
        assert seen["languages"][0] == f"English ({len(listed) - 1})"
        assert seen["portuguese"] == ["João Pedro Gonçalves"]
        assert "Zoë Vandenberghe" in seen["cheap"]
        assert 0 < len(seen["cheap"]) < len(listed)
        assert 0 < len(seen["free"]) <= len(listed)
        assert all(len(times) in (1, 2, 3) for times in seen["times"])


async def assert_both_sessions(jane: User) -> None:
    sessions = await jane.ok("GET", "/sessions", role="mentee")
    assert sorted(session["status"] for session in sessions) == ["completed", "disputed"]


async def converse(folder: Path, command: list[str], api: Api, clock: Clock) -> dict[str, Any]:
    """Run the program, move the clock when it asks for that, and return its last line."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    said: dict[str, Any] = {}
    try:
        async for line in process.stdout:
            said = orjson.loads(line)
            if "until" in said:
                await clock.move_to(instant(said["until"]) + timedelta(seconds=1))
                await api.sweep()
                process.stdin.write(b"\n")
        assert await process.wait() == 0, (await process.stderr.read()).decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return said
