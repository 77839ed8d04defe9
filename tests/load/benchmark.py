"""The speed of this API, beside what it is made of and what others would build, in one run.

``python -m tests.load.benchmark --peers`` seeds a database, starts all servers, and lets wrk ask
them in turns for the same things:

- (a) a bare Tornado handler with the same bytes from memory,
- (b) a bare Tornado handler that runs the same SQL text and writes the row,
- (c) PostgreSQL alone with that statement (pgbench),
- FastAPI with asyncpg, and Fastify with node-postgres, over the same files of sql/ (peers/),
- this API: each URL a new one, so that it asks the database; then the same URL, from memory.

All servers have the first core, one at a time; wrk and PostgreSQL have the others. It prints
Markdown. Rates and waits are medians of the rounds, shares are medians of the rounds' shares.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import statistics
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

from mentorapi.database.connections import SESSION
from tests.load.endpoints import Endpoint, accepting, creating, reads
from tests.load.harness import (
    CONNECTIONS,
    HERE,
    POOL_SIZE,
    SECRET,
    Figure,
    Wrk,
    bold,
    call,
    connected,
    markdown,
    number,
    pin,
    process,
    running_api,
    seeded_database,
)

COLUMNS = {
    "a": "Bytes from memory (a)",
    "b": "Tornado, same SQL (b)",
    "c": "PostgreSQL alone (c)",
    "fastapi": "FastAPI + asyncpg",
    "fastify": "Fastify + node-postgres",
    "api": "This API, from the database",
    "kept": "This API, from memory",
}

LIST, SHOW, SLOTS = "GET /mentors?limit=20", "GET /mentors/:id", "GET /mentors/:id/availability"
SEARCH = "GET /mentors/search?q=desing&limit=20"
COUNT, CREATE, ACCEPT = "GET /requests/pending-count", "POST /requests", "POST /requests/:id/accept"

#: The least share that is wanted: of which column, in which of another, for which endpoints.
BARS: dict[tuple[str, str], dict[str, float]] = {
    ("kept", "a"): dict.fromkeys((LIST, SHOW, SLOTS, SEARCH), 2.0),
    ("kept", "fastify"): {LIST: 1.5, SHOW: 0.9, SLOTS: 4.0},
    ("api", "b"): dict.fromkeys((LIST, SHOW, COUNT), 1.4),
    ("api", "fastapi"): dict.fromkeys((LIST, SHOW, SLOTS, COUNT, CREATE), 1.15) | {ACCEPT: 1.0},
    ("api", "fastify"): {CREATE: 0.95, ACCEPT: 0.95},
}
#: The most that p99 may be in p50, of a read.
MAX_SPREAD = 2.5

#: Of each connection, whichever program opens it. A backslash keeps a space within its value.
SETTINGS = " ".join(f"-c {name}=" + value.replace(" ", "\\ ") for name, value in SESSION.items())

#: Of one endpoint: the rounds of each column.
Runs = dict[str, list[Figure]]


# Measuring ---------------------------------------------------------------------------------------


def start_peers(url: str, pool_size: int, stack: ExitStack) -> dict[str, str]:
    """Their addresses."""
    packages = HERE / "peers" / "node_modules"
    if not packages.exists():
        raise SystemExit(f"run: npm ci --prefix {packages.parent}")
    env = {
        "DATABASE_URL": f"{url}&options={quote(SETTINGS)}",
        "JWT_SECRET": SECRET,
        "POOL_SIZE": str(pool_size),
        "NODE_ENV": "production",
    }
    application = "tests.load.peers.fastapi_app:app"
    commands = {
        "fastapi": [sys.executable, "-m", "uvicorn", application, "--port=0", "--no-access-log"],
        "fastify": ["node", "tests/load/peers/fastify_app.mjs"],
    }
    address = r"(http://[\d.:]+)"
    servers = {
        name: process(command, env, address, stderr=subprocess.STDOUT)
        for name, command in commands.items()
    }
    return {name: stack.enter_context(server)[1] for name, server in servers.items()}


def start_bare(
    url: str,
    folder: Path,
    pool_size: int,
    endpoints: list[Endpoint],
    responses: list[str],
    stack: ExitStack,
) -> str:
    plan = {
        "database_url": url,
        "pool_size": pool_size,
        "endpoints": [
            {
                "content": content,
                "sql": endpoint.sql,
                "arguments": endpoint.arguments,
                "column": endpoint.column,
            }
            for endpoint, content in zip(endpoints, responses, strict=True)
        ],
    }
    file = folder / "plan.json"
    file.write_bytes(orjson.dumps(plan))
    command = [sys.executable, "-m", "tests.load.bare", str(file)]
    _, port = stack.enter_context(process(command, {}, r"(\d+)"))
    return f"http://127.0.0.1:{port}"


def fetch(base: str, line: str) -> str:
    method, path, token, body = line.split("\t")
    request = urllib.request.Request(base + path.replace("#", "0"), method=method)
    if token != "-":
        request.add_header("Authorization", f"Bearer {token}")
    if body != "-":
        request.add_header("Content-Type", "application/json")
        request.data = body.encode()
    with urllib.request.urlopen(request) as response:
        return response.read().decode()


def compare(endpoint: Endpoint, wrk: Wrk, servers: dict[str, str]) -> str:
    """The response of all servers. Of a write, only the fields are the same."""
    responses = {}
    for name, base in servers.items():
        if endpoint.arguments:
            responses[name] = fetch(base, endpoint.calls[0])
        else:
            (line,) = wrk.take(endpoint.name, endpoint.calls)
            responses[name] = str(fields(orjson.loads(fetch(base, line))))
    if len(set(responses.values())) > 1:
        raise SystemExit(f"{endpoint.name}: the servers respond differently: {responses}")
    return responses["api"]


def fields(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: fields(part) for name, part in value.items()}
    return type(value).__name__


def introduce_users(api: str, calls: list[str]) -> None:
    """Let the API store all users, which it does at the first request of each."""
    for token in {line.split("\t")[2] for line in calls}:
        fetch(api, call("GET", "/api/requests/pending-count", token))


def elsewhere(calls: list[str], path: str) -> list[str]:
    """The same requests to another path: query string and token cost something to read, too."""
    return [re.sub(r"(?<=\t)/[^?\t]*", path, one, count=1) for one in calls]


def pgbench(url: str, wrk: Wrk, pool_size: int, endpoint: Endpoint) -> Figure:
    """The speed of a read: the arguments of a write cannot be repeated."""
    sql = endpoint.sql
    for place, value in reversed(list(enumerate(endpoint.arguments, 1))):
        sql = sql.replace(f"${place}", literal(value))
    # pgbench would take the :MI and :SS of a date's format for its own variables.
    sql = re.sub(r"(?<!:):(?=[A-Z])", "' || chr(58) || '", sql)
    script = wrk.folder / "statement.sql"
    script.write_text(re.sub(r"--.*", "", sql).replace("\n", " ").rstrip("; ") + ";\n")
    command = ["pgbench", "-n", "-M", "prepared", "-c", str(pool_size), "-j", "1"]
    command += ["-T", str(wrk.seconds), "-f", str(script), url]
    env = os.environ | {"PGOPTIONS": SETTINGS}
    out = subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout
    return Figure(number(r"tps = ([\d.]+)", out))


def literal(value: Any) -> str:
    if isinstance(value, list):
        return "ARRAY[" + ", ".join(map(literal, value)) + "]"
    return str(value) if isinstance(value, int) else f"'{value}'"


async def count_statements(url: str) -> int:
    async with connected(url) as connection:
        query = "SELECT sum(calls)::bigint FROM pg_stat_statements WHERE toplevel"
        return int(await connection.fetchval(query) or 0)


def counted(url: str, drive: Callable[[], Figure]) -> Figure:
    before = asyncio.run(count_statements(url))
    figure = drive()
    figure.statements = (asyncio.run(count_statements(url)) - before) / figure.count
    return figure


def measure(
    url: str, wrk: Wrk, endpoints: list[Endpoint], rounds: int, pool_size: int, with_peers: bool
) -> dict[str, Runs]:
    results = {}
    with ExitStack() as stack:
        _, api = stack.enter_context(running_api(url, wrk.folder, pool_size))
        peers = start_peers(url, pool_size, stack) if with_peers else {}
        responses = [
            compare(endpoint, wrk, {"api": api} | (peers if endpoint.in_peers else {}))
            for endpoint in endpoints
        ]
        bare = start_bare(url, wrk.folder, pool_size, endpoints, responses, stack)
        for place, endpoint in enumerate(endpoints):
            print(endpoint.name, file=sys.stderr, flush=True)
            calls, once = endpoint.calls, "" if endpoint.arguments else endpoint.name
            ways: dict[str, Callable[[], Figure]] = {}
            if once:
                introduce_users(api, calls)
                bodies = [orjson.dumps(one).decode() for one in endpoint.argument_lists]
                posts = [call("POST", f"/sql/{place}", body=body) for body in bodies]
                ways["b"] = partial(wrk.drive, bare, posts, once)
            else:
                static = elsewhere(endpoint.kept or calls, f"/static/{place}")
                ways["a"] = partial(wrk.drive, bare, static)
                ways["b"] = partial(wrk.drive, bare, elsewhere(calls, f"/sql/{place}"))
                ways["c"] = partial(pgbench, url, wrk, pool_size, endpoint)
            if endpoint.in_peers:
                for name, base in peers.items():
                    ways[name] = partial(wrk.drive, base, calls, once)
            ways["api"] = partial(counted, url, partial(wrk.drive, api, calls, once))
            if endpoint.kept:
                ways["kept"] = partial(wrk.drive, api, endpoint.kept)
            results[endpoint.name] = in_turns(ways, rounds)
    return results


def in_turns(ways: dict[str, Callable[[], Figure]], rounds: int) -> Runs:
    runs: Runs = {name: [] for name in ways}
    for turn in range(rounds):
        for name in list(ways)[turn % len(ways) :] + list(ways)[: turn % len(ways)]:
            runs[name].append(ways[name]())
    return runs


# Showing -----------------------------------------------------------------------------------------


def rate(figures: list[Figure]) -> float:
    return statistics.median(figure.rate for figure in figures)


def share(runs: Runs, ours: str, other: str) -> float:
    pairs = zip(runs[ours], runs[other], strict=True)
    return statistics.median(mine.rate / yours.rate for mine, yours in pairs)


def rates(results: dict[str, Runs]) -> str:
    """Requests per second."""

    def cell(figures: list[Figure]) -> str:
        failed = sum(figure.failed for figure in figures)
        return f"{rate(figures):,.0f}" + (f", {failed} failed" if failed else "")

    columns = [name for name in COLUMNS if any(name in runs for runs in results.values())]
    return markdown(
        ["Requests per second", *(COLUMNS[name] for name in columns)],
        [
            [f"`{endpoint}`", *(cell(runs[name]) if name in runs else "" for name in columns)]
            for endpoint, runs in results.items()
        ],
    )


def shares(results: dict[str, Runs]) -> str:
    """Shares beside their bars, waits, and statements of one request. What misses a bar is bold."""

    def share_cell(endpoint: str, ours: str, other: str) -> str:
        runs, bar = results[endpoint], BARS[ours, other].get(endpoint, 0.0)
        if ours not in runs or other not in runs:
            return ""
        found = share(runs, ours, other)
        return bold(f"{found:.2f}", found < bar) + (f" ({bar})" if bar else "")

    def waits_cell(endpoint: str, ours: str) -> str:
        figures = results[endpoint].get(ours)
        if figures is None:
            return ""
        p50 = statistics.median(figure.p50 for figure in figures)
        p99 = statistics.median(figure.p99 for figure in figures)
        missed = endpoint.startswith("GET") and p99 > MAX_SPREAD * p50
        return f"{p50:.1f} / " + bold(f"{p99:.1f}", missed)

    # The waits of (a) and (b) show what the machine does to the waits of any server.
    pairs = [pair for pair in BARS if any(pair[1] in runs for runs in results.values())]
    short = {name: label.split(" +")[0] for name, label in COLUMNS.items()} | {
        "a": "(a)",
        "b": "(b)",
    }
    head = ["Share (bar)"]
    rows = [[f"`{endpoint}`"] for endpoint in results]
    for ours, where in (("kept", "From memory"), ("api", "From the database")):
        others = [other for one, other in pairs if one == ours]
        head += [f"{where}, of {short[other]}" for other in others] + ["p50 / p99, ms"]
        for row, endpoint in zip(rows, results, strict=True):
            row += [share_cell(endpoint, ours, other) for other in others]
            row.append(waits_cell(endpoint, ours))
    head += ["(a), p50 / p99, ms", "(b), p50 / p99, ms"]
    for row, endpoint in zip(rows, results, strict=True):
        row += [waits_cell(endpoint, "a"), waits_cell(endpoint, "b")]
    for row, runs in zip(rows, results.values(), strict=True):
        row.append(f"{statistics.median(figure.statements for figure in runs['api']):.1f}")
    return markdown([*head, "Statements"], rows)


def plot(results: dict[str, Runs], title: str, file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    # PostgreSQL alone would make all others too short to compare.
    colours = {
        "a": "#c9ced6",
        "b": "#8d99ae",
        "fastapi": "#7fb69e",
        "fastify": "#d9a566",
        "api": "#2a6f97",
        "kept": "#61a5c2",
    }
    figure, axes = plt.subplots(figsize=(10, 1.1 + 1.1 * len(results)))
    height = 0.14
    for index, (name, colour) in enumerate(colours.items()):
        shown = {place: runs[name] for place, runs in enumerate(results.values()) if name in runs}
        if not shown:
            continue
        places = [place + (index - 2.5) * height for place in shown]
        found = [rate(figures) for figures in shown.values()]
        bars = axes.barh(places, found, height, label=COLUMNS[name], color=colour)
        axes.bar_label(bars, [f"{value:,.0f}" for value in found], padding=3, fontsize=7)
    axes.set_yticks(range(len(results)), list(results))
    axes.invert_yaxis()
    axes.set_xlabel("requests per second")
    axes.set_title(title, loc="left", fontsize=11)
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(file, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peers", action="store_true", help="FastAPI and Fastify as well")
    parser.add_argument("--mentors", type=int, default=1000, help="size of the database")
    parser.add_argument("--only", default="", help="endpoints whose name this pattern finds")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=1, help="of each measurement")
    parser.add_argument(
        "--pool-size", type=int, default=POOL_SIZE, help="database connections of each server"
    )
    parser.add_argument("--plot", type=Path, help="a PNG file to draw")
    args = parser.parse_args()
    endpoints = [*reads(), creating(args.mentors), accepting(args.mentors)]
    asked = [endpoint for endpoint in endpoints if re.search(args.only, endpoint.name)]
    pin()
    with seeded_database(args.mentors) as (url, folder):
        wrk = Wrk(folder, args.seconds)
        results = measure(url, wrk, asked, args.rounds, args.pool_size, args.peers)
    title = f"{args.mentors:,} mentors, wrk with {CONNECTIONS} connections"
    print(f"{title}; medians of {args.rounds} rounds of {args.seconds} s.\n")
    print(rates(results), shares(results), sep="\n\n")
    if args.plot:
        plot(results, title, args.plot)


if __name__ == "__main__":
    main()
