"""Whether reads are as fast with many mentors as with few, in one run.

``python -m tests.load.sizes`` seeds two databases, starts a server on each, and sends them the
same reads in turns. Figures are median waits in milliseconds; those above their bar are bold. The
first table has the reads of ``benchmark.py`` by 32 connections: from memory, and from the database
(each URL a new one). The second has filters, searches, counts and free mentors from the database,
by one client.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

from tests.load.endpoints import reads
from tests.load.harness import (
    CONNECTIONS,
    Wrk,
    bold,
    call,
    markdown,
    pin,
    running_api,
    seeded_database,
)

#: The most that the wait may be, of that with few mentors.
MAX_SHARE = 1.25

NOW = datetime.now(UTC)
WEEK = f"from={NOW:%Y-%m-%dT%H:%M:%SZ}&to={NOW + timedelta(days=7):%Y-%m-%dT%H:%M:%SZ}"

#: What one client asks for, and the bars with few and with many mentors.
DISCOVERY = [
    ("/mentors?limit=20&expertise=Design&duration=60", 5, 15),
    ("/mentors?limit=20&expertise=Design&minRating=4", 5, 15),
    ("/mentors?limit=20&maxRate=60&currency=NGN&minRating=4.5&sort=rate", 5, 15),
    ("/mentors/search?limit=20&q=design", 10, 15),
    ("/mentors/search?limit=20&q=4711", 10, 15),
    ("/mentors/search?limit=20&q=desing", 10, 15),
    ("/mentors/search?limit=20&q=e", 10, 15),
    ("/mentors/search?limit=20&q=design+pyhton&currency=NGN", 10, 15),
    ("/mentors/facets?", 15, 30),
    ("/mentors/facets?q=design&minRating=4", 15, 30),
    (f"/mentors/available?{WEEK}", 40, 60),
    (f"/mentors/available?{WEEK}&expertise=design&minRating=4", 40, 60),
]


class Side:
    """A server on a database of one size."""

    def __init__(self, size: int, seconds: int, stack: ExitStack) -> None:
        url, folder = stack.enter_context(seeded_database(size))
        self._wrk = Wrk(folder, seconds)
        _, self._base = stack.enter_context(running_api(url, folder))

    def p50(self, calls: list[str], connections: int) -> float:
        self._wrk.connections = connections
        return self._wrk.drive(self._base, calls).p50


def measure(
    sides: list[Side], calls: list[str], rounds: int, connections: int = CONNECTIONS
) -> list[list[float]]:
    """The median waits of each round, with few and with many mentors."""
    print(calls[0].split("\t")[1], file=sys.stderr, flush=True)
    waits = []
    for turn in range(rounds):
        measured = {
            side: side.p50(calls, connections) for side in (sides if turn % 2 else sides[::-1])
        }
        waits.append([measured[side] for side in sides])
    return waits


def compared(waits: list[list[float]]) -> list[str]:
    """Cells: the waits with many and with few mentors, and the median of the rounds' shares."""
    if not waits:
        return ["", "", ""]
    few, many = (statistics.median(column) for column in zip(*waits, strict=True))
    share = statistics.median(many / few for few, many in waits)
    return [f"{many:.1f}", f"{few:.1f}", bold(f"{share:.2f}", share > MAX_SHARE)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", type=int, default=1000, help="mentors")
    parser.add_argument("--many", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=int, default=1, help="of each measurement")
    args = parser.parse_args()
    pin()
    few, many = f"{args.few:,}", f"{args.many:,}"
    with ExitStack() as stack:
        sides = [Side(size, args.seconds, stack) for size in (args.few, args.many)]
        head = ["Median wait, ms"]
        for where in ("From memory", "From the database"):
            head += [f"{where}, {many} mentors", few, f"Share (≤ {MAX_SHARE})"]
        rows = []
        for read in reads():
            row = [f"`{read.name}`"]
            for calls in (read.kept, read.calls):
                row += compared(calls and measure(sides, calls, args.rounds))
            rows.append(row)
        print(f"Medians of {args.rounds} rounds of {args.seconds} s, {CONNECTIONS} connections.\n")
        print(markdown(head, rows), "\n")
        rows = []
        for path, *bars in DISCOVERY:
            waits = measure(sides, [call("GET", f"/api{path}&fresh=#")], args.rounds, 1)
            row = [f"`{path}`"]
            for bar, column in zip(bars, zip(*waits, strict=True), strict=True):
                wait = statistics.median(column)
                row.append(f"{bold(f'{wait:.1f}', wait > bar)} (≤ {bar})")
            rows.append(row)
        print(markdown(["Median wait, ms", f"{few} mentors", many], rows))


if __name__ == "__main__":
    main()
