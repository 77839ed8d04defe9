"""The seed of the benchmarks, which fills what triggers maintain without them."""

from __future__ import annotations

import pytest

from tests.client import Api
from tests.load.harness import seed

MAINTAINED = """
    SELECT concat(p.field, p.word, p.block, p.mentors) FROM search_postings AS p
    UNION ALL
    SELECT word FROM search_vocabulary
    UNION ALL
    SELECT s::text FROM mentor_starts AS s
    ORDER BY 1
"""


@pytest.mark.own_server
async def test_seed_without_triggers_gives_what_they_would_write(
    api: Api, database_url: str
) -> None:
    await seed(database_url, 5)
    seeded = await api.db.fetch(MAINTAINED)
    # The triggers delete these rows, and write them again.
    await api.db.execute("UPDATE mentors SET visibility = 'private'")
    await api.db.execute("DELETE FROM search_vocabulary")
    await api.db.execute("UPDATE mentors SET visibility = 'public'")
    await api.db.execute("CREATE TABLE windows AS TABLE availability_windows")
    await api.db.execute("DELETE FROM availability_windows")
    assert len(await api.db.fetch(MAINTAINED)) < len(seeded)
    await api.db.execute("INSERT INTO availability_windows TABLE windows")
    assert await api.db.fetch(MAINTAINED) == seeded
