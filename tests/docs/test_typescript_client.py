"""A front-end developer's day: types made of the document, and the guide's four flows as a small
TypeScript program that runs in Node and on a page of another origin. It is in ``tests/node/``."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from datetime import timedelta
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
from tests import npm
from tests.client import SECRET, Api, User, instant
from tests.clock import Clock

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


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, with types from the document, built."""
    folder = npm.installed(tmp_path_factory.getbasetemp())
    (folder / "openapi.json").write_bytes(orjson.dumps(openapi.document()))
    npm.run(folder, "npm", "run", "types")
    npm.run(folder, "npm", "run", "build")
    return folder


PAGE = (
    '<!doctype html><meta charset="utf-8"><title>A page</title><script src="/browser.js"></script>'
)


class ShowPage(RequestHandler):
    def get(self) -> None:
        self.write(PAGE)


@pytest.fixture
def page_port(project: Path, io_loop: IOLoop) -> Iterator[int]:
    """Of a server of pages that is not the API's."""
    app = Application(
        [("/", ShowPage), ("/(browser.js)", StaticFileHandler, {"path": str(project / "dist")})]
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


async def assert_both_sessions(jane: User) -> None:
    sessions = await jane.ok("GET", "/sessions", role="mentee")
    assert sorted(session["status"] for session in sessions) == ["completed", "disputed"]


async def converse(folder: Path, command: list[str], api: Api, clock: Clock) -> dict[str, Any]:
    """Run the program and let time pass when it asks; returns what it says at the end."""
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
