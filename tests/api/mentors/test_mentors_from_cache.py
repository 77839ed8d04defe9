"""Public reads are served from the cache, and never from a stale response."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from mentorapi.cache import responses
from mentorapi.events import listener
from tests.client import BLOCKED, Api, Response, asking, day_after_tomorrow


def hits(api: Api) -> int:
    return api.services.cache.hits


async def is_hit(api: Api, path: str) -> bool:
    before = hits(api)
    await api.nobody.get(path)
    return hits(api) > before


def slots_path(mentor_id: str) -> str:
    """A path whose response stays true for a day, and not only until the next full hour."""
    day = day_after_tomorrow().date()
    return f"/mentors/{mentor_id}/availability?startDate={day}&endDate={day}"


async def slots(api: Api, mentor_id: str) -> list[str]:
    response = await api.nobody.get(slots_path(mentor_id))
    return [slot["startTime"] for slot in response.json["slots"]]


@pytest.mark.own_server
async def test_read_twice_asks_the_database_once(api: Api) -> None:
    mentor = await api.mentor(bio="x" * 2000)
    paths = [
        "/mentors",
        "/mentors?limit=1",
        "/mentors/search?q=xx",
        f"/mentors/{mentor.id}",
        f"/mentors/{mentor.id}/reviews",
        slots_path(mentor.id),
    ]
    first = [await api.nobody.get(path) for path in paths]
    await api.db.execute("ALTER TABLE mentors RENAME TO away")
    again = [await api.nobody.get(path) for path in paths]

    def seen(response: Response) -> tuple[object, ...]:
        names = ("Content-Type", "Etag", "X-Total-Count", "Link", "Cache-Control", "Vary")
        return (response.status, response.body, *(response.headers.get(name) for name in names))

    assert [seen(response) for response in again] == [seen(response) for response in first]


async def test_read_cached_response_supports_etag_gzip_and_head(api: Api) -> None:
    mentor = await api.mentor(bio="x" * 2000)
    path = f"/mentors/{mentor.id}"
    for _ in range(2):
        plain = await api.nobody.get(path)
        zipped = await api.nobody.get(path, headers={"Accept-Encoding": "gzip"})
        known = await api.nobody.get(path, headers={"If-None-Match": plain.headers["Etag"]})
        head = await api.nobody.request("HEAD", path)
        assert zipped.headers["Content-Encoding"] == "gzip"
        assert len(zipped.body) < len(plain.body)
        assert zipped.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
        assert (known.status, known.body) == (304, b"")
        assert (head.status, head.body) == (200, b"")
        assert head.headers["Content-Length"] == str(len(plain.body))


@pytest.mark.parametrize(
    ("accepted", "zipped"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5, br", True),
        ("gzip;q=1.0", True),
        ("gzip;q=0", False),
        ("br, gzip ; q=0.000", False),
        ("x-gzip-not", False),
    ],
)
async def test_read_without_accept_encoding_is_not_compressed(
    api: Api, accepted: str, zipped: bool
) -> None:
    mentor = await api.mentor(bio="x" * 2000)
    headers = {"Accept-Encoding": accepted}
    path = f"/mentors/{mentor.id}"
    made = await api.nobody.request("GET", path, headers=headers)
    kept = await api.nobody.request("GET", path, headers=headers)
    own = await mentor.request("GET", "/mentor/me", headers=headers)
    for response in (made, kept, own):
        assert (response.headers.get("Content-Encoding") == "gzip") is zipped
        assert "x" * 2000 in response.content.decode()


async def test_read_with_a_body_ignores_it(api: Api) -> None:
    mentor = await api.mentor()
    seen = []
    for body in (None, b"{}", None):
        response = await api.nobody.request("GET", f"/mentors/{mentor.id}", body=body)
        seen.append((response.status, response.json))
    assert seen == [seen[0]] * 3
    # Requests with a body are not served from the cache.
    assert hits(api) == 1


@asynccontextmanager
async def slots_that_must_wait(api: Api, path: str) -> AsyncIterator[asyncio.Task[Response]]:
    """Yield a read of slots that waits for a lock of the database until the block ends."""
    async with api.db.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE availability_windows IN ACCESS EXCLUSIVE MODE")
        first = asyncio.create_task(api.nobody.get(path))
        while not await api.db.fetch(BLOCKED):
            pass
        yield first


async def ask_too(api: Api, path: str, people: int) -> list[asyncio.Task[Response]]:
    asking = [asyncio.create_task(api.nobody.get(path)) for _ in range(people)]
    while api.services.metrics.requests_in_progress <= people:
        await api.db.execute("SELECT")
    # A request counts before its handler looks into the cache.
    await api.db.execute("SELECT")
    return asking


async def test_read_many_times_at_once_asks_the_database_once(api: Api) -> None:
    path = f"/mentors/{(await api.mentor()).id}/availability"
    async with slots_that_must_wait(api, path) as first:
        others = await ask_too(api, path, 50)
        assert len(await api.db.fetch(BLOCKED)) == 1
    received = await asyncio.gather(first, *others)
    assert {(response.status, response.body) for response in received} == {(200, received[0].body)}
    assert {response.headers["Etag"] for response in received} == {received[0].headers["Etag"]}
    assert len({response.headers["X-Request-Id"] for response in received}) == 51


async def test_read_after_own_request_does_not_join_an_older_read(api: Api) -> None:
    mentor = await api.mentor()
    await mentor.ok("PUT", "/mentor/policy", {"maxSessionsPerWeek": 1})
    path = slots_path(mentor.id)
    # The response of a read that still runs.
    found = responses.Response((await api.nobody.get(path)).content, {})
    older = api.services.cache.begin(f"/api{path}", mentor.id)
    await api.request(api.user("jane"), mentor)
    reads = [asyncio.create_task(api.nobody.get(path)), *await ask_too(api, path, 20)]
    misses = api.services.cache.misses
    api.services.cache.end(older, found, 0)
    assert [(await each).json["slots"] for each in reads] == [[]] * 21
    assert api.services.cache.misses == misses + 1


async def test_read_after_own_write_does_not_join_an_older_read(api: Api) -> None:
    path = f"/mentors/{(await api.mentor()).id}/availability"
    async with slots_that_must_wait(api, path) as before:
        await api.db.execute("UPDATE mentors SET timezone = 'WAT'")
        await api.services.listener.wait_until_current()
        after = asyncio.create_task(api.nobody.get(path))
        while len(await api.db.fetch(BLOCKED)) < 2:
            pass
    assert (await before).status == 200
    assert (await after).json["timezone"] == "WAT"
    assert (await api.nobody.get(path)).json["timezone"] == "WAT"


async def test_read_while_another_read_fails_asks_again(api: Api) -> None:
    path = f"/mentors/{(await api.mentor()).id}/availability"
    async with slots_that_must_wait(api, path) as first:
        others = await ask_too(api, path, 5)
        ((backend,),) = await api.db.fetch(BLOCKED)
        await api.db.execute("SELECT pg_cancel_backend($1)", backend)
        assert (await first).status == 503
    assert [response.status for response in await asyncio.gather(*others)] == [200] * 5


async def test_read_error_does_not_keep_it(api: Api) -> None:
    mentor = await api.mentor(visibility="private")
    assert (await api.nobody.get(f"/mentors/{mentor.id}")).status == 404
    await mentor.patch("/mentor/me", {"visibility": "public"})
    assert (await api.nobody.get(f"/mentors/{mentor.id}")).status == 200


async def test_read_after_own_write_shows_it(api: Api) -> None:
    mentor, jane = await api.mentor("mia"), api.user("jane")
    at = day_after_tomorrow(9)

    async def see() -> tuple[object, ...]:
        show = (await api.nobody.get(f"/mentors/{mentor.id}")).json
        (card,) = (await api.nobody.get("/mentors")).json
        reviews = (await api.nobody.get(f"/mentors/{mentor.id}/reviews")).json
        assert card.items() <= show.items()
        return (
            show["headline"],
            show["totalSessions"],
            show["rating"],
            reviews["meta"]["total"],
            "09:00" in await slots(api, mentor.id),
        )

    assert await see() == (None, 0, None, 0, True)
    await mentor.patch("/mentor/me", {"headline": "New"})
    assert await see() == ("New", 0, None, 0, True)
    session = await api.session(jane, mentor, at)
    assert await see() == ("New", 0, None, 0, False)
    moved = day_after_tomorrow(12)
    await mentor.put(
        f"/sessions/{session['id']}/reschedule",
        {"newStartTime": moved.isoformat(), "newEndTime": moved.replace(hour=13).isoformat()},
    )
    assert await see() == ("New", 0, None, 0, True)
    assert "12:00" not in await slots(api, mentor.id)
    await jane.post(f"/sessions/{session['id']}/cancel")
    assert "12:00" in await slots(api, mentor.id)
    done = await api.completed(jane, mentor, at)
    assert await see() == ("New", 1, None, 0, True)
    await jane.post(f"/sessions/{done['id']}/review", {"rating": 4})
    assert await see() == ("New", 1, 4.0, 1, True)
    (window,) = [
        one
        for one in (await mentor.get("/mentor/availability")).json["slots"]
        if one["dayOfWeek"] == at.weekday()
    ]
    await mentor.delete(f"/mentor/availability/{window['id']}")
    assert await slots(api, mentor.id) == []


async def test_read_reviews_after_new_name_of_mentee_shows_it(api: Api) -> None:
    mentor, jane = await api.mentor("mia"), api.user("jane", name="Jane")
    done = await api.completed(jane, mentor)
    await jane.post(f"/sessions/{done['id']}/review", {"rating": 4})
    path = f"/mentors/{mentor.id}/reviews"
    assert (await api.nobody.get(path)).json["data"][0]["mentee"]["name"] == "Jane"
    await api.user("jane", name="Jane Smith").get("/sessions")
    assert (await api.nobody.get(path)).json["data"][0]["mentee"]["name"] == "Jane Smith"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE mentors SET headline = 'By hand'",
        "UPDATE mentors SET visibility = 'private'",
        "DELETE FROM availability_windows",
        "UPDATE availability_windows SET start_time = '01:00'",
        "INSERT INTO availability_overrides SELECT id, current_date + 1, '{}', '{}' FROM mentors",
        """
        INSERT INTO time_off (mentor_id, start_date, end_date)
        SELECT id, current_date + 1, current_date + 2 FROM mentors
        """,
        "UPDATE mentors SET accepting_requests = FALSE",
        """
        INSERT INTO bookings (mentor_id, mentee_id, topic, start_time, end_time)
        SELECT id, user_id, 'By hand', now() + interval '1 day', now() + interval '25 hours'
        FROM mentors
        """,
    ],
)
async def test_read_after_change_by_a_dba_shows_it(api: Api, statement: str) -> None:
    mentor = await api.mentor()
    paths = ["/mentors", f"/mentors/{mentor.id}", f"/mentors/{mentor.id}/availability"]
    before = [(await api.nobody.get(path)).body for path in paths]
    await api.db.execute(statement)
    after = [(await api.nobody.get(path)).body for path in paths]
    assert before != after


async def test_change_mentor_evicts_its_responses_only(api: Api) -> None:
    mia, tom = await api.mentor("mia"), await api.mentor("tom")
    paths = ["/mentors", f"/mentors/{mia.id}", slots_path(tom.id)]
    for path in paths:
        await api.nobody.get(path)

    async def kept() -> list[bool]:
        found = []
        for path in paths:
            before = hits(api)
            await api.nobody.get(path)
            found.append(hits(api) > before)
        return found

    assert await kept() == [True, True, True]
    await mia.patch("/mentor/me", {"links": {"web": "https://example.com"}})
    assert await kept() == [True, False, True]
    await mia.patch("/mentor/me", {"headline": "New"})
    assert await kept() == [False, False, True]
    await api.user("jane").post("/requests", asking(tom))
    assert await kept() == [True, True, True]
    await api.session(api.user("ken"), tom)
    assert await kept() == [True, True, False]


async def test_change_during_a_read_does_not_keep_its_response(api: Api) -> None:
    mentor = await api.mentor(headline="Old")
    path = f"/mentors/{mentor.id}"
    async with api.db.acquire() as connection, connection.transaction():
        # The read waits for this lock, so it ends after the change.
        await connection.execute("LOCK mentors IN ACCESS EXCLUSIVE MODE")
        reading = asyncio.ensure_future(api.nobody.get(path))
        await connection.execute("UPDATE mentors SET headline = 'New'")
    await reading
    assert (await api.nobody.get(path)).json["headline"] == "New"


@pytest.mark.own_server
async def test_lose_listening_connection_keeps_nothing_until_it_is_back(api: Api) -> None:
    mentor = await api.mentor()
    path = f"/mentors/{mentor.id}"
    await api.nobody.get(path)
    await api.db.execute(
        """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND query IN ('', 'LISTEN "mentorapi"')
        """
    )
    await mentor.patch("/mentor/me", {"headline": "New"})
    assert (await api.nobody.get(path)).json["headline"] == "New"

    async def listening() -> None:
        while True:
            before = hits(api)
            await api.nobody.get(path)
            if hits(api) > before:
                return

    await listening()
    await mentor.patch("/mentor/me", {"headline": "Newer"})
    assert (await api.nobody.get(path)).json["headline"] == "Newer"


async def test_read_slots_after_the_first_has_begun_asks_the_database(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    mentor = await api.mentor()
    path = f"/mentors/{mentor.id}/availability"
    first = (await api.nobody.get(path)).json["slots"][0]
    begins = datetime.fromisoformat(f"{first['date']}T{first['startTime']}Z")
    begins_at = time.monotonic() + (begins - datetime.now(UTC)).total_seconds()
    for seconds, hit in ((-5, True), (5, False)):
        for module in (responses, listener):
            monkeypatch.setattr(module, "monotonic", lambda at=begins_at + seconds: at)
        await api.services.listener.wait_until_current()
        assert await is_hit(api, path) is hit


@pytest.fixture
def small_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache for four responses of 4,000 bytes."""
    monkeypatch.setattr(responses, "MAX_BYTES", 20_000)


