"""The duration of a sweep of 10,000 sessions, and whether readers notice it.

``python -m tests.load.sweep`` makes that many sessions due at once, as after a night without a
server, and sweeps them while wrk reads a mentor and a mentee's sessions from the database.

``python -m tests.load.sweep --beside CHECKOUT`` compares the sweep with that of another checkout
of this project, which has a ``.venv``: two databases, swept in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from mentorapi.database.connections import open_pool
from mentorapi.jobs import sweep
from tests.load.endpoints import FIRST_MENTOR
from tests.load.harness import (
    HERE,
    ROOT,
    Figure,
    Wrk,
    call,
    execute,
    pin,
    running_api,
    seeded_database,
    token_of,
)

DUE = 10_000
READS = [
    call("GET", f"/api/mentors/{FIRST_MENTOR}?fresh=#"),
    call("GET", "/api/sessions?role=mentee", token_of("mentee-1")),
]

#: Sweeps once for each line of its input. It runs in both checkouts, which may differ.
SWEEPER = """
import asyncio
import sys
from tests.load.sweep import make_due, pin, seeded_database, sweep_once

pin()
with seeded_database(int(sys.argv[1])) as (url, *_):
    print("seeded", flush=True)
    for _ in sys.stdin:
        asyncio.run(make_due(url))
        print(asyncio.run(sweep_once(url)), flush=True)
"""


async def make_due(url: str) -> None:
    # The checkpoint writes what the sweep would have to write otherwise.
    await execute(url, (HERE / "due.sql").read_text(), "CHECKPOINT")


async def sweep_once(url: str) -> float:
    """Seconds."""
    pool = await open_pool(url, 1)
    started = time.perf_counter()
    moved = (await sweep.run(pool))["sessions"]
    seconds = time.perf_counter() - started
    await pool.close()
    if moved != DUE:
        raise SystemExit(f"{moved} sessions were moved, not {DUE}")
    return seconds


def sweep_in_turns(checkouts: list[Path], size: int, rounds: int) -> list[list[float]]:
    """The seconds of each checkout."""
    seconds: list[list[float]] = [[] for _ in checkouts]
    with ExitStack() as stack:
        sweepers = []
        for checkout in checkouts:
            sweeper = stack.enter_context(
                subprocess.Popen(
                    [checkout / ".venv/bin/python", "-c", SWEEPER, str(size)],
                    cwd=checkout,
                    text=True,
                    bufsize=1,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
            )
            sweeper.stdout.readline()
            sweepers.append(sweeper)
        for _ in range(rounds):
            for sweeper, measured in zip(sweepers, seconds, strict=True):
                sweeper.stdin.write("\n")
                measured.append(float(sweeper.stdout.readline()))
    return seconds


def sweep_beside_readers(size: int, rounds: int) -> None:
    pin()
    alone, beside, usual, meanwhile = [], [], list[Figure](), list[Figure]()
    with seeded_database(size) as (url, folder), ThreadPoolExecutor(1) as thread:
        wrk = Wrk(folder, seconds=1)
        with running_api(url, folder) as (_, base):
            for _ in range(rounds):
                asyncio.run(make_due(url))
                alone.append(asyncio.run(sweep_once(url)))
                asyncio.run(make_due(url))
                usual.append(wrk.drive(base, READS))
                reading = thread.submit(wrk.drive, base, READS)
                beside.append(asyncio.run(sweep_once(url)))
                meanwhile.append(reading.result())
    print(
        f"Swept in {statistics.median(alone):.2f} s; beside readers {statistics.median(beside):.2f}"
    )
    for name, figures in (("usual", usual), ("while it runs", meanwhile)):
        p50 = statistics.median(figure.p50 for figure in figures)
        p99 = statistics.median(figure.p99 for figure in figures)
        print(f"Reads, {name}: p50 {p50:.1f} ms, p99 {p99:.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mentors", type=int, default=100_000, help="size of the database")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--beside", type=Path, metavar="CHECKOUT", help="the other checkout")
    args = parser.parse_args()
    print(f"{DUE:,} sessions due of {args.mentors * 10:,}; medians of {args.rounds} rounds.")
    if args.beside is None:
        sweep_beside_readers(args.mentors, args.rounds)
        return
    ours, theirs = sweep_in_turns([ROOT, args.beside.resolve()], args.mentors, args.rounds)
    mine, other = statistics.median(ours), statistics.median(theirs)
    share = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    print(f"Swept in {mine:.2f} s; the other checkout in {other:.2f} s: {share:.2f} of it")


if __name__ == "__main__":
    main()
