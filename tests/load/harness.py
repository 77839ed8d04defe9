"""The shared parts of the scripts: a seeded database, servers on a core of their own, wrk."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psutil

from mentorapi.auth.development import make_token
from mentorapi.database import embedded
from mentorapi.database.migrate import migrate

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SECRET = "a secret for the benchmark, long enough"
POOL_SIZE = 10
CONNECTIONS = 32
CORES = range(psutil.cpu_count() or 1)
#: No server here writes as fast. wrk reads no more calls than that.
MAX_RATE = 10_000
#: Whether a process can be kept on one core (not on macOS).
CAN_PIN = hasattr(os, "sched_setaffinity") and len(CORES) > 1


# Servers -----------------------------------------------------------------------------------------


def pin() -> None:
    """Leave the first core to the servers. wrk and PostgreSQL inherit the others."""
    for tool in ("wrk", "pgbench"):
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is not installed (Debian: wrk, postgresql-contrib)")
    if CAN_PIN:
        os.sched_setaffinity(0, CORES[1:])


@contextmanager
def process(
    command: list[str], env: dict[str, str], ready: str, *, stderr: int = subprocess.DEVNULL
) -> Iterator[tuple[int, str]]:
    """Start a server; yield its process id, and the group in ``ready`` from its output."""
    running = subprocess.Popen(
        command,
        env=os.environ | env,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        # All its threads are on the first core.
        preexec_fn=(lambda: os.sched_setaffinity(0, CORES[:1])) if CAN_PIN else None,
    )
    try:
        assert running.stdout is not None
        for line in running.stdout:
            if found := re.search(ready, line):
                break
        else:
            raise SystemExit(f"{command} did not start")
        yield running.pid, found[1]
    finally:
        running.terminate()
        running.wait()


@contextmanager
def running_api(url: str, folder: Path, pool_size: int = POOL_SIZE) -> Iterator[tuple[int, str]]:
    """The process id and the address of this API on the database ``url``."""
    env = {
        "MENTORAPI_DATABASE_URL": url,
        "MENTORAPI_JWT_SECRET": SECRET,
        "MENTORAPI_PORT": "0",
        "MENTORAPI_POOL_SIZE": str(pool_size),
        "MENTORAPI_DATA_DIR": str(folder / "var"),
    }
    with process([sys.executable, "run.py"], env, r"(http://\S+)/api") as api:
        yield api


# Driving -----------------------------------------------------------------------------------------


def call(method: str, path: str, token: str = "-", body: str = "-") -> str:
    """A line for drive.lua. ``#`` in the path becomes a new number with each request."""
    return "\t".join([method, path, token, body])


def token_of(user: str) -> str:
    return make_token(SECRET, sub=user, ttl_seconds=86_400)


@dataclass
class Figure:
    """The result of one round: requests per second, and waits in milliseconds."""

    rate: float
    p50: float = 0.0
    p99: float = 0.0
    count: int = 0
    failed: int = 0
    #: Per request.
    statements: float = 0.0


class Wrk:
    """A run of wrk against servers, for ``seconds`` each."""

    def __init__(self, folder: Path, seconds: int, connections: int = CONNECTIONS) -> None:
        self.folder, self.seconds, self.connections = folder, seconds, connections
        self._used: dict[str, int] = {}
        self._sent = 0

    def take(self, name: str, calls: list[str], count: int = 1) -> list[str]:
        """The next of the calls that may be sent only once."""
        start = self._used.get(name, 0)
        self._used[name] = start + count
        if self._used[name] > len(calls):
            raise SystemExit(f"{name}: no calls left; use fewer --rounds or more --mentors")
        return calls[start : start + count]

    def drive(self, base: str, calls: list[str], once: str = "") -> Figure:
        """Send the calls in turn, from the start again after the last.

        With a name in ``once``, each call is sent once only, in this and in later rounds.
        """
        file = self.folder / "calls"
        if once:
            start = self._used.get(once, 0)
            sent = calls[start : start + MAX_RATE * self.seconds]
        else:
            sent = calls
        file.write_text("\n".join(sent) + "\n")
        command = ["wrk", "-t1", f"-c{self.connections}", f"-d{self.seconds}s", "--latency"]
        # A `#` must differ from those of earlier rounds. Calls to be sent once are sent in order.
        first = 0 if once else self._sent
        command += ["-s", str(HERE / "drive.lua"), base, "--", str(file), str(first)]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        count = int(number(r"(\d+) requests in", out))
        if not count:
            raise SystemExit(f"no response within {self.seconds} s; use a larger --seconds")
        # Requests in flight at the end were sent, too.
        if once:
            self.take(once, calls, count + self.connections)
        else:
            self._sent += count + self.connections
        return Figure(
            number(r"Requests/sec:\s+([\d.]+)", out),
            milliseconds(r"\s50%\s+([\d.]+)(\w+)", out),
            milliseconds(r"\s99%\s+([\d.]+)(\w+)", out),
            count,
            int(number(r"Non-2xx or 3xx responses: (\d+)", out, default=0)),
        )


def number(pattern: str, text: str, default: float | None = None) -> float:
    if found := re.search(pattern, text):
        return float(found[1])
    if default is None:
        raise SystemExit(f"no {pattern} in:\n{text}")
    return default


def milliseconds(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    assert found is not None, text
    return float(found[1]) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}[found[2]]


# Showing -----------------------------------------------------------------------------------------


def bold(text: str, wanted: bool) -> str:
    return f"**{text}**" if wanted else text


def markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


# Databases ---------------------------------------------------------------------------------------


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """For statements that may take as long as those on a large database do."""
    connection = await asyncpg.connect(url, command_timeout=3600)
    try:
        yield connection
    finally:
        await connection.close()


async def execute(url: str, *scripts: str) -> None:
    async with connected(url) as connection:
        for script in scripts:
            await connection.execute(script)


@contextmanager
def seeded_database(size: int) -> Iterator[tuple[str, Path]]:
    """A seeded database: yield its URL, and a folder for other files."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mentorapi-load-")))
        with embedded.running(folder / "data") as url:
            # Loaded at the next start.
            asyncio.run(
                execute(
                    url,
                    "CREATE EXTENSION pg_stat_statements",
                    "ALTER SYSTEM SET shared_preload_libraries = pg_stat_statements",
                    # Four servers, each with a pool of up to 40.
                    "ALTER SYSTEM SET max_connections = 200",
                )
            )
        url = stack.enter_context(embedded.running(folder / "data"))
        migrate(url)
        asyncio.run(seed(url, size))
        yield url, folder


async def seed(url: str, size: int) -> None:
    filling, vacuum, rest = (HERE / "seed.sql").read_text().partition("VACUUM")
    # A checkpoint now does not disturb what is measured later.
    await execute(url, f"SET load.mentors = '{size}'; {filling}", vacuum + rest, "CHECKPOINT")