async def fifty_urls(api: Api) -> list[str]:
    mentor = await api.mentor(bio="x" * 3000)
    return [f"/mentors/{mentor.id}?unused={number}" for number in range(50)]


@pytest.mark.usefixtures("small_memory")
@pytest.mark.own_server
async def test_read_many_urls_keeps_the_last_read_within_the_limit(api: Api) -> None:
    paths = await fifty_urls(api)
    for path in paths:
        await api.nobody.get(path)
        assert api.services.cache.bytes_kept <= 20_000
    assert [path for path in reversed(paths) if await is_hit(api, path)] == paths[:-5:-1]


@pytest.mark.usefixtures("small_memory")
@pytest.mark.own_server
async def test_read_one_url_often_keeps_it_among_urls_read_once(api: Api) -> None:
    often, *once = await fifty_urls(api)
    assert not await is_hit(api, often)
    for path in once:
        assert not await is_hit(api, path)
        assert await is_hit(api, often)
    assert not await is_hit(api, once[0])


async def test_read_a_response_above_the_limit_keeps_others_and_not_it(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    large, small = await api.mentor("mia", bio="x" * 3000), await api.mentor("tom")
    monkeypatch.setattr(responses, "MAX_RESPONSE_BYTES", 3000)
    paths = [f"/mentors/{small.id}", f"/mentors/{large.id}"]
    assert [await is_hit(api, path) for path in paths * 2] == [False, False, True, False]


async def test_announce_a_change_of_everything_clears_the_cache(api: Api) -> None:
    paths = [f"/mentors/{(await api.mentor()).id}", "/mentors"]
    assert [await is_hit(api, path) for path in paths * 2] == [False, False, True, True]
    await api.db.execute("INSERT INTO events (type, stale) VALUES ('cache.cleared', 'all')")
    assert [await is_hit(api, path) for path in paths * 2] == [False, False, True, True]
