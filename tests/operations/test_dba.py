"""The schema as SQL, backups that can be served, and the query for drift."""

from __future__ import annotations

import asyncio
import os
import subprocess
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from mentorapi.auth.tokens import Verifier
from mentorapi.config import Settings
from mentorapi.database import programs
from mentorapi.jobs import sweep
from tests.client import Api, asking, coming
from tests.conftest import execute, on
from tests.operations.rollback import pending
from tests.schema_dump import SCHEMA, dumped
from tests.serving import DRIFT, serve

PROGRAMS = programs.binaries()


async def story(api: Api) -> None:
    """Write to every table that the server writes to."""
    mentor, jane = await api.mentor("mia", bio="Former words"), api.user("jane", name="Jane")
    # A word that no profile contains any more.
    await mentor.ok("PATCH", "/mentor/me", {"bio": "Words"})
    rejected = await api.request(jane, mentor)
    await mentor.ok("POST", f"/requests/{rejected['id']}/reject", {"reason": "No"})
    await jane.post("/requests", asking(mentor), headers={"Idempotency-Key": "one"})
    (pending,) = await mentor.ok("GET", "/requests", role="received", status="pending")
    accepted = await mentor.ok("POST", f"/requests/{pending['id']}/accept")
    path = f"/sessions/{accepted['booking']['id']}"
    at = coming(2, 12)
    moved = {"newStartTime": at.isoformat(), "newEndTime": at.replace(hour=13).isoformat()}
    await mentor.ok("PUT", f"{path}/reschedule", moved)
    await api.make_past(accepted["booking"]["id"])
    assert await sweep.run(api.services.db) == {"sessions": 1, "requests": 0}
    for job in ("idempotency_keys", "search_vocabulary", "events"):
        await api.run_job(job)
    await jane.ok("POST", f"{path}/confirm-completion")
    await jane.ok("POST", f"{path}/review", {"rating": 5})
    assert len(await jane.ok("GET", f"{path}/history")) == 5
    assert (await jane.get(f"{path}/calendar.ics")).status == 200
    for read in ("/mentor/dashboard", "/mentor/me", "/mentor/reviews?role=mentor", "/sessions"):
        await mentor.ok("GET", read)
    for public in ("/mentors", "/mentors/search?q=words", f"/mentors/{mentor.id}/availability"):
        assert (await api.nobody.get(public)).status == 200
    (window, *_) = (await mentor.ok("GET", "/mentor/availability"))["slots"]
    await mentor.ok("DELETE", f"/mentor/availability/{window['id']}")
    slots = [{"startTime": "09:00", "endTime": "12:00"}]
    for days in (21, 22):
        date = f"{at + timedelta(days=days):%Y-%m-%d}"
        await mentor.ok("PUT", f"/mentor/overrides/{date}", {"slots": slots})
        off = {"startDate": date, "endDate": date}
        added = await mentor.ok("POST", "/mentor/time-off", off)
    await mentor.ok("DELETE", f"/mentor/overrides/{date}")
    await mentor.ok("DELETE", f"/mentor/time-off/{added['id']}")


async def test_restore_dump_into_new_database_serves(
    api: Api,
    database_url: str,
    postgres: str,
    settings: Settings,
    verifier: Verifier,
    tmp_path: Path,
) -> None:
    await story(api)
    (mentor,) = (await api.nobody.get("/mentors")).json
    dump, restored = tmp_path / "dump", f"restored_{os.getpid()}"
    await run("pg_dump", "--format=custom", f"--file={dump}", database_url)
    await execute(postgres, f"CREATE DATABASE {restored} TEMPLATE template0")
    try:
        url = on(postgres, restored)
        await run("pg_restore", "--exit-on-error", f"--dbname={url}", str(dump))
        assert pending(url) == []
        running = serve(url, settings, verifier, tmp_path / "restored")
        again = await anext(running)
        assert (await again.nobody.get("/mentors")).json == [mentor]
        assert (await again.nobody.get("/mentors/search", q="words")).json == [mentor]
        jane = again.user("jane", name="Jane")
        before = await api.user("jane", name="Jane").ok("GET", "/sessions")
        assert await jane.ok("GET", "/sessions") == before
        tom = await again.mentor("tom")
        await again.session(jane, tom)
        await anext(running, None)
    finally:
        await execute(postgres, f"DROP DATABASE {restored} WITH (FORCE)")


async def run(program: str, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        PROGRAMS / program, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_change_statistics_by_hand_shows_drift(database_url: str, api: Api) -> None:
    await story(api)
    connection = await asyncpg.connect(database_url)
    try:
        assert await connection.fetch(DRIFT.read_text()) == []
        await connection.execute("SET session_replication_role = replica")
        for statement in (
            "UPDATE mentors SET total_sessions = 7",
            "UPDATE mentors SET review_count = 2, rating_sum = 10",
            "DELETE FROM search_vocabulary WHERE word = 'words'",
            "UPDATE search_postings SET mentors = ~mentors WHERE word = 'words'",
            "DELETE FROM search_postings WHERE word = 'words'",
            "UPDATE bookings SET request_id = NULL",
            "DELETE FROM events WHERE status = 'completed'",
        ):
            undone = connection.transaction()
            await undone.start()
            await connection.execute(statement)
            assert len(await connection.fetch(DRIFT.read_text())) == 1, statement
            await undone.rollback()
    finally:
        await connection.close()


@pytest.mark.own_server
def test_compare_schema_dump_with_migrations_finds_them_equal(database_url: str) -> None:
    assert SCHEMA.read_text() == dumped(database_url)
