"""The event log: its rows and its readers, which miss no change."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import orjson
import psycopg
import pytest

from mentorapi.app import ROUTES
from mentorapi.cache.responses import ResponseCache
from mentorapi.database import statements
from mentorapi.database.connections import connect
from mentorapi.database.pool import DatabaseConnection
from mentorapi.events import listener
from mentorapi.events.listener import Listener
from mentorapi.repositories import events
from tests.client import ALWAYS, Api, day_after_tomorrow
from tests.robustness.faults import message, read_response

#: Seconds in which a reader must see a change. It takes milliseconds.
SOON = 30.0


@asynccontextmanager
async def psql(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """Connect to the database beside the server."""
    connection = await asyncpg.connect(database_url)
    try:
        yield connection
    finally:
        await connection.close()


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    """Repeat a request until its result is true."""
    async with asyncio.timeout(SOON):
        while not await condition():
            pass


async def location(api: Api, mentor_id: str) -> str | None:
    """Return the location that a mentor's public page shows."""
    return (await api.nobody.get(f"/mentors/{mentor_id}")).json["location"]


async def until_shown(api: Api, mentor_id: str, wanted: str) -> None:
    async def shown() -> bool:
        return await location(api, mentor_id) == wanted

    await until(shown)


async def follow(api: Api, after: str = "0-0") -> list[dict[str, Any]]:
    return orjson.loads(await events.follow(api.services.db, after, 1000))


async def follow_all(api: Api, after: str = "0-0") -> list[dict[str, Any]]:
    """Read all events, once no transaction that still runs is older than the last one."""
    settled = "SELECT max(xid) < pg_snapshot_xmin(pg_current_snapshot()) FROM events"
    await until(lambda: api.db.fetchval(settled))
    return await follow(api, after)


async def test_update_reviewer_by_hand_adds_the_mentor_if_it_shows(api: Api) -> None:
    """A review shows the name of its mentee, and no e-mail address."""
    mentor = await api.mentor()
    await api.rate(mentor, 4)
    reviewer = "WHERE id IN (SELECT mentee_id FROM reviews)"
    for change, expected in (
        ("email = 'new@example.com'", []),
        ("name = 'New'", ["mentor.updated"]),
    ):
        last = (await follow_all(api))[-1]["id"]
        await api.db.execute(f"UPDATE users SET {change} {reviewer}")
        assert [event["type"] for event in await follow_all(api, last)] == expected


# The caches --------------------------------------------------------------------------------------


@pytest.fixture
def never_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "POLL_SECONDS", 600.0)


@pytest.mark.own_server
async def test_write_is_notified_to_the_other_server(
    never_polling: None, api: Api, other: Api
) -> None:
    mentor = await api.mentor()
    for number in range(3):
        await location(other, mentor.id)
        await mentor.patch("/mentor/me", {"location": f"New {number}"})
        await until_shown(other, mentor.id, f"New {number}")


async def test_lose_notifications_shows_the_change_at_the_next_poll(
    api: Api, other: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Listener, "notify_soon", lambda self: None)
    mentor = await api.mentor()
    await location(other, mentor.id)
    await mentor.patch("/mentor/me", {"location": "New"})
    assert await location(api, mentor.id) == "New"
    await until_shown(other, mentor.id, "New")


async def test_change_by_psql_shows_a_moment_later(api: Api, database_url: str) -> None:
    mentor = await api.mentor()
    await location(api, mentor.id)
    async with psql(database_url) as dba:
        await dba.execute("UPDATE mentors SET location = 'By hand'")
    await until_shown(api, mentor.id, "By hand")


