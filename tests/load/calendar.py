"""The cost of overrides, time off, a policy and a zone.

It is the processor time of PostgreSQL for the free slots of two weeks, with 40 windows and 20
sessions.

``python -m tests.load.calendar`` gives the first mentor more and more of a calendar and compares
each with none, on one connection. Linux only.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg

from mentorapi.database.statements import SQL
from tests.load.harness import seeded_database

MENTOR = "aa000000-0000-7000-8000-000000000001"

#: What the mentor has, one after the other.
STEPS = {
    "weekly windows": "SELECT",
    "10 overrides, 5 times off": """
        INSERT INTO availability_overrides
        SELECT m.id, current_date + i, array_agg(w.start_time ORDER BY w.start_time),
            array_agg(w.end_time ORDER BY w.end_time)
        FROM mentors AS m, generate_series(1, 10) AS i, availability_windows AS w
        WHERE m.user_id = 'mentor-1' AND w.mentor_id = m.id AND w.day_of_week = 0
        GROUP BY m.id, i;
        INSERT INTO time_off (mentor_id, starts_at, ends_at)
        SELECT id, now() + i * interval '2 days', now() + i * interval '50 hours'
        FROM mentors, generate_series(1, 5) AS i WHERE user_id = 'mentor-1'
    """,
    "and a policy, in Europe/Berlin": """
        UPDATE mentors SET minimum_notice_minutes = 120, horizon_days = 60,
            max_sessions_per_day = 8, max_sessions_per_week = 30,
            availability_timezone = 'Europe/Berlin'
        WHERE user_id = 'mentor-1'
    """,
}


def processor_ms(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6


async def measure(url: str, calls: int = 2000) -> None:
    connection = await asyncpg.connect(
        url, server_settings={"plan_cache_mode": "force_generic_plan"}
    )
    statement = await connection.prepare((SQL / "availability" / "list_slots.sql").read_text())
    pid = await connection.fetchval("SELECT pg_backend_pid()")
    first = 0.0
    for what, change in STEPS.items():
        await connection.execute(change)
        await connection.execute("ANALYZE")
        rounds = []
        for _ in range(calls // 20):
            begun = processor_ms(pid)
            for _ in range(20):
                await statement.fetchrow(MENTOR, None, None, 92)
            rounds.append((processor_ms(pid) - begun) / 20)
        best = sorted(rounds)[len(rounds) // 10]
        first = first or best
        print(f"{what}: {best:.2f} ms, {best / first:.2f} of weekly windows alone")
    await connection.close()


if __name__ == "__main__":
    with seeded_database(1000) as (url, *_):
        asyncio.run(measure(url))
