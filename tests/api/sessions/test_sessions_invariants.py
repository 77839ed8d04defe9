"""Invariants enforced for every writer: distance of live sessions, and stored figures."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from tests.client import Api, Mentor, day_after_tomorrow, is_error

TAKEN = "Time slot is no longer available"
LIVE = ("pending", "confirmed", "rescheduled", "in_progress")
OVER = ("pending_completion", "completed", "disputed", "cancelled")
WAITS = """
    SELECT wait_event_type = 'Lock' OR state = 'idle in transaction'
    FROM pg_stat_activity WHERE pid = $1
"""
MOVE = "UPDATE bookings SET start_time = $2, end_time = $3 WHERE id = $1"


def at(hour: int, minute: int = 0) -> datetime:
    return day_after_tomorrow(hour, minute)


async def refusal(writing: Any) -> str | None:
    """Return the constraint that refuses a write, or None."""
    try:
        await writing
    except asyncpg.IntegrityConstraintViolationError as error:
        return error.constraint_name
    return None


async def insert(api: Api, mentor: Mentor, start: datetime, end: datetime, status: str) -> Any:
    minutes = int((end - start) / timedelta(minutes=1))
    return await api.by_hand(api.user("dba"), mentor, status, start, minutes)


# Time ---------------------------------------------------------------------------------------------


async def test_insert_overlapping_session_is_refused(api: Api) -> None:
    mentor = await api.mentor(bufferTime=15)
    await api.session(api.user("ann"), mentor, at(12))
    for start, end in (
        (at(12), at(13)),
        (at(11), at(14)),
        (at(12, 15), at(12, 45)),
        (at(11), at(11, 46)),
        (at(13, 14), at(14)),
        (at(11, 46), at(12, 1)),
    ):
        for status in LIVE:
            refused = await refusal(insert(api, mentor, start, end, status))
            assert refused == "bookings_no_overlap", (start, status)
        for status in OVER:
            await insert(api, mentor, start, end, status)
    await insert(api, mentor, at(10), at(11, 45), "pending")
    await insert(api, mentor, at(13, 15), at(14), "confirmed")


async def test_update_session_to_overlap_is_refused(api: Api) -> None:
    mentor, ann = await api.mentor(bufferTime=15), api.user("ann")
    await api.session(ann, mentor, at(12))
    session = (await api.session(ann, mentor, at(18)))["id"]
    for start, end in (
        (at(12), at(13)),
        (at(11), at(11, 46)),
        (at(13, 14), at(14)),
        (at(11), at(14)),
    ):
        refused = await refusal(api.db.execute(MOVE, session, start, end))
        assert refused == "bookings_no_overlap", start
    for start, end in ((at(11), at(11, 45)), (at(13, 15), at(14))):
        assert await refusal(api.db.execute(MOVE, session, start, end)) is None


async def test_update_end_or_mentor_alone_to_overlap_is_refused(api: Api) -> None:
    mia, max_ = await api.mentor("mia", bufferTime=15), await api.mentor("max")
    ann = api.user("ann")
    first = (await api.session(ann, mia, at(9)))["id"]
    await api.session(ann, mia, at(11))
    other = (await api.session(ann, max_, at(11)))["id"]
    longer = "UPDATE bookings SET end_time = $2 WHERE id = $1"
    assert await refusal(api.db.execute(longer, first, at(10, 46))) == "bookings_no_overlap"
    assert await refusal(api.db.execute(longer, first, at(10, 45))) is None
    hand_over = "UPDATE bookings SET mentor_id = $2 WHERE id = $1"
    assert await refusal(api.db.execute(hand_over, other, mia.id)) == "bookings_no_overlap"


async def test_revive_session_at_taken_time_is_refused(api: Api) -> None:
    mentor, ann = await api.mentor(bufferTime=15), api.user("ann")
    gone = await api.by_hand(ann, mentor, "cancelled", at(12))
    session = await api.session(ann, mentor, at(13, 10))
    revive = "UPDATE bookings SET status = $2 WHERE id = $1"
    for status in LIVE:
        refused = await refusal(api.db.execute(revive, gone, status))
        assert refused == "bookings_no_overlap"
    await ann.ok("POST", f"/sessions/{session['id']}/cancel")
    assert await refusal(api.db.execute(revive, gone, "confirmed")) is None
    assert (await ann.ok("GET", f"/sessions/{gone}"))["status"] == "confirmed"


async def test_revive_session_takes_current_buffer(api: Api) -> None:
    mentor, ann = await api.mentor(bufferTime=0), api.user("ann")
    before = await api.by_hand(ann, mentor, "cancelled", at(11, 55))
    after = await api.by_hand(ann, mentor, "cancelled", at(14, 5))
    await api.session(ann, mentor, at(13))
    revive = "UPDATE bookings SET status = 'confirmed' WHERE id = $1"
    for buffer, refused in ((45, "bookings_no_overlap"), (0, None)):
        await api.db.execute("UPDATE mentors SET buffer_time = $1", buffer)
        for session in (before, after):
            assert await refusal(api.db.execute(revive, session)) == refused


async def test_insert_session_with_own_buffer_ignores_it(api: Api) -> None:
    mentor, ann = await api.mentor(bufferTime=45), api.user("ann")
    session = await api.session(ann, mentor, at(9))
    statement = """
        INSERT INTO bookings (mentor_id, mentee_id, topic, start_time, end_time, buffer_time)
        VALUES ($1, 'ann', 'Near', $2, $3, 0)
    """
    near = api.db.execute(statement, mentor.id, at(10, 30), at(11))
    assert await refusal(near) == "bookings_no_overlap"
    await api.db.execute("UPDATE bookings SET buffer_time = 0 WHERE id = $1", session["id"])
    near = api.db.execute(statement, mentor.id, at(10, 30), at(11))
    assert await refusal(near) == "bookings_no_overlap"


async def test_insert_overlap_without_triggers_is_refused(api: Api) -> None:
    mentor, ann = await api.mentor(bufferTime=15), api.user("ann")
    await api.session(ann, mentor, at(12))
    statement = """
        INSERT INTO bookings (mentor_id, mentee_id, topic, start_time, end_time, buffer_time)
        VALUES ($1, 'ann', 'Replicated', $2, $3, 15)
    """
    async with api.db.acquire() as connection:
        await connection.execute("SET session_replication_role = replica")
        for start, end in ((at(12), at(13)), (at(11), at(11, 46)), (at(13, 14), at(14))):
            refused = await refusal(connection.execute(statement, mentor.id, start, end))
            assert refused == "bookings_no_overlap", start
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(statement, mentor.id, at(11), at(11, 45))
        await transaction.rollback()


async def test_insert_twenty_sessions_at_once_keeps_one(api: Api) -> None:
    mentor = await api.mentor(bufferTime=15)
    ann = api.user("ann")
    outcomes = await asyncio.gather(
        *(
            refusal(api.by_hand(ann, mentor, "confirmed", at(9) + timedelta(minutes=3 * n)))
            for n in range(20)
        )
    )
    assert Counter(outcomes) == {None: 1, "bookings_no_overlap": 19}


async def test_insert_in_opposite_orders_at_once_has_no_deadlock(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    await api.session(ann, mentor, at(18))
    insert = f"""
        INSERT INTO bookings (mentor_id, mentee_id, topic, start_time, end_time)
        VALUES ('{mentor.id}', 'ann', 'Crosswise', $1, $2)
    """

    async def second(connection: asyncpg.Connection) -> str | None:
        async with connection.transaction():
            for hour in (12, 9):
                await connection.execute(insert, at(hour), at(hour + 1))

    async with api.db.acquire() as one, api.db.acquire() as other:
        async with one.transaction():
            await one.execute(insert, at(9), at(10))
            crossing = asyncio.create_task(refusal(second(other)))
            while not await api.db.fetchval(WAITS, other.get_server_pid()):  # noqa: ASYNC110
                await asyncio.sleep(0)
            await one.execute(insert, at(12), at(13))
        assert await crossing == "bookings_no_overlap"


async def test_insert_pending_session_holds_its_time(api: Api) -> None:
    mentor, ann, bob = await api.mentor(), api.user("ann"), api.user("bob")
    request = await api.request(bob, mentor)
    session = await api.by_hand(ann, mentor, "pending")
    assert is_error(await mentor.post(f"/requests/{request['id']}/accept"), 409, TAKEN)
    confirmed = await mentor.ok("POST", f"/sessions/{session}/confirm")
    assert (confirmed["status"], confirmed["menteeId"]) == ("confirmed", "ann")
    assert is_error(await mentor.post(f"/requests/{request['id']}/accept"), 409, TAKEN)


async def test_insert_wrong_values_is_refused(api: Api) -> None:
    mentor = await api.mentor()
    session = await api.by_hand(api.user("ann"), mentor, "confirmed")
    for change, constraint in {
        "status = 'done'": "bookings_status",
        "end_time = start_time + interval '14 min'": "bookings_length",
        "end_time = start_time + interval '181 min'": "bookings_length",
        "cancellation_reason = 'x'": "bookings_reason_only_when_cancelled",
        "session_rate = -1": "bookings_session_rate",
        "mentee_id = 'nobody'": "bookings_mentee_fkey",
    }.items():
        writing = api.db.execute(f"UPDATE bookings SET {change} WHERE id = $1", session)
        assert await refusal(writing) == constraint


async def test_update_request_without_its_booking_is_refused(api: Api) -> None:
    mentor, ann, bob = await api.mentor(), api.user("ann"), api.user("bob")
    pending = (await api.request(ann, mentor))["id"]
    accepted = (await api.session(bob, mentor))["requestId"]
    for change, request, constraint in (
        ("status = 'accepted'", pending, "requests_accepted_has_booking"),
        ("status = 'pending', booking_id = NULL", accepted, None),
        ("status = 'rejected'", accepted, "requests_accepted_has_booking"),
        ("rejection_reason = 'x'", pending, "requests_reason_only_when_rejected"),
    ):
        async with api.db.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            statement = f"UPDATE requests SET {change} WHERE id = $1"
            assert await refusal(connection.execute(statement, request)) == constraint, change
            await transaction.rollback()


# Figures ------------------------------------------------------------------------------------------


async def figures(mentor: Mentor) -> tuple[int, int, float | None]:
    public = await mentor.ok("GET", f"/mentors/{mentor.id}")
    return public["totalSessions"], public["totalReviews"], public["rating"]


async def test_change_sessions_by_hand_keeps_counts_right(api: Api) -> None:
    mia, max_, ann = await api.mentor("mia"), await api.mentor("max"), api.user("ann")
    first = await api.by_hand(ann, mia, "completed", at(9))
    second = await api.by_hand(ann, mia, "confirmed", at(12))
    assert await figures(mia) == (1, 0, None)
    for change, counts in (
        ("status = 'completed'", (2, 0)),
        ("status = 'completed', topic = 'Again'", (2, 0)),
        ("status = 'disputed'", (1, 0)),
        ("status = 'completed'", (2, 0)),
        (f"mentor_id = '{max_.id}'", (1, 1)),
        (f"mentor_id = '{mia.id}', status = 'cancelled'", (1, 0)),
    ):
        await api.db.execute(f"UPDATE bookings SET {change} WHERE id = $1", second)
        assert ((await figures(mia))[0], (await figures(max_))[0]) == counts, change
    await api.db.execute("DELETE FROM bookings WHERE id = $1", first)
    assert await figures(mia) == (0, 0, None)


async def test_change_reviews_by_hand_keeps_counts_right(api: Api) -> None:
    mia, max_, ann = await api.mentor("mia"), await api.mentor("max"), api.user("ann")
    for rating in (5, 2):
        session = await api.completed(ann, mia)
        await ann.ok("POST", f"/sessions/{session['id']}/review", {"rating": rating})
    assert await figures(mia) == (2, 2, 3.5)
    await api.db.execute("UPDATE reviews SET rating = 3 WHERE rating = 2")
    assert await figures(mia) == (2, 2, 4.0)
    await api.db.execute("UPDATE reviews SET comment = 'Edited'")
    assert await figures(mia) == (2, 2, 4.0)
    await api.db.execute("UPDATE reviews SET mentor_id = $1 WHERE rating = 3", max_.id)
    assert await figures(mia) == (2, 1, 5.0)
    assert await figures(max_) == (0, 1, 3.0)
    await api.db.execute("DELETE FROM reviews")
    assert await figures(mia) == (2, 0, None)
    assert await figures(max_) == (0, 0, None)
