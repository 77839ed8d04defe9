"""Whether reads are as fast with many mentors as with few, in one run.

``python -m tests.load.sizes`` seeds two databases, starts a server on each, and sends them the
reads of ``benchmark.py`` in turns: from memory, and from the database (each URL a new one). Figures
are median waits in milliseconds; shares above the bar are bold.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from contextlib import ExitStack

from tests.load.endpoints import reads
from tests.load.harness import (
    CONNECTIONS,
    Wrk,
    bold,
    markdown,
    pin,
    running_api,
    seeded_database,
)

#: The most that the wait may be, of that with few mentors.
MAX_SHARE = 1.25


class Side:
    """A server on a database of one size."""

    def __init__(
        self, size: int, seconds: int, stack: ExitStack, connections: int = CONNECTIONS
    ) -> None:
        url, folder = stack.enter_context(seeded_database(size))
        self._wrk = Wrk(folder, seconds, connections)
        _, self._base = stack.enter_context(running_api(url, folder))

    def p50(self, calls: list[str]) -> float:
        return self._wrk.drive(self._base, calls).p50


def cells(sides: tuple[Side, Side], calls: list[str], rounds: int) -> list[str]:
    """The median waits with many and with few mentors, and the median of the rounds' shares."""
    if not calls:
        return ["", "", ""]
    waits = []
    for turn in range(rounds):
        measured = {side: side.p50(calls) for side in (sides if turn % 2 else sides[::-1])}
        waits.append([measured[side] for side in sides])
    few, many = (statistics.median(column) for column in zip(*waits, strict=True))
    share = statistics.median(many / few for few, many in waits)
    return [f"{many:.1f}", f"{few:.1f}", bold(f"{share:.2f}", share > MAX_SHARE)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", type=int, default=1000, help="mentors")
    parser.add_argument("--many", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=int, default=1, help="of each measurement")
    args = parser.parse_args()
    pin()
    rows = []
    with ExitStack() as stack:
        sides = (Side(args.few, args.seconds, stack), Side(args.many, args.seconds, stack))
        for read in reads():
            print(read.name, file=sys.stderr, flush=True)
            waits = [cells(sides, calls, args.rounds) for calls in (read.kept, read.calls)]
            rows.append([f"`{read.name}`", *waits[0], *waits[1]])
    head = [f"{args.many:,} mentors", f"{args.few:,}", f"Share (≤ {MAX_SHARE})"]
    places = [[f"{where}, {head[0]}", *head[1:]] for where in ("From memory", "From the database")]
    print(f"Waits in ms, {CONNECTIONS} connections; {args.rounds} rounds of {args.seconds} s.\n")
    print(markdown(["Median wait, ms", *places[0], *places[1]], rows))


if __name__ == "__main__":
    main()
