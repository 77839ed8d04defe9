"""How fast it is, beside what it is made of, in one run.

``python -m tests.load.benchmark`` seeds a database, starts the server as a user would, and measures
with wrk, in turns and with the same requests: (a) a bare Tornado handler with the same bytes from
memory, (b) a bare Tornado handler that runs the same SQL text and writes the row, (c) PostgreSQL
alone on that statement (pgbench), (d) this API; its public reads both fresh (each URL a new one, so
that the database is asked) and kept (from memory). Figures are medians of the rounds; only those of
one run compare. Each server has the first core to itself; the others are for all else.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import psutil

from mentorapi.auth.development import make_token
from mentorapi.database import embedded
from mentorapi.database.connections import SESSION
from mentorapi.database.migrate import migrate
from mentorapi.repositories import availability, mentors, requests, sessions

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SECRET = "a secret for the benchmark, long enough"
POOL_SIZE = 10
CONNECTIONS = 32
PINNED = hasattr(psutil.Process, "cpu_affinity") and (psutil.cpu_count() or 1) > 1

FIRST_MENTOR = "aa000000-0000-7000-8000-000000000001"


@dataclass
class Endpoint:
    """``calls`` are what wrk sends to the API in turn; see drive.lua. Writes use each call once."""

    name: str
    sql: str
    arguments: list[Any]
    column: str
    calls: list[str]
    #: For writes: what (b) gets as arguments, one for each call.
    argument_lists: list[list[Any]] = field(default_factory=list)
    #: Of public reads: the same with URLs that repeat.
    kept: list[str] = field(default_factory=list)


@dataclass
class Figure:
    """Of one round. Seconds of CPU are per second of the run; statements per request."""

    rate: float
    p50: float = 0.0
    p99: float = 0.0
    server_cpu: float = 0.0
    postgres_cpu: float = 0.0
    statements: float = 0.0
    failed: int = 0


def call(method: str, path: str, token: str | None = None, body: Any = None) -> str:
    text = "-" if body is None else orjson.dumps(body).decode()
    return "\t".join([method, path, token or "-", text])


def token_of(user: str) -> str:
    return make_token(SECRET, sub=user, ttl_seconds=86_400)


class Captured(Exception):
    """Carries the statement that a repository was about to run."""


class Capture:
    """In the place of a connection."""

    async def fetchrow(self, sql: str, *arguments: Any) -> Any:
        raise Captured(sql, list(arguments))


def captured(work: Any) -> tuple[str, list[Any]]:
    try:
        asyncio.run(work)
    except Captured as statement:
        sql, arguments = statement.args
        return sql, arguments
    raise AssertionError("no statement was run")


def endpoints(size: int) -> list[Endpoint]:
    today = datetime.now(UTC).date()
    dates = (today, today + timedelta(days=14))
    mentee = token_of("mentee-1")
    busy = token_of("mentor-2")
    db = Capture()

    def public(name: str, path: str, work: Any, column: str = "body") -> Endpoint:
        sql, arguments = captured(work)
        sign = "&" if "?" in path else "?"
        return Endpoint(
            name,
            sql,
            arguments,
            column,
            [call("GET", f"/api{path}{sign}fresh=#")],
            kept=[call("GET", f"/api{path}")],
        )

    def own(name: str, path: str, token: str, work: Any, column: str) -> Endpoint:
        sql, arguments = captured(work)
        return Endpoint(name, sql, arguments, column, [call("GET", f"/api{path}", token)])

    return [
        public("GET /mentors?limit=20", "/mentors?limit=20", mentors.list_all(db, 1, 20), "items"),
        public("GET /mentors/:id", f"/mentors/{FIRST_MENTOR}", mentors.show(db, FIRST_MENTOR)),
        public(
            "GET /mentors/:id/availability",
            f"/mentors/{FIRST_MENTOR}/availability?startDate={dates[0]}&endDate={dates[1]}",
            availability.list_slots(db, FIRST_MENTOR, *dates),
        ),
        public(
            "GET /mentors/search",
            "/mentors/search?q=desing&limit=20",
            mentors.search(db, "desing", 1, 20),
            "items",
        ),
        own(
            "GET /sessions",
            "/sessions?role=mentee",
            mentee,
            sessions.list_own(db, "mentee-1", "mentee", None, False, False, 1, 1000),
            "items",
        ),
        own(
            "GET /requests/pending-count",
            "/requests/pending-count",
            busy,
            requests.count_pending(db, "mentor-2"),
            "pending",
        ),
        creating(size),
        accepting(size),
    ]


def creating(size: int) -> Endpoint:
    """Pairs of a mentee and a mentor that have nothing pending yet."""
    monday = date.today() + timedelta(days=14 - date.today().weekday())
    sql, _ = captured(
        requests.create(
            Capture(),
            "mentee",
            FIRST_MENTOR,
            {"scheduledDate": str(monday), "scheduledTime": "08:00", "topic": "Career advice"},
        )
    )
    tokens = {n: token_of(f"mentee-{n}") for n in range(100, 300)}
    calls, lists = [], []
    for mentor in range(302, min(size, 701) + 1):
        mentor_id = f"aa000000-0000-7000-8000-{mentor:012x}"
        for mentee, token in tokens.items():
            body = {
                "mentorId": mentor_id,
                "topic": "Career advice",
                "scheduledDate": str(monday),
                "scheduledTime": "08:00",
            }
            calls.append(call("POST", "/api/requests", token, body))
            at = f"{monday}T08:00:00Z"
            lists.append([mentor_id, f"mentee-{mentee}", "Career advice", None, at, None, None])
    return Endpoint("POST /requests", sql, [], "body", calls, lists)


def accepting(size: int) -> Endpoint:
    sql, _ = captured(requests.accept(Capture(), FIRST_MENTOR, "mentor"))
    calls, lists = [], []
    tokens = {n: token_of(f"mentor-{n}") for n in range(2, min(size, 1000) + 1)}
    for day in range(1, 61):
        for mentor, token in tokens.items():
            request_id = f"dd000000-0000-7000-8000-{mentor * 100 + day:012x}"
            calls.append(call("POST", f"/api/requests/{request_id}/accept", token))
            lists.append([request_id, f"mentor-{mentor}"])
    return Endpoint("POST /requests/:id/accept", sql, [], "booking", calls, lists)


# Measuring ---------------------------------------------------------------------------------------


class Bench:
    def __init__(self, url: str, size: int, seconds: int, folder: Path) -> None:
        self.url, self.size, self.seconds, self.folder = url, size, seconds, folder
        self.used: dict[str, int] = {}
        self.fresh = 0

    def wrk(self, base: str, calls: list[str], process: psutil.Process, once: str = "") -> Figure:
        """Drive one server. ``once`` names a list of calls of which each may be sent only once."""
        file = self.folder / "calls"
        # A URL that was meant to be new would be known from the round before.
        self.fresh += 1_000_000
        start = self.used.get(once, 0) if once else self.fresh
        file.write_text("\n".join(calls) + "\n")
        postgres = self.postgres_processes()
        before = cpu([process]), cpu(postgres), self.statements()
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{self.seconds}s", "--latency"]
        command += ["-s", str(HERE / "drive.lua"), base, "--", str(file), str(start)]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        after = cpu([process]), cpu(postgres), self.statements()
        rate = number(r"Requests/sec:\s+([\d.]+)", out)
        count = number(r"(\d+) requests in", out)
        if not count:
            raise SystemExit(f"no answer within {self.seconds} s; use a larger --seconds")
        if once:
            # Those in flight at the end were sent as well.
            self.used[once] = start + int(count) + CONNECTIONS
            if self.used[once] > len(calls):
                raise SystemExit(f"{once}: ran out of calls; use a larger --mentors")
        return Figure(
            rate,
            milliseconds(r"50%\s+([\d.]+\w+)", out),
            milliseconds(r"99%\s+([\d.]+\w+)", out),
            (after[0] - before[0]) / self.seconds,
            (after[1] - before[1]) / self.seconds,
            (after[2] - before[2]) / count,
            int(number(r"Non-2xx or 3xx responses: (\d+)", out, 0)),
        )

    def pgbench(self, endpoint: Endpoint) -> Figure:
        """Reads only: a write's arguments can't be repeated."""
        sql = endpoint.sql
        for place, value in reversed(list(enumerate(endpoint.arguments, 1))):
            sql = sql.replace(f"${place}", literal(value))
        # pgbench takes the :MI and :SS of a date's format for variables of its own.
        sql = re.sub(r"(?<!:):(?=[A-Z])", "' || chr(58) || '", sql)
        script = self.folder / "statement.sql"
        script.write_text(re.sub(r"--.*", "", sql).replace("\n", " ").rstrip("; ") + ";\n")
        command = [
            *("pgbench", "-n", "-M", "prepared", "-c", str(POOL_SIZE), "-j", "1"),
            *("-T", str(self.seconds), "-f", str(script), self.url),
        ]
        options = " ".join(f"-c {name}={value}" for name, value in SESSION.items())
        env = os.environ | {"PGOPTIONS": options}
        out = subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout
        return Figure(number(r"tps = ([\d.]+)", out), number(r"latency average = ([\d.]+)", out))

    def postgres_processes(self) -> list[psutil.Process]:
        return [
            process
            for process in psutil.process_iter(["name"])
            if process.info["name"].startswith("postgres")
        ]

    def statements(self) -> float:
        return asyncio.run(self._statements())

    async def _statements(self) -> float:
        async with connected(self.url) as connection:
            return float(
                await connection.fetchval(
                    "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements WHERE toplevel"
                )
            )


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """For statements that may take as long as those on a large database do."""
    connection = await asyncpg.connect(url, command_timeout=3600)
    try:
        yield connection
    finally:
        await connection.close()


def literal(value: Any) -> str:
    if isinstance(value, list):
        return "ARRAY[" + ", ".join(map(literal, value)) + "]"
    return str(value) if isinstance(value, int) else f"'{value}'"


def cpu(processes: list[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def number(pattern: str, text: str, default: float | None = None) -> float:
    found = re.search(pattern, text)
    if found is None:
        if default is None:
            raise SystemExit(f"no {pattern} in:\n{text}")
        return default
    return float(found[1])


def milliseconds(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    assert found is not None, text
    value, unit = re.fullmatch(r"([\d.]+)(\w+)", found[1]).groups()  # type: ignore[union-attr]
    return float(value) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}[unit]


@contextmanager
def process(command: list[str], env: dict[str, str], ready: str) -> Iterator[tuple[Any, str]]:
    """A server, and what of its output fits the group in ``ready``. Its log goes to /dev/null."""
    running = subprocess.Popen(
        command,
        env=os.environ | env,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert running.stdout is not None
        for line in running.stdout:
            found = re.search(ready, line)
            if found:
                break
        else:
            raise SystemExit(f"{command} did not start")
        process = psutil.Process(running.pid)
        if PINNED:
            process.cpu_affinity([0])
        yield process, found[1]
    finally:
        running.terminate()
        running.wait()


@contextmanager
def running_api(bench: Bench) -> Iterator[tuple[Any, str]]:
    env = {
        "MENTORAPI_DATABASE_URL": bench.url,
        "MENTORAPI_JWT_SECRET": SECRET,
        "MENTORAPI_PORT": "0",
        "MENTORAPI_POOL_SIZE": str(POOL_SIZE),
        "MENTORAPI_DATA_DIR": str(bench.folder / "var"),
    }
    with process([sys.executable, "run.py"], env, r"(http://\S+)/api") as api:
        yield api


def measure(bench: Bench, rounds: int, only: str) -> dict[str, dict[str, list[Figure]]]:
    todo = [endpoint for endpoint in endpoints(bench.size) if re.search(only, endpoint.name)]
    results: dict[str, dict[str, list[Figure]]] = {}
    with running_api(bench) as (api, api_base):
        plan = {"database_url": bench.url, "pool_size": POOL_SIZE, "endpoints": {}}
        for index, endpoint in enumerate(todo):
            plan["endpoints"][str(index)] = {
                "bytes": answer_file(bench, endpoint, api_base, index),
                "sql": endpoint.sql,
                "arguments": endpoint.arguments,
                "column": endpoint.column,
            }
        plan_file = bench.folder / "plan.json"
        plan_file.write_bytes(orjson.dumps(plan))
        command = [sys.executable, "-m", "tests.load.bare", str(plan_file)]
        with process(command, {}, r"(\d+)") as (bare, port):
            base = f"http://127.0.0.1:{port}"
            for index, endpoint in enumerate(todo):
                print(endpoint.name, file=sys.stderr, flush=True)
                results[endpoint.name] = turns(
                    bench, endpoint, index, rounds, (bare, base), (api, api_base)
                )
    return results


def answer_file(bench: Bench, endpoint: Endpoint, base: str, index: int) -> str | None:
    if endpoint.argument_lists:
        return None
    _, path, token, _ = endpoint.calls[0].split("\t")
    headers = [] if token == "-" else ["-H", f"Authorization: Bearer {token}"]
    file = bench.folder / f"answer-{index}"
    subprocess.run(
        ["curl", "-sSf", "-o", str(file), *headers, base + path.replace("#", "0")], check=True
    )
    return str(file)


def elsewhere(calls: list[str], path: str) -> list[str]:
    """The same requests to another path: query string and token cost something to read, too."""
    return [re.sub(r"(?<=\t)/[^?\t]*", path, one, count=1) for one in calls]


def turns(
    bench: Bench,
    endpoint: Endpoint,
    index: int,
    rounds: int,
    bare: tuple[Any, str],
    api: tuple[Any, str],
) -> dict[str, list[Figure]]:
    once = endpoint.name if endpoint.argument_lists else ""
    runs: dict[str, Any] = {}
    if not once:
        static = elsewhere(endpoint.kept or endpoint.calls, f"/static/{index}")
        reads = elsewhere(endpoint.calls, f"/sql/{index}")
        runs["a"] = lambda: bench.wrk(bare[1], static, bare[0])
        runs["b"] = lambda: bench.wrk(bare[1], reads, bare[0])
        runs["c"] = lambda: bench.pgbench(endpoint)
    else:
        posts = [call("POST", f"/sql/{index}", None, values) for values in endpoint.argument_lists]
        runs["b"] = lambda: bench.wrk(bare[1], posts, bare[0], once)
    runs["d"] = lambda: bench.wrk(api[1], endpoint.calls, api[0], once)
    if endpoint.kept:
        runs["kept"] = lambda: bench.wrk(api[1], endpoint.kept, api[0])
    figures: dict[str, list[Figure]] = {name: [] for name in runs}
    for turn in range(rounds):
        for name in list(runs)[turn % len(runs) :] + list(runs)[: turn % len(runs)]:
            figures[name].append(runs[name]())
    return figures


# Showing -----------------------------------------------------------------------------------------

LABELS = {
    "a": "bytes from memory (a)",
    "b": "the same SQL (b)",
    "c": "PostgreSQL alone (c)",
    "d": "this API",
    "kept": "this API, kept",
}


def median(figures: list[Figure], name: str = "rate") -> float:
    return statistics.median(getattr(figure, name) for figure in figures)


def table(results: dict[str, dict[str, list[Figure]]]) -> str:
    lines = [
        "| endpoint | | requests/s | p50 ms | p99 ms | CPU server | CPU PostgreSQL | statements |"
        " of (b) | of (a) |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for endpoint, runs in results.items():
        for name, figures in runs.items():
            ratios = [
                f"{median(figures) / median(runs[other]):.2f}"
                if other in runs and name in ("d", "kept")
                else ""
                for other in ("b", "a")
            ]
            failed = sum(figure.failed for figure in figures)
            cells = [
                endpoint,
                LABELS[name] + (f", {failed} failed" if failed else ""),
                f"{median(figures):,.0f}",
                f"{median(figures, 'p50'):.1f}",
                f"{median(figures, 'p99'):.1f}" if name != "c" else "",
                f"{median(figures, 'server_cpu'):.2f}" if name != "c" else "",
                f"{median(figures, 'postgres_cpu'):.2f}" if name != "c" else "",
                f"{median(figures, 'statements'):.2f}" if name != "c" else "",
                *ratios,
            ]
            lines.append("| " + " | ".join(cells) + " |")
            endpoint = ""
    return "\n".join(lines)


def plot(results: dict[str, dict[str, list[Figure]]], title: str, file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    colours = {"a": "#c9ced6", "b": "#8d99ae", "c": "#e0c38c", "d": "#2a6f97", "kept": "#61a5c2"}
    figure, axes = plt.subplots(figsize=(10, 1.1 + 0.9 * len(results)))
    height = 0.16
    # PostgreSQL alone would make all others too short to compare.
    width = 1.2 * max(
        median(figures)
        for runs in results.values()
        for name, figures in runs.items()
        if name != "c"
    )
    for name in LABELS:
        places = [place for place, runs in enumerate(results.values()) if name in runs]
        rates = [median(runs[name]) for runs in results.values() if name in runs]
        offset = (list(LABELS).index(name) - 2) * height
        bars = axes.barh(
            [place + offset for place in places],
            [min(rate, width) for rate in rates],
            height,
            label=LABELS[name],
            color=colours[name],
        )
        texts = [f"{rate:,.0f}" + (" →" if rate > width else "") for rate in rates]
        axes.bar_label(bars, texts, padding=3, fontsize=7)
    axes.set_yticks(range(len(results)), list(results))
    axes.invert_yaxis()
    axes.set_xlim(0, 1.08 * width)
    axes.set_xlabel("requests a second")
    axes.set_title(title, loc="left", fontsize=11)
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(file, dpi=110)


# Seeding -----------------------------------------------------------------------------------------


async def seed(url: str, size: int) -> None:
    async with connected(url) as connection:
        await connection.execute(f"SET load.mentors = '{size}'")
        script, _, vacuum = (HERE / "seed.sql").read_text().partition("VACUUM")
        await connection.execute(script)
        await connection.execute("VACUUM" + vacuum)
        # What is left to write down is not to be written while something is measured.
        await connection.execute("CHECKPOINT")


async def preload_statistics(url: str) -> None:
    """From the next start on."""
    async with connected(url) as connection:
        await connection.execute("CREATE EXTENSION pg_stat_statements")
        await connection.execute("ALTER SYSTEM SET shared_preload_libraries = pg_stat_statements")


@contextmanager
def seeded_database(size: int) -> Iterator[tuple[str, Path, float]]:
    """Its URL, a folder for other things, and how many seconds it took to fill."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mentorapi-load-")))
        with embedded.running(folder / "data") as url:
            asyncio.run(preload_statistics(url))
        url = stack.enter_context(embedded.running(folder / "data"))
        migrate(url)
        started = time.monotonic()
        asyncio.run(seed(url, size))
        yield url, folder, time.monotonic() - started


def pin() -> None:
    """wrk, pgbench and PostgreSQL inherit it: what is measured has a core to itself, and the
    scheduler no say in who is faster."""
    if PINNED:
        psutil.Process().cpu_affinity(list(range(1, psutil.cpu_count() or 1)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mentors", type=int, default=1000, help="size of the database")
    parser.add_argument("--only", default="", help="endpoints whose name this pattern finds")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=1, help="of each measurement")
    parser.add_argument("--plot", type=Path, help="a PNG file to draw")
    args = parser.parse_args()
    for tool in ("wrk", "pgbench", "curl"):
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is not installed (Debian: wrk, postgresql-contrib, curl)")
    pin()
    with seeded_database(args.mentors) as (url, folder, seeded):
        results = measure(Bench(url, args.mentors, args.seconds, folder), args.rounds, args.only)
    title = f"{args.mentors:,} mentors, wrk with {CONNECTIONS} connections"
    print(f"{title}; medians of {args.rounds} rounds of {args.seconds} s each.")
    print(f"Seeded in {seeded:.0f} s.\n")
    print(table(results))
    if args.plot:
        plot(results, title, args.plot)


if __name__ == "__main__":
    main()
