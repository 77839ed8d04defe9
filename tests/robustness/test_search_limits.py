"""Limits on what one account or one anonymous client can make the search cost."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from mentorapi.jobs.search_vocabulary import BATCH_SIZE
from mentorapi.repositories import mentors
from tests.api.mentors.test_mentors_search import found
from tests.client import Api

WAITING = """
SELECT count(*) FROM pg_locks WHERE relation = 'search_vocabulary'::regclass AND NOT granted
"""


async def words(api: Api) -> set[str]:
    return {row["word"] for row in await api.db.fetch("SELECT word FROM search_vocabulary")}


async def empty_rows(api: Api) -> int:
    count = await api.db.fetchval(
        "SELECT count(*) FROM search_postings WHERE mentors = search_no_mentors()"
    )
    return int(count)


async def test_clean_up_unused_words_deletes_them(api: Api) -> None:
    mentor = await api.mentor("mia", fullName="Mia", bio="alpha beta", headline="alpha")
    await mentor.ok("PATCH", "/mentor/me", {"bio": "gamma", "headline": "gamma"})
    await mentor.ok("PATCH", "/mentor/me", {"bio": "delta"})
    assert {"alpha", "beta"} < await words(api)
    await api.run_job("search_vocabulary")
    assert await words(api) == {"mia", "gamma", "delta"}
    assert await empty_rows(api) == 0
    assert await found(api, "gamma") == ["mia"]
    assert await found(api, "alpha") == []


async def test_publish_private_profile_again_finds_its_words(api: Api) -> None:
    mentor = await api.mentor("mia", fullName="Mia", bio="alpha")
    await mentor.ok("PATCH", "/mentor/me", {"visibility": "private"})
    await api.run_job("search_vocabulary")
    assert await words(api) == set()
    await mentor.ok("PATCH", "/mentor/me", {"visibility": "public"})
    assert await found(api, "alpha") == ["mia"]


async def test_clean_up_in_slices_checks_every_word(api: Api) -> None:
    mentor = await api.mentor("mia", fullName="Mia")
    for number in range(5):
        bio = " ".join(f"w{number}x{word}" for word in range(20))
        await mentor.ok("PATCH", "/mentor/me", {"bio": bio})
    assert await mentors.clean_search(api.services.db, 7) == 80
    assert len(await words(api)) == 21


async def test_clean_up_beside_writers_keeps_every_used_word(api: Api) -> None:
    """Words are added and removed all the time. Each test ends with a comparison with profiles."""
    people = [await api.mentor(f"m{number}") for number in range(6)]
    writing = True

    async def write(number: int) -> None:
        for turn in range(25):
            # Another field has no row in common with other profiles that have the word.
            field = ("bio", "headline", "fullName")[number % 3]
            words = f"shared{(turn + number) % 3} own{number} turn{turn}"
            await people[number].ok("PATCH", "/mentor/me", {field: words})

    async def clean() -> None:
        while writing:
            await mentors.clean_search(api.services.db, BATCH_SIZE)

    cleaning = [asyncio.create_task(clean()) for _ in range(2)]
    await asyncio.gather(*map(write, range(6)))
    writing = False
    await asyncio.gather(*cleaning)
    assert sorted(await found(api, "shared")) == [f"m{number}" for number in range(6)]
    await mentors.clean_search(api.services.db, BATCH_SIZE)
    assert await empty_rows(api) == 0
    # shared0 to shared2 may all be there; of the others, the last ones of each.
    assert len([word for word in await words(api) if word.startswith("turn")]) == 1


async def test_clean_up_waits_for_a_word_that_is_being_written(api: Api, database_url: str) -> None:
    mentor = await api.mentor("mia", fullName="Mia", bio="alpha")
    other = await api.mentor("tom", fullName="Tom")
    await mentor.ok("PATCH", "/mentor/me", {"bio": "beta"})
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            await connection.execute(
                "UPDATE mentors SET headline = 'alpha' WHERE id = $1", other.id
            )
            # The new use of the word is not committed yet, and it must survive.
            assert await mentors.clean_search(api.services.db, BATCH_SIZE) == 0
    finally:
        await connection.close()
    assert await mentors.clean_search(api.services.db, BATCH_SIZE) == 0
    await api.services.listener.wait_until_current()
    assert await found(api, "alpha") == ["tom"]


async def test_search_long_profile_finds_its_first_500_words(api: Api) -> None:
    bio = " ".join(f"w{number:x}" for number in range(497)) + " giraffe zebra"
    mentor = await api.mentor("mia", fullName="Mia", headline="Last", bio=bio)
    assert len(await words(api)) == 500
    for word in ("mia", "last", "w0", "giraffe"):
        assert await found(api, word) == ["mia"], word
    assert await found(api, "zebra") == []
    await mentor.ok("PATCH", "/mentor/me", {"bio": "Short"})
    await api.run_job("search_vocabulary")
    assert await words(api) == {"mia", "last", "short"}


async def test_search_part_of_many_words_uses_the_5000_shortest(api: Api) -> None:
    await api.mentor("mia", fullName="Mia", headline="Xylophonist")
    await api.db.execute(
        "INSERT INTO search_vocabulary (word, keys)"
        " SELECT w, search_keys(w) FROM generate_series(1, 6000) AS n, concat('xyz', n) AS w"
    )
    count = await api.db.fetchval("SELECT count(*) FROM search_meaning('xy')")
    assert count == 5000
    assert await found(api, "xylophonist") == ["mia"]
    # Unused words take its place until they are deleted.
    assert await found(api, "xy") == []
    await api.run_job("search_vocabulary")
    assert await found(api, "xy", limit=11) == ["mia"]


async def test_search_longer_than_the_time_limit_is_unavailable(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mentors, "MAX_SEARCH_SECONDS", 0.2)
    await api.mentor("mia", bio="alpha")
    async with api.db.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE search_vocabulary IN ACCESS EXCLUSIVE MODE")
        response = await api.nobody.get("/mentors/search", q="alpha")
        assert response.status == 503
        assert response.headers["Retry-After"] == "1"
        # The statement is cancelled on the server as well.
        while await api.db.fetchval(WAITING):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    monkeypatch.undo()
    assert await found(api, "alpha") == ["mia"]


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/mentors/search", {"q": "a"}),
        ("/mentors", {"expertise": "go"}),
        ("/mentors", {"sort": "rate"}),
        ("/mentors/facets", {}),
        ("/mentors/available", {"from": "2030-01-07T00:00:00Z", "to": "2030-01-08T00:00:00Z"}),
    ],
    ids=["search", "filter", "sort", "facets", "available"],
)
async def test_search_many_times_at_once_leaves_connections_to_others(
    api: Api, path: str, parameters: dict[str, str]
) -> None:
    """All searches hang. They must not use all connections."""
    mentor = await api.mentor("mia", bio="alpha")
    async with api.db.acquire() as connection, connection.transaction():
        await connection.execute(
            "LOCK TABLE search_vocabulary, search_postings, mentor_starts IN ACCESS EXCLUSIVE MODE"
        )
        searches = [
            asyncio.create_task(api.nobody.get(path, **parameters, x=number))
            for number in range(50)
        ]
        while not api.services.searches.locked():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        for _ in range(20):
            await mentor.ok("GET", "/mentor/dashboard")
        assert not any(search.done() for search in searches)
    assert {response.status for response in await asyncio.gather(*searches)} == {200}
