"""How long a sweep of 10,000 sessions takes, and whether others notice.

``python -m tests.load.sweep`` makes that many sessions due at once, as after a night without a
server, and sweeps them while wrk reads mentors that nobody has read before and a mentee's sessions.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mentorapi.database.connections import open_pool
from mentorapi.jobs import sweep
from tests.load.endpoints import FIRST_MENTOR
from tests.load.harness import (
    Figure,
    Wrk,
    call,
    connected,
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

MAKE_DUE = (Path(__file__).parent / "due.sql").read_text()


async def make_due(url: str) -> None:
    async with connected(url) as connection:
        await connection.execute(MAKE_DUE)
        # What the writes left behind is not the sweep's.
        await connection.execute("CHECKPOINT")


async def sweep_once(url: str) -> float:
    pool = await open_pool(url, 1)
    started = time.perf_counter()
    moved = (await sweep.run(pool))["sessions"]
    seconds = time.perf_counter() - started
    await pool.close()
    if moved != DUE:
        raise SystemExit(f"{moved} sessions were moved, not {DUE}")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mentors", type=int, default=100_000, help="size of the database")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    pin()
    alone, beside, usual, meanwhile = [], [], list[Figure](), list[Figure]()
    with seeded_database(args.mentors) as (url, folder), ThreadPoolExecutor(1) as thread:
        wrk = Wrk(folder, seconds=1)
        with running_api(url, folder) as (_, base):
            for _ in range(args.rounds):
                asyncio.run(make_due(url))
                alone.append(asyncio.run(sweep_once(url)))
                asyncio.run(make_due(url))
                usual.append(wrk.drive(base, READS))
                reading = thread.submit(wrk.drive, base, READS)
                beside.append(asyncio.run(sweep_once(url)))
                meanwhile.append(reading.result())
    print(f"{DUE:,} sessions due of {args.mentors * 10:,}; medians of {args.rounds} rounds.\n")
    print(
        f"Swept in {statistics.median(alone):.2f} s; beside readers {statistics.median(beside):.2f}"
    )
    for name, figures in (("usual", usual), ("while it runs", meanwhile)):
        p50 = statistics.median(figure.p50 for figure in figures)
        p99 = statistics.median(figure.p99 for figure in figures)
        print(f"Reads, {name}: p50 {p50:.1f} ms, p99 {p99:.1f} ms")


if __name__ == "__main__":
    main()
