"""The cost of the event log where each commit waits for a synchronous standby 20 ms away.

``python -m tests.load.standby`` starts two PostgreSQL. The standby applies each commit 20 ms after
it was made, and the primary waits for that (remote_apply). 16 clients accept requests, in turns
with the triggers of the event log and without them.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from mentorapi.database import embedded
from mentorapi.database.migrate import migrate
from tests.load.benchmark import introduce_users
from tests.load.endpoints import accepting
from tests.load.harness import Wrk, connected, execute, pin, running_api, seed

CLIENTS = 16
MENTORS = 1000


@contextmanager
def primary_and_standby(delay_ms: int) -> Iterator[tuple[str, Path]]:
    """Yield the URL of the primary, seeded, and a folder for other files."""
    with tempfile.TemporaryDirectory(prefix="mentorapi-load-") as name:
        folder = Path(name)
        with embedded.running(folder / "data") as url:
            migrate(url)
            asyncio.run(seed(url, MENTORS))
            settings = {
                # Those of the standby do nothing on the primary, so that one copy has them all.
                "primary_conninfo": f"host={folder / 'data' / 'postgres'} user=postgres",
                "recovery_min_apply_delay": f"{delay_ms}ms",
                "synchronous_standby_names": "*",
            }
            lines = [f"ALTER SYSTEM SET {name} = '{value}'" for name, value in settings.items()]
            lines.append("ALTER DATABASE mentorapi SET synchronous_commit = remote_apply")
            asyncio.run(execute(url, *lines))
        # PostgreSQL's user may be another one; the standby opens the socket of the primary.
        for passed in (folder, folder / "data"):
            passed.chmod(0o711)
        (folder / "standby").mkdir(mode=0o700)
        subprocess.run(["cp", "-a", folder / "data/postgres", folder / "standby"], check=True)
        (folder / "standby/postgres/standby.signal").touch()
        with embedded.running(folder / "data") as url, embedded.running(folder / "standby"):
            wait_for_standby(url)
            yield url, folder


def wait_for_standby(url: str) -> None:
    query = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute(query).fetchone() == (0,):
            time.sleep(0.1)


async def switch_events(url: str, verb: str) -> None:
    """``verb``: ENABLE or DISABLE the triggers that write the event log."""
    async with connected(url) as connection:
        lines = await connection.fetch(
            """
            SELECT format('ALTER TABLE %s %s TRIGGER %I', t.tgrelid::regclass, $1::text, t.tgname)
            FROM pg_trigger AS t
            INNER JOIN pg_proc AS p ON p.oid = t.tgfoid
            WHERE p.proname ~ '^record_'
            """,
            verb,
        )
        await connection.execute(";".join(line for (line,) in lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement")
    parser.add_argument("--delay", type=int, default=20, help="of the standby, in ms")
    args = parser.parse_args()
    pin()
    calls = accepting(MENTORS).calls
    rates: dict[str, list[float]] = {"ENABLE": [], "DISABLE": []}
    with primary_and_standby(args.delay) as (url, folder):
        wrk = Wrk(folder, args.seconds, CLIENTS)
        with running_api(url, folder, pool_size=CLIENTS) as (_, base):
            introduce_users(base, calls)
            for turn in range(args.rounds):
                for verb in list(rates)[:: -1 if turn % 2 else 1]:
                    asyncio.run(switch_events(url, verb))
                    rates[verb].append(wrk.drive(base, calls, "accept").rate)
    share = statistics.median(a / b for a, b in zip(*rates.values(), strict=True))
    median_with, median_without = (statistics.median(found) for found in rates.values())
    print(
        f"Accepts per second with {CLIENTS} clients and a synchronous standby {args.delay} ms away:"
        f" {median_with:,.0f} with events, {median_without:,.0f} without: {share:.2f} of it"
    )


if __name__ == "__main__":
    main()
