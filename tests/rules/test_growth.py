"""deploy/database/GROWTH.md: its statements run, and do what it says."""

from __future__ import annotations

import re
from uuid import UUID

import asyncpg
import pytest

from mentorapi.database.errors import CONSTRAINTS
from tests.client import Api
from tests.serving import DRIFT

pytestmark = pytest.mark.own_server

PAGE = (DRIFT.parent / "GROWTH.md").read_text(encoding="utf-8")

OVERLAPPING = """
INSERT INTO whole.bookings (mentor_id, start_time, end_time)
VALUES ($1, '2030-01-07 09:00Z', '2030-01-07 10:00Z')
"""


def statements_of(block: str) -> list[str]:
    return [statement for statement in re.split(r";\s*\n", block) if statement.strip()]


def block(containing: str) -> list[str]:
    (found,) = [
        text for text in re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL) if containing in text
    ]
    return statements_of(found)


async def test_run_every_command_of_the_document_succeeds(api: Api) -> None:
    """One statement after the other, since some cannot run in a transaction."""
    mentor, jane = await api.mentor(), api.user("jane")
    await api.completed(jane, mentor)
    partitioned = block("PARTITION BY HASH")
    connection = await api.db.acquire()
    try:
        await connection.execute("ANALYZE")
        for text in re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL):
            if statements_of(text) != partitioned:
                for statement in statements_of(text):
                    await connection.execute(statement)
        sizes = await connection.fetch(block("mb_per_million")[0])
        assert {"bookings_no_overlap", "events"} <= {row["relation"] for row in sizes}
    finally:
        await api.db.release(connection)


def test_read_document_names_existing_tables_and_indexes() -> None:
    schema = (DRIFT.parents[2] / "sql" / "schema.sql").read_text()
    for table in ("requests", "bookings", "reviews", "events", "mentors"):
        named = set(re.findall(rf"`({table}_\w+)`", PAGE)) - {"events_archive"}
        assert named
        for name in named:
            assert re.search(rf"\b{name}\b", schema), name


async def test_archive_old_rows_leaves_no_drift(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    session = await api.completed(jane, mentor)
    await api.db.execute("UPDATE events SET created_at = created_at - interval '3 years'")
    for statement in block("events_archive"):
        await api.db.execute(statement)
    moved = await api.db.fetchval("SELECT count(*) FROM events_archive")
    assert moved > 0
    (last,) = await jane.ok("GET", f"/sessions/{session['id']}/history")
    assert last["to"] == "completed"


@pytest.mark.parametrize("index", ["bookings_no_overlap", "availability_windows_no_overlap"])
async def test_reindex_exclusion_constraint_concurrently_is_refused(api: Api, index: str) -> None:
    with pytest.raises(asyncpg.FeatureNotSupportedError, match="exclusion constraints"):
        await api.db.execute(f"REINDEX INDEX CONCURRENTLY {index}")


async def test_insert_into_full_partition_names_a_known_constraint(api: Api) -> None:
    if await api.db.fetchval("SELECT current_setting('server_version_num')::int") < 170000:
        pytest.skip("PostgreSQL 17 or newer")
    for statement in block("PARTITION BY HASH"):
        await api.db.execute(statement)
    mentor, other = UUID(int=1), UUID(int=2)
    await api.db.execute(OVERLAPPING, mentor)
    await api.db.execute(OVERLAPPING, other)
    with pytest.raises(asyncpg.ExclusionViolationError) as refused:
        await api.db.execute(OVERLAPPING, mentor)
    assert refused.value.constraint_name in CONSTRAINTS
