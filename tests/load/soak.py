"""Ten minutes of 50 users on a large database, and the memory of the server.

``python -m tests.load.soak`` seeds a database, starts the server and the users of
``locustfile.py``. It prints how long their requests took, and how much memory the server had in
each minute. Then it recounts every figure that triggers maintain. It needs ``pip install -e
'.[load]'``.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import os
import re
import subprocess
import sys
import time
import urllib.request

import psutil

from tests.load.harness import HERE, ROOT, SECRET, connected, running_api, seeded_database

DRIFT = (ROOT / "deploy/database/drift.sql").read_text()
USERS = 50


def kept(base: str) -> float:
    """Bytes in the memory of responses."""
    with urllib.request.urlopen(f"{base}/metrics") as response:
        found = re.search(r"^mentorapi_cache_bytes (\S+)$", response.read().decode(), re.MULTILINE)
    assert found
    return float(found[1])


async def differences(url: str) -> int:
    async with connected(url) as connection:
        return len(await connection.fetch(DRIFT))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mentors", type=int, default=100_000, help="size of the database")
    parser.add_argument("--minutes", type=int, default=10)
    args = parser.parse_args()
    with seeded_database(args.mentors) as (url, folder):
        with running_api(url, folder) as (process_id, base):
            api = psutil.Process(process_id)
            command = [
                *(sys.executable, "-m", "locust", "-f", str(HERE / "locustfile.py")),
                *("--host", base, "--headless", "--only-summary", "--csv", str(folder / "soak")),
                *("-u", str(USERS), "-r", "10", "-t", f"{args.minutes}m"),
            ]
            env = {"MENTORAPI_JWT_SECRET": SECRET}
            with (folder / "locust.log").open("w") as log:
                users = subprocess.Popen(command, env=os.environ | env, stdout=log, stderr=log)
                memory = []
                while users.poll() is None:
                    memory.append((api.memory_info().rss / 1e6, kept(base) / 1e6))
                    time.sleep(10)
        rows = list(csv.DictReader((folder / "soak_stats.csv").open()))
        drift = asyncio.run(differences(url))
    print(f"{args.mentors:,} mentors, {USERS} users for {args.minutes} minutes.\n")
    print("| Request | Times | Failed | p50 ms | p99 ms |\n| --- | ---: | ---: | ---: | ---: |")
    for row in rows:
        print(
            f"| {row['Name']} | {int(row['Request Count']):,} | {row['Failure Count']} "
            f"| {row['50%']} | {row['99%']} |"
        )
    print("\n| Minute | Memory of the server, MB | Responses in it |\n| ---: | ---: | ---: |")
    for minute, (whole, responses) in enumerate([*memory[::6], memory[-1]]):
        print(f"| {minute} | {whole:.1f} | {responses:.1f} |")
    print(f"\nFigures that differ from what they count: {drift}")


if __name__ == "__main__":
    main()
