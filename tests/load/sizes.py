"""Whether reads are as quick with many mentors as with few, in one run.

``python -m tests.load.sizes`` seeds two databases, starts a server on each, and asks them in turns
for what ``benchmark.py`` asks for: public reads from the database (each URL a new one) and from
memory, and what people read of their own. Figures are medians of the rounds, in milliseconds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from contextlib import ExitStack

from tests.load.endpoints import reads
from tests.load.harness import CONNECTIONS, Wrk, pin, running_api, seeded_database


class Side:
    """A server on a database of one size."""

    def __init__(self, size: int, seconds: int, stack: ExitStack) -> None:
        url, folder = stack.enter_context(seeded_database(size))
        self._wrk = Wrk(folder, seconds)
        _, self._base = stack.enter_context(running_api(url, folder))

    def p50(self, calls: list[str]) -> float:
        return self._wrk.drive(self._base, calls).p50


def in_turns(sides: list[Side], calls: list[str], rounds: int) -> list[float]:
    """The median of each side."""
    figures: dict[Side, list[float]] = {side: [] for side in sides}
    for turn in range(rounds):
        for side in sides if turn % 2 else reversed(sides):
            figures[side].append(side.p50(calls))
    return [statistics.median(figures[side]) for side in sides]


def cells(sides: list[Side], calls: list[str], rounds: int) -> str:
    if not calls:
        return "| | | "
    few, many = in_turns(sides, calls, rounds)
    return f"| {many:.1f} | {few:.1f} | {many / few:.2f} "


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", type=int, default=1000, help="mentors")
    parser.add_argument("--many", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=int, default=1, help="of each measurement")
    args = parser.parse_args()
    pin()
    with ExitStack() as stack:
        sides = [Side(size, args.seconds, stack) for size in (args.few, args.many)]
        print(f"{args.many:,} mentors beside {args.few:,}: median waits in ms, {CONNECTIONS} at a")
        print(f"time; medians of {args.rounds} rounds of {args.seconds} s each.\n")
        print("| | from memory | with few | ratio | asked anew | with few | ratio |")
        print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
        for read in reads():
            print(read.name, file=sys.stderr, flush=True)
            kept = cells(sides, read.kept, args.rounds)
            print(f"| {read.name} {kept}{cells(sides, read.calls, args.rounds)}|", flush=True)


if __name__ == "__main__":
    main()
