"""The sweep: it moves due sessions once, also if several sweeps run at the same time."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from tests.client import Api, User, day_after_tomorrow, instant, is_error, iso
from tests.clock import Clock

STATES = (
    *("pending", "confirmed", "rescheduled", "in_progress"),
    *("pending_completion", "completed", "disputed", "cancelled"),
)
START = day_after_tomorrow(9)
END = day_after_tomorrow(10)
MOMENT = timedelta(microseconds=1)
GRACE = timedelta(minutes=15)


async def states(api: Api) -> Counter[str]:
    rows = await api.db.fetch("SELECT status FROM bookings")
    return Counter(row["status"] for row in rows)


async def status(user: User, session_id: str) -> str:
    return (await user.ok("GET", f"/sessions/{session_id}"))["status"]


BEGUN = {"confirmed": "in_progress", "rescheduled": "in_progress"}
OVER = dict.fromkeys(("confirmed", "rescheduled", "in_progress"), "pending_completion")
MOVES = {
    START - MOMENT: {},
    START: BEGUN,
    END - MOMENT: BEGUN,
    END: {},
    END + GRACE - MOMENT: {},
    END + GRACE: OVER,
    END + timedelta(days=365): OVER,
}


async def test_sweep_moves_due_sessions_only(api: Api, clock: Clock) -> None:
    ann = api.user("ann")
    sessions = {
        await api.by_hand(ann, await api.mentor(f"mia-{state}"), state, START): state
        for state in STATES
    }
    for moment, expected in MOVES.items():
        for session_id, state in sessions.items():
            await api.db.execute("UPDATE bookings SET status = $2 WHERE id = $1", session_id, state)
        before = {each["id"]: each for each in await ann.ok("GET", "/sessions")}
        await clock.stop_at(moment)
        assert await api.sweep() == len(expected), moment
        for after in await ann.ok("GET", "/sessions"):
            state = sessions[after["id"]]
            assert after["status"] == expected.get(state, state), moment
            assert (after == before[after["id"]]) == (state not in expected)
        assert await api.sweep() == 0


async def test_sweep_session_through_all_states_succeeds(api: Api, clock: Clock) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    session = await api.session(ann, mentor, START)
    seen = []
    for moment in (START - MOMENT, START, END, END + GRACE - MOMENT, END + GRACE):
        await clock.stop_at(moment)
        seen.append((await api.sweep(), await status(ann, session["id"])))
    assert seen == [
        (0, "confirmed"),
        (1, "in_progress"),
        (0, "in_progress"),
        (0, "in_progress"),
        (1, "pending_completion"),
    ]
    assert (await mentor.ok("GET", "/mentor/dashboard"))["totalSessions"] == 0
    await ann.ok("POST", f"/sessions/{session['id']}/confirm-completion")
    assert await api.sweep() == 0


async def test_sweep_moves_rescheduled_session_by_its_new_time(api: Api, clock: Clock) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    session = await api.session(ann, mentor, START)
    later = START + timedelta(hours=5)
    await mentor.ok(
        "PUT",
        f"/sessions/{session['id']}/reschedule",
        {
            "newStartTime": later.isoformat(),
            "newEndTime": (later + timedelta(minutes=30)).isoformat(),
        },
    )
    await clock.stop_at(END + GRACE)
    assert await api.sweep() == 0
    await clock.stop_at(later)
    assert await api.sweep() == 1
    assert await status(ann, session["id"]) == "in_progress"


NOT_CANCELLABLE = "Only pending, confirmed or rescheduled sessions can be cancelled"
NOT_RESCHEDULABLE = "Only confirmed or rescheduled sessions can be rescheduled"


@pytest.mark.parametrize("swept", [False, True], ids=["before the sweep", "after the sweep"])
async def test_cancel_or_move_begun_session_is_refused(api: Api, clock: Clock, swept: bool) -> None:
    mentor, ann, bob = await api.mentor(), api.user("ann"), api.user("bob")
    session = await api.session(ann, mentor, START)
    by_hand = await api.by_hand(bob, mentor, "pending", START + timedelta(hours=1))
    later = START + timedelta(days=1)
    moved = {"newStartTime": iso(later), "newEndTime": iso(later + timedelta(hours=1))}
    await clock.stop_at(START + timedelta(hours=1))
    if swept:
        await api.sweep()
    for user, session_id in ((ann, session["id"]), (mentor, session["id"]), (bob, by_hand)):
        response = await user.post(f"/sessions/{session_id}/cancel")
        assert is_error(response, 409, NOT_CANCELLABLE)
    response = await mentor.put(f"/sessions/{session['id']}/reschedule", moved)
    assert is_error(response, 409, NOT_RESCHEDULABLE)
    await mentor.ok("POST", f"/sessions/{session['id']}/complete")
    await mentor.ok("POST", f"/sessions/{by_hand}/confirm")


async def test_cancel_or_move_session_until_it_begins_succeeds(api: Api, clock: Clock) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    session = await api.session(ann, mentor, START)
    await clock.stop_at(START - MOMENT)
    later = START + timedelta(days=1)
    moved = {"newStartTime": iso(later), "newEndTime": iso(later + timedelta(hours=1))}
    await mentor.ok("PUT", f"/sessions/{session['id']}/reschedule", moved)
    await clock.stop_at(later - MOMENT)
    await ann.ok("POST", f"/sessions/{session['id']}/cancel")


async def test_sweep_session_to_its_end_frees_its_time(api: Api, clock: Clock) -> None:
    mentor, ann = await api.mentor(bufferTime=45), api.user("ann")
    await api.session(ann, mentor, START)
    await clock.stop_at(END + GRACE)
    await api.sweep()
    request = await api.request(api.user("bob"), mentor, END + timedelta(minutes=30))
    assert (await mentor.post(f"/requests/{request['id']}/accept")).status == 200


async def fill(api: Api, count: int, mentors: int) -> None:
    """Insert due sessions. The newest one of each mentor has not ended."""
    ids = [(await api.mentor(f"mentor-{number}")).id for number in range(mentors)]
    await api.db.execute("INSERT INTO users (id) VALUES ('ann') ON CONFLICT DO NOTHING")
    await api.db.execute(
        """
        INSERT INTO bookings (mentor_id, mentee_id, topic, start_time, end_time, status)
        SELECT
            ($1::uuid[])[1 + n % cardinality($1::uuid[])],
            'ann',
            'Due',
            now() - n / cardinality($1::uuid[]) * interval '1 hour' - interval '30 min',
            now() - n / cardinality($1::uuid[]) * interval '1 hour' + interval '30 min',
            CASE n % 3 WHEN 0 THEN 'confirmed' WHEN 1 THEN 'rescheduled' ELSE 'in_progress' END
        FROM generate_series(0, $2 - 1) AS n
        """,
        ids,
        count,
    )


async def test_sweep_twelve_hundred_sessions_moves_all(api: Api) -> None:
    await fill(api, 1200, 3)
    assert await states(api) == {"confirmed": 400, "rescheduled": 400, "in_progress": 400}
    # The newest session of each of the three mentors has not ended; one is in_progress already.
    assert await api.sweep() == 1199
    assert await states(api) == {"in_progress": 3, "pending_completion": 1197}
    assert await api.sweep() == 0


async def test_sweep_twice_at_once_moves_each_session_once(api: Api) -> None:
    await fill(api, 1200, 40)
    moved = await asyncio.gather(*(api.sweep() for _ in range(4)))
    moved.append(await api.sweep())
    assert sum(moved) == 1200 - 13
    assert await states(api) == {"in_progress": 40, "pending_completion": 1160}
    assert await api.sweep() == 0


async def test_sweep_skips_locked_session(api: Api) -> None:
    await fill(api, 20, 10)
    async with api.db.acquire() as connection, connection.transaction():
        (held,) = await connection.fetch(
            "SELECT id, mentor_id FROM bookings WHERE status = 'confirmed' LIMIT 1 FOR UPDATE"
        )
        assert await asyncio.wait_for(api.sweep(), 30) > 0
        statement = "SELECT status FROM bookings WHERE id = $1"
        assert await api.db.fetchval(statement, held["id"]) == "confirmed"
    assert await api.sweep() == 1
    assert set(await states(api)) == {"in_progress", "pending_completion"}


# Requests without an answer -----------------------------------------------------------------------

EXPIRED = "Expired without an answer"


async def test_sweep_ends_request_when_its_time_comes(api: Api, clock: Clock) -> None:
    mentor, ann, bob = await api.mentor(), api.user("ann"), api.user("bob")
    request = await api.request(ann, mentor, START)
    later = await api.request(bob, mentor, END)
    await clock.stop_at(START - MOMENT)
    assert await api.sweep() == 0
    await clock.stop_at(START)
    assert await api.sweep() == 1
    assert await api.sweep() == 0
    changes = await ann.ok("GET", f"/requests/{request['id']}/history")
    assert [(one["from"], one["to"], one["by"], one["reason"]) for one in changes] == [
        (None, "pending", "mentee", None),
        ("pending", "rejected", "system", EXPIRED),
    ]
    assert instant(changes[1]["at"]) == START
    assert (await bob.ok("GET", f"/requests/{later['id']}"))["status"] == "pending"


async def due_requests(api: Api, count: int) -> None:
    await api.db.execute(
        """
        WITH mentee AS (
            INSERT INTO users (id) SELECT 'mentee-' || n FROM generate_series(1, $2) AS n
            RETURNING id
        )
        INSERT INTO requests (mentor_id, mentee_id, topic, start_time, end_time)
        SELECT $1, id, 'Due', now() - interval '1 hour', now() FROM mentee
        """,
        (await api.mentor()).id,
        count,
    )


async def test_sweep_twice_at_once_expires_each_request_once(api: Api) -> None:
    await due_requests(api, 1200)
    ended = await asyncio.gather(*(api.sweep() for _ in range(4)))
    ended.append(await api.sweep())
    assert sum(ended) == 1200
    found = await api.db.fetch(
        "SELECT status, source, count(*) FROM events"
        " WHERE old_status IS NOT NULL GROUP BY status, source"
    )
    assert [tuple(row) for row in found] == [("rejected", "sweep", 1200)]


async def test_sweep_skips_locked_request(api: Api) -> None:
    await due_requests(api, 3)
    async with api.db.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM requests WHERE mentee_id = 'mentee-1' FOR UPDATE")
        assert await asyncio.wait_for(api.sweep(), 30) == 2
    assert await api.sweep() == 1


async def test_insert_request_by_hand_takes_the_mentors_rate(api: Api) -> None:
    mentor, ann = await api.mentor(sessionRate=70, sessionCurrency="USD"), api.user("ann")
    await ann.ok("GET", "/requests")
    await api.db.execute(
        "INSERT INTO requests (mentor_id, mentee_id, topic, start_time, end_time)"
        " VALUES ($1, 'ann', 'By hand', $2, $3)",
        mentor.id,
        START,
        END,
    )
    (request,) = await ann.ok("GET", "/requests")
    assert (request["sessionRate"], request["sessionCurrency"]) == (70, "USD")
