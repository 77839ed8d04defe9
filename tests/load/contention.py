"""The waits of accepts that collide.

``python -m tests.load.contention`` starts the server on an empty database. In each round, mentees
request overlapping times of one mentor, and all requests are accepted at once, over as many
connections. One accept of a round may win. Waits are those of the accepts.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.client import ALWAYS, SECRET, Mentor, User, asking
from tests.load.harness import process


async def main(base: str, rounds: int, at_once: int) -> None:
    mentor = Mentor(base, "mentor", name="Mentor")
    await mentor.ok("PUT", "/mentor/availability", {"slots": ALWAYS, "bufferTime": 15})
    mentor.id = (await mentor.ok("GET", "/mentor/me"))["profile"]["id"]
    mentees = [User(base, f"mentee-{number}") for number in range(at_once)]
    monday = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0)
    waits: list[float] = []
    outcomes: Counter[tuple[int, str]] = Counter()
    winners: Counter[int] = Counter()

    async def accept(request_id: str) -> int:
        started = time.perf_counter()
        response = await mentor.post(f"/requests/{request_id}/accept")
        waits.append(time.perf_counter() - started)
        outcomes[response.status, "" if response.status == 200 else response.message] += 1
        return response.status

    for number in range(1, rounds + 1):
        # Every second one a quarter of an hour later: some collide, some come too close.
        times = [monday + timedelta(days=number, minutes=15 * (n % 2)) for n in range(at_once)]
        requests = await asyncio.gather(
            *(
                mentee.ok("POST", "/requests", asking(mentor, at))
                for mentee, at in zip(mentees, times, strict=True)
            )
        )
        statuses = await asyncio.gather(*(accept(request["id"]) for request in requests))
        winners[statuses.count(200)] += 1
        await asyncio.gather(
            *(
                mentee.patch(f"/requests/{request['id']}/cancel")
                for mentee, request in zip(mentees, requests, strict=True)
            )
        )
    median, worst = statistics.median(waits), statistics.quantiles(waits, n=100)[98]
    print(f"{len(waits):,} accepts, {at_once} at once, {rounds} times to give away")
    for (status, message), times_seen in sorted(outcomes.items()):
        print(f"  {times_seen:6,} x {status} {message}")
    print(f"winners of a round: {dict(winners)}")
    print(
        f"waits: median {median * 1000:.1f} ms, p99 {worst * 1000:.1f} ms, {worst / median:.1f} x"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--at-once", type=int, default=50)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mentorapi-load-") as folder:
        env = {
            "MENTORAPI_DATA_DIR": str(Path(folder) / "var"),
            "MENTORAPI_JWT_SECRET": SECRET,
            "MENTORAPI_PORT": "0",
        }
        with process([sys.executable, "run.py"], env, r"(http://\S+)/api") as (_, address):
            asyncio.run(main(address, args.rounds, args.at_once))
