"""Whether searches, filters, counts and free mentors stay below their bars.

``python -m tests.load.discovery`` seeds two databases, starts a server on each, and sends them the
same reads in turns: one client, each URL a new one, so that the database is asked. Figures are
median waits in milliseconds; those above the bar are bold.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

from tests.load.harness import bold, call, markdown, pin
from tests.load.sizes import Side

NOW = datetime.now(UTC)
WEEK = f"from={NOW:%Y-%m-%dT%H:%M:%SZ}&to={NOW + timedelta(days=7):%Y-%m-%dT%H:%M:%SZ}"

#: What is asked for, and the bars with few and with many mentors.
READS = [
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", type=int, default=1000, help="mentors")
    parser.add_argument("--many", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=1, help="of each measurement")
    args = parser.parse_args()
    pin()
    rows = []
    with ExitStack() as stack:
        few, many = (Side(size, args.seconds, stack, 1) for size in (args.few, args.many))
        for path, *bars in READS:
            print(path, file=sys.stderr, flush=True)
            calls = [call("GET", f"/api{path}&fresh=#")]
            waits = [[side.p50(calls) for side in (few, many)] for _ in range(args.rounds)]
            row = [f"`{path}`"]
            for bar, column in zip(bars, zip(*waits, strict=True), strict=True):
                wait = statistics.median(column)
                row.append(f"{bold(f'{wait:.1f}', wait > bar)} (≤ {bar})")
            rows.append(row)
    print(markdown(["Median wait, ms", f"{args.few:,} mentors", f"{args.many:,}"], rows))


if __name__ == "__main__":
    main()