async def test_read_when_the_process_was_stopped_shows_the_change(
    api: Api, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that goes on may find a request before it has read the log."""
    monkeypatch.setattr(listener, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(listener, "CURRENT_SECONDS", 0.05)
    mentor = await api.mentor()
    address = urlsplit(api.base)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    with closing(writer):
        call = message("GET", f"/mentors/{mentor.id}", None)
        for _ in range(2):
            writer.write(call)
            assert (await read_response(reader)).json["location"] is None
        os.write(writer.get_extra_info("socket").fileno(), call)
        # Until the next await, the server does not run its event loop.
        with psycopg.connect(database_url, autocommit=True) as dba:
            dba.execute("UPDATE mentors SET location = 'By hand'")
            dba.execute("SELECT pg_sleep(0.1)")
        assert (await read_response(reader)).json["location"] == "By hand"


async def test_close_listener_at_any_moment_ends_it(database_url: str) -> None:
    """Close it in each of the first rounds of the event loop after the loss of its connection."""
    opened: list[DatabaseConnection] = []

    async def open_one() -> DatabaseConnection:
        opened.append(await connect(database_url, listener.SESSION))
        return opened[-1]

    for rounds in range(8):
        following = Listener(ResponseCache(), open_one)
        await following.start()
        await following.wait_until_current()
        opened[-1].terminate()
        for _ in range(rounds):
            await asyncio.sleep(0)
        async with asyncio.timeout(SOON):
            await following.close()


async def test_commit_late_still_makes_the_cache_stale(api: Api, database_url: str) -> None:
    mia, tom = await api.mentor("mia"), await api.mentor("tom")
    async with psql(database_url) as dba:
        async with dba.transaction():
            await dba.execute("UPDATE mentors SET location = 'Late' WHERE id = $1", mia.id)
            # A transaction that begins later and commits earlier.
            await tom.patch("/mentor/me", {"location": "Early"})
            assert [await location(api, mentor.id) for mentor in (mia, tom)] == [None, "Early"]
        await api.services.listener.wait_until_current()
    assert await location(api, mia.id) == "Late"


async def test_run_operations_that_skip_the_log_makes_nothing_stale(api: Api) -> None:
    operations = [spec for _, handler in ROUTES for spec in handler.operations().values()]
    skipping = {"createRequest", "rejectRequest", "cancelRequest"}
    assert {spec.name for spec in operations if not spec.affects_cache} == skipping
    mentor, mentee = await api.mentor(), api.user("ada")
    await mentee.get("/requests/pending-count")
    since = (await statements.events.list_stale(api.services.db, since=None))["snapshot"]
    for user, method, action in ((mentor, "POST", "reject"), (mentee, "PATCH", "cancel")):
        request = await api.request(mentee, mentor)
        response = await user.request(method, f"/requests/{request['id']}/{action}")
        assert response.status == 200
    assert len(await api.db.fetch("SELECT FROM events WHERE object_id = $1", request["id"])) == 2
    assert (await statements.events.list_stale(api.services.db, since=since))["topics"] == []


async def test_hold_a_transaction_open_reads_no_row_again(api: Api, database_url: str) -> None:
    mentor, db = await api.mentor(), api.services.db

    async def read(since: str | None) -> tuple[str, list[str]]:
        row = await statements.events.list_stale(db, since=since)
        return row["snapshot"], row["topics"]

    async with psql(database_url) as dba:
        async with dba.transaction():
            await dba.execute("INSERT INTO events (type, stale) VALUES ('cache.cleared', 'all')")
            snapshot, topics = await read(None)
            assert topics == []
            for number in range(3):
                await mentor.patch("/mentor/me", {"location": f"New {number}"})
                assert await location(api, mentor.id) == f"New {number}"
                snapshot, topics = await read(snapshot)
                assert sorted(topics) == sorted([mentor.id, "lists"])
            snapshot, topics = await read(snapshot)
            assert topics == []
        assert (await read(snapshot))[1] == ["all"]


async def test_change_more_than_the_cache_counts_clears_it(api: Api) -> None:
    first = (await statements.events.list_stale(api.services.db, since=None))["snapshot"]
    await api.db.execute(
        "INSERT INTO events (type, mentor_id, stale)"
        " SELECT 'mentor.updated', uuidv7(), 'mentor' FROM generate_series(1, 10001)"
    )
    assert (await statements.events.list_stale(api.services.db, since=first))["topics"] == ["all"]


@pytest.mark.own_server
async def test_read_while_the_log_cannot_be_read_asks_the_database(api: Api) -> None:
    mentor, cache = await api.mentor(), api.services.cache
    path = f"/mentors/{mentor.id}"

    async def is_hit() -> bool:
        before = cache.hits
        await api.nobody.get(path)
        return cache.hits > before

    async def is_moved() -> bool:
        return (await api.nobody.get(path)).json["location"] == "Lagos"

    await until(is_hit)
    await api.db.execute("ALTER TABLE events RENAME TO away")
    async with api.db.acquire() as dba, dba.transaction():
        await dba.execute("SET LOCAL session_replication_role = replica")
        await dba.execute("UPDATE mentors SET location = 'Lagos'")
    await until(is_moved)
    assert not api.services.listener.connected
    assert not await is_hit()
    await api.db.execute("ALTER TABLE away RENAME TO events")
    await until(is_hit)


# Readers in order --------------------------------------------------------------------------------


async def test_follow_while_a_transaction_is_open_misses_no_event(
    api: Api, database_url: str
) -> None:
    mia, tom = await api.mentor("mia"), await api.mentor("tom")
    last = (await follow_all(api))[-1]["id"]
    async with psql(database_url) as dba:
        async with dba.transaction():
            await dba.execute("UPDATE mentors SET location = 'Late' WHERE id = $1", mia.id)
            await tom.patch("/mentor/me", {"location": "Early"})
            # The other one would come before it.
            assert await follow(api, last) == []
        await tom.patch("/mentor/me", {"location": "Later"})
    found = await follow_all(api, last)
    assert [event["data"]["id"] for event in found] == [mia.id, tom.id, tom.id]
    for number, event in enumerate(found):
        assert await follow(api, event["id"]) == found[number + 1 :]


async def test_follow_a_journey_has_each_change_once(api: Api) -> None:
    mentor, jane = await api.mentor("mia"), api.user("jane")
    start = (await follow_all(api))[-1]["id"]
    session = await api.session(jane, mentor)
    at = day_after_tomorrow(12)
    moved = {"newStartTime": at.isoformat(), "newEndTime": (at + timedelta(hours=1)).isoformat()}
    await mentor.ok("PUT", f"/sessions/{session['id']}/reschedule", moved)
    await jane.ok("POST", f"/sessions/{session['id']}/cancel")
    done = await api.completed(jane, mentor)
    review = (await jane.ok("POST", f"/sessions/{done['id']}/review", {"rating": 4}))["review"]
    request = await api.request(jane, mentor)
    await jane.ok("PATCH", f"/requests/{request['id']}", {"status": "cancelled"})
    await api.by_hand(jane, mentor, "disputed")
    await api.db.execute("UPDATE bookings SET status = 'completed' WHERE status = 'disputed'")
    found = await follow_all(api, start)
    assert [event["type"] for event in found] == [
        *("request.created", "request.accepted", "session.confirmed"),
        *("session.rescheduled", "session.cancelled"),
        *("request.created", "request.accepted", "session.confirmed"),
        # By hand: the session is moved into the past.
        "session.rescheduled",
        *("session.ended", "session.completed", "review.created"),
        *("request.created", "request.cancelled"),
        *("session.disputed", "session.resolved"),
    ]
    thin = {"object": "session", "id": session["id"], "mentorId": mentor.id}
    thin |= {"mentorUserId": "mia", "menteeId": "jane", "status": "rescheduled"}
    assert found[3]["data"] == thin | {"startTime": moved["newStartTime"].replace("+00:00", "Z")}
    assert found[11]["data"]["id"] == review["id"]


async def test_replace_windows_records_one_event(api: Api) -> None:
    mentor = await api.mentor()
    last = (await follow_all(api))[-1]["id"]
    await mentor.ok("PUT", "/mentor/availability", {"slots": ALWAYS[:3], "bufferTime": 15})
    assert [event["type"] for event in await follow_all(api, last)] == ["mentor.updated"]


# Writing and deleting ----------------------------------------------------------------------------


@pytest.mark.own_server
async def test_sweep_many_sessions_writes_their_events_at_once(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    session = await api.session(jane, mentor)
    await api.db.execute(
        """
        INSERT INTO bookings (mentor_id, mentee_id, topic, start_time, end_time, status)
        SELECT mentor_id, mentee_id, topic, at, at + interval '1 hour', status
        FROM bookings, generate_series(1, 50) AS i, LATERAL (SELECT now() - i * interval '1 day')
            AS times (at)
        WHERE id = $1
        """,
        session["id"],
    )
    await api.db.execute(
        """
        CREATE TABLE inserts (events bigint);
        CREATE FUNCTION count_events() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO inserts SELECT count(*) FROM new_rows;
            RETURN NULL;
        END $$;
        CREATE TRIGGER counted AFTER INSERT ON events REFERENCING NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION count_events();
        """
    )
    assert await api.sweep() == 50
    written = await api.db.fetch("SELECT events FROM inserts WHERE events > 0")
    assert [row["events"] for row in written] == [50]


async def test_run_job_deletes_old_events_and_keeps_the_history(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    session = await api.session(jane, mentor)
    path = f"/sessions/{session['id']}/history"
    before = await jane.ok("GET", path)
    await api.run_job("events")
    assert (await follow_all(api))[0]["type"] == "mentor.updated"
    await api.db.execute("UPDATE events SET created_at = now() - interval '31 days'")
    await api.run_job("events")
    assert await api.db.fetchval("SELECT bool_and(is_history) FROM events")
    assert [one["to"] for one in await jane.ok("GET", path)] == [one["to"] for one in before]


async def test_delete_by_hand_deletes_the_history_too(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    session_id = await api.by_hand(jane, mentor)
    path = f"/mentors/{mentor.id}/availability"
    booked = (await api.nobody.get(path)).json
    await api.db.execute("DELETE FROM bookings")
    history = "SELECT count(*) FROM events WHERE object_id = $1"
    assert await api.db.fetchval(history, session_id) == 0
    assert len((await api.nobody.get(path)).json["slots"]) > len(booked["slots"])
