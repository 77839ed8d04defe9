"""Concurrent actions: one succeeds, the others get an error, and the figures stay exact."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections import Counter
from collections.abc import Awaitable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mentorapi.database import statements
from mentorapi.database.connections import connect
from mentorapi.repositories import profile
from tests.client import (
    ALWAYS,
    BLOCKED,
    Api,
    Mentor,
    Response,
    User,
    asking,
    day_after_tomorrow,
    instant,
    iso,
)

TAKEN = (409, "Time slot is no longer available")
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _no_second_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each statement once: a retry would hide a deadlock."""
    monkeypatch.setattr(statements, "MAX_ATTEMPTS", 1)


def outcome(response: Response) -> tuple[int, str | None]:
    return response.status, response.message if response.status >= 400 else None


async def at_once(*calls: Awaitable[Response]) -> list[tuple[int, str | None]]:
    responses = [outcome(response) for response in await asyncio.gather(*calls)]
    assert all(status < 500 for status, _ in responses), Counter(responses)
    return responses


async def make_requests(
    api: Api, mentor: Mentor, times: list[datetime], **body: Any
) -> list[dict[str, Any]]:
    """Create pending requests, each of another mentee."""
    return await asyncio.gather(
        *(
            api.request(api.user(f"mentee-{number}"), mentor, at, **body)
            for number, at in enumerate(times)
        )
    )


async def make_sessions(api: Api, mentor: Mentor, times: list[datetime]) -> list[dict[str, Any]]:
    requests = await make_requests(api, mentor, times)
    accepted = await asyncio.gather(
        *(mentor.ok("POST", f"/requests/{request['id']}/accept") for request in requests)
    )
    return [each["booking"] for each in accepted]


def every(step: timedelta, count: int, start: datetime | None = None) -> list[datetime]:
    start = start or day_after_tomorrow()
    return [start + number * step for number in range(count)]


def accept(mentor: User, request: dict[str, Any]) -> Awaitable[Response]:
    return mentor.post(f"/requests/{request['id']}/accept")


def reschedule(mentor: User, session: dict[str, Any], start: datetime) -> Awaitable[Response]:
    return mentor.put(
        f"/sessions/{session['id']}/reschedule",
        {"newStartTime": iso(start), "newEndTime": iso(start + HOUR)},
    )


def set_buffer(mentor: User, minutes: int) -> Awaitable[Response]:
    return mentor.put("/mentor/availability", {"slots": ALWAYS, "bufferTime": minutes})


async def is_sound(api: Api) -> bool:
    """Assert the rules that hold for all rows. Returns True."""
    for complaint, sql in CONTRADICTIONS.items():
        assert await api.db.fetch(sql) == [], complaint
    return True


CONTRADICTIONS = {
    "two live sessions are too close": """
        SELECT a.id, b.id AS other FROM bookings AS a
        INNER JOIN bookings AS b ON b.mentor_id = a.mentor_id AND b.id <> a.id
        WHERE a.live AND b.live AND a.start_time <= b.start_time AND b.start_time
            < a.end_time + greatest(a.buffer_time, b.buffer_time) * interval '1 min'
    """,
    "a request and its booking disagree": """
        SELECT r.id, b.id AS booking_id FROM requests AS r
        FULL JOIN bookings AS b ON b.request_id = r.id
        WHERE (r.booking_id, r.status) IS DISTINCT FROM (b.id, 'accepted')
            AND (b.request_id IS NOT NULL OR r.booking_id IS NOT NULL OR r.status = 'accepted')
    """,
    "a mentee has two pending requests": """
        SELECT mentor_id, mentee_id FROM requests WHERE status = 'pending'
        GROUP BY mentor_id, mentee_id HAVING count(*) > 1
    """,
    "sessions are miscounted": """
        SELECT m.id, m.total_sessions FROM mentors AS m
        WHERE m.total_sessions <> (
            SELECT count(*) FROM bookings AS b
            WHERE b.mentor_id = m.id AND b.status = 'completed'
        )
    """,
    "reviews are miscounted": """
        SELECT m.id FROM mentors AS m
        WHERE (m.review_count, m.rating_sum) <> (
            SELECT count(*), coalesce(sum(v.rating), 0) FROM reviews AS v
            WHERE v.mentor_id = m.id
        )
    """,
    "a session that was not completed has a review": """
        SELECT v.id FROM reviews AS v INNER JOIN bookings AS b ON b.id = v.booking_id
        WHERE b.status <> 'completed'
    """,
}


# Requests -----------------------------------------------------------------------------------------


async def test_accept_fifty_requests_for_one_time_books_one(api: Api) -> None:
    mentor = await api.mentor()
    requests = await make_requests(api, mentor, [day_after_tomorrow()] * 50)
    responses = await at_once(*(accept(mentor, request) for request in requests))
    assert Counter(responses) == {(200, None): 1, TAKEN: 49}
    (session,) = await mentor.ok("GET", "/sessions")
    assert session["requestId"] == requests[responses.index((200, None))]["id"]
    assert len(await mentor.ok("GET", "/requests", status="pending")) == 49
    assert await is_sound(api)


async def test_accept_overlapping_requests_at_once_keeps_the_buffer(api: Api) -> None:
    mentor = await api.mentor(bufferTime=15)
    requests = await make_requests(api, mentor, every(15 * MINUTE, 40), duration=45)
    random.Random(1).shuffle(requests)
    responses = await at_once(*(accept(mentor, request) for request in requests))
    assert set(responses) == {(200, None), TAKEN}
    # 45 minutes and the buffer: at most one in four fits, and no gap is left that fits one more.
    assert 6 <= responses.count((200, None)) <= 10
    assert await is_sound(api)


async def test_accept_adjacent_requests_at_once_books_all(api: Api) -> None:
    mentor = await api.mentor(bufferTime=15)
    requests = await make_requests(api, mentor, every(60 * MINUTE, 20), duration=45)
    responses = await at_once(*(accept(mentor, request) for request in requests))
    assert Counter(responses) == {(200, None): 20}


async def test_accept_requests_of_different_mentors_at_once_books_all(api: Api) -> None:
    mentors = [await api.mentor(f"mia-{number}") for number in range(10)]
    mentees = [api.user(f"ann-{number}") for number in range(3)]
    pairs = list(itertools.product(mentors, mentees))
    requests = await asyncio.gather(*(api.request(mentee, mentor) for mentor, mentee in pairs))
    responses = await at_once(
        *(accept(mentor, request) for (mentor, _), request in zip(pairs, requests, strict=True))
    )
    assert Counter(responses) == {(200, None): 10, TAKEN: 20}
    assert await is_sound(api)


async def test_accept_one_request_thirty_times_books_once(api: Api) -> None:
    mentor = await api.mentor()
    request = await api.request(api.user("ann"), mentor)
    patch = {"status": "accepted"}
    responses = await at_once(
        *(accept(mentor, request) for _ in range(15)),
        *(mentor.patch(f"/requests/{request['id']}", patch) for _ in range(15)),
    )
    refused = (409, "Only pending requests can be accepted")
    assert Counter(responses) == {(200, None): 1, refused: 29}
    assert len(await mentor.ok("GET", "/sessions")) == 1
    assert await is_sound(api)


async def test_answer_request_in_two_ways_at_once_keeps_the_first(api: Api) -> None:
    mentor = await api.mentor()
    requests = await make_requests(api, mentor, every(HOUR, 15))
    calls, ends = [], ("accepted", "rejected", "cancelled")
    for number, request in enumerate(requests):
        ann, path = api.user(f"mentee-{number}"), f"/requests/{request['id']}"
        three = [
            mentor.post(f"{path}/accept"),
            mentor.post(f"{path}/reject", {"reason": "No"}),
            ann.patch(f"{path}/cancel"),
        ]
        calls += three[number % 3 :] + three[: number % 3]
    responses = await at_once(*calls)
    for number, request in enumerate(requests):
        shift = number % 3
        three = responses[3 * number : 3 * number + 3]
        by_end = dict(zip(ends[shift:] + ends[:shift], three, strict=True))
        (winner,) = (end for end, response in by_end.items() if response == (200, None))
        after = await mentor.ok("GET", f"/requests/{request['id']}")
        assert after["status"] == winner
        for end in by_end.keys() - {winner}:
            assert by_end[end] == (409, f"Only pending requests can be {end}")
    assert await is_sound(api)


async def test_create_twenty_requests_of_one_mentee_at_once_stores_one(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    responses = await at_once(
        *(ann.post("/requests", asking(mentor, at)) for at in every(30 * MINUTE, 20))
    )
    assert Counter(responses) == {
        (201, None): 1,
        (409, "You already have a pending request"): 19,
    }
    assert len(await ann.ok("GET", "/requests")) == 1
    assert await mentor.ok("GET", "/requests/pending-count") == 1


async def test_create_many_requests_after_an_expired_one_stores_one(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    stale = await api.request(ann, mentor)
    await api.db.execute(
        "UPDATE requests SET start_time = now() - interval '1 hour', end_time = now()"
    )
    times = every(10 * MINUTE, 100)
    responses, *_ = await asyncio.gather(
        at_once(*(ann.post("/requests", asking(mentor, at)) for at in times)),
        api.sweep(),
    )
    duplicate = (409, "You already have a pending request")
    assert Counter(responses) == {(201, None): 1, duplicate: 99}
    assert await mentor.ok("GET", "/requests/pending-count") == 1
    changes = await ann.ok("GET", f"/requests/{stale['id']}/history")
    assert [(change["to"], change["by"]) for change in changes] == [
        ("pending", "mentee"),
        ("rejected", "system"),
    ]
    assert await is_sound(api)


async def test_answer_expired_requests_during_sweep_leaves_them_rejected(api: Api) -> None:
    mentor = await api.mentor()
    requests = await make_requests(api, mentor, every(HOUR, 20))
    await api.db.execute(
        "UPDATE requests SET start_time = now() - interval '1 hour', end_time = now()"
    )
    responses, *_ = await asyncio.gather(
        at_once(
            *(accept(mentor, request) for request in requests),
            *(mentor.post(f"/requests/{request['id']}/reject") for request in requests),
        ),
        api.sweep(),
        api.sweep(),
    )
    refused = (409, "Only pending requests can be rejected")
    assert Counter(responses) == {TAKEN: 20, refused: 20}
    listed = await mentor.ok("GET", "/requests")
    assert {one["rejectionReason"] for one in listed} == {"Expired without an answer"}
    assert await is_sound(api)


async def test_create_request_while_cancelling_leaves_one_pending(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    for _ in range(5):
        request = await api.request(ann, mentor)
        responses = await at_once(
            ann.patch(f"/requests/{request['id']}/cancel"),
            *(ann.post("/requests", asking(mentor)) for _ in range(6)),
        )
        assert responses[0] == (200, None)
        assert responses.count((201, None)) <= 1
        assert await is_sound(api)
        for pending in await ann.ok("GET", "/requests", status="pending"):
            await ann.ok("PATCH", f"/requests/{pending['id']}/cancel")


# Moving sessions ----------------------------------------------------------------------------------


async def test_accept_and_reschedule_to_one_time_books_one(api: Api) -> None:
    mentor = await api.mentor(bufferTime=15)
    times = every(3 * HOUR, 10)
    sessions = await make_sessions(api, mentor, [at + timedelta(weeks=1) for at in times])
    requests = await make_requests(api, mentor, times)
    responses = await at_once(
        *(
            call
            for request, session, at in zip(requests, sessions, times, strict=True)
            for call in (
                accept(mentor, request),
                reschedule(mentor, session, at + timedelta(minutes=74)),
            )
        )
    )
    for pair in zip(responses[::2], responses[1::2], strict=True):
        assert set(pair) == {(200, None), TAKEN}
    assert await is_sound(api)


async def test_reschedule_many_sessions_to_one_time_moves_one(api: Api) -> None:
    mentor = await api.mentor(bufferTime=45)
    sessions = await make_sessions(api, mentor, every(2 * HOUR, 12))
    target = day_after_tomorrow() + timedelta(weeks=2)
    responses = await at_once(
        *(
            reschedule(mentor, session, target + number * MINUTE)
            for number, session in enumerate(sessions)
        )
    )
    assert Counter(responses) == {(200, None): 1, TAKEN: 11}
    assert len(await mentor.ok("GET", "/sessions", status="rescheduled")) == 1
    assert await is_sound(api)


async def test_reschedule_one_session_to_many_times_keeps_one_of_them(api: Api) -> None:
    mentor = await api.mentor(bufferTime=15)
    (session,) = await make_sessions(api, mentor, [day_after_tomorrow()])
    times = every(20 * MINUTE, 12)
    responses = await at_once(*(reschedule(mentor, session, at) for at in times))
    assert Counter(responses) == {(200, None): 12}
    after = await mentor.ok("GET", f"/sessions/{session['id']}")
    assert after["startTime"] in {iso(at) for at in times}
    assert after["duration"] == 60


async def test_reschedule_two_sessions_to_swap_leaves_both(api: Api) -> None:
    mentor = await api.mentor()
    times = every(HOUR, 10)
    sessions = await make_sessions(api, mentor, times)
    swapped = [time for pair in zip(times[1::2], times[::2], strict=True) for time in pair]
    responses = await at_once(
        *(reschedule(mentor, session, at) for session, at in zip(sessions, swapped, strict=True))
    )
    assert Counter(responses) == {TAKEN: 10}
    assert await is_sound(api)


async def test_change_session_while_cancelling_leaves_it_cancelled(api: Api) -> None:
    mentor = await api.mentor()
    sessions = await make_sessions(api, mentor, every(2 * HOUR, 10))
    calls: list[Awaitable[Response]] = []
    for number, session in enumerate(sessions):
        path = f"/sessions/{session['id']}/cancel"
        at = day_after_tomorrow() + timedelta(weeks=1, hours=2 * number)
        calls += [
            reschedule(mentor, session, at),
            api.user(f"mentee-{number}").post(path, {"reason": "mentee"}),
            mentor.post(path, {"reason": "mentor"}),
        ]
    responses = await at_once(*calls)
    moving = (409, "Only confirmed or rescheduled sessions can be rescheduled")
    twice = (409, "Only pending, confirmed or rescheduled sessions can be cancelled")
    for number, session in enumerate(sessions):
        moved, by_mentee, by_mentor = responses[3 * number : 3 * number + 3]
        assert moved in ((200, None), moving)
        assert {by_mentee, by_mentor} == {(200, None), twice}
        after = await mentor.ok("GET", f"/sessions/{session['id']}")
        winner = ("mentee", f"mentee-{number}") if by_mentee[0] == 200 else ("mentor", "mia")
        assert (after["cancellationReason"], after["cancelledBy"]) == winner
        assert after["status"] == "cancelled"


async def test_accept_many_requests_for_freed_time_books_one(api: Api) -> None:
    mentor = await api.mentor()
    first, *requests = await make_requests(api, mentor, [day_after_tomorrow()] * 13)
    session = (await mentor.ok("POST", f"/requests/{first['id']}/accept"))["booking"]
    responses = await at_once(
        mentor.post(f"/sessions/{session['id']}/cancel"),
        *(accept(mentor, request) for request in requests),
    )
    assert responses[0] == (200, None)
    assert responses[1:].count((200, None)) <= 1
    assert set(responses[1:]) <= {(200, None), TAKEN}
    assert await is_sound(api)


async def test_read_history_after_waiting_change_has_order_of_commits(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    session = await api.session(ann, mentor)
    async with api.db.acquire() as connection, connection.transaction():
        await connection.execute("SELECT now()")
        await reschedule(mentor, session, day_after_tomorrow(15))
        await connection.execute("UPDATE bookings SET status = 'cancelled'")
    changes = await ann.ok("GET", f"/sessions/{session['id']}/history")
    assert [change["to"] for change in changes] == ["confirmed", "rescheduled", "cancelled"]
    # The API shows milliseconds; the order is in microseconds.
    assert instant(changes[1]["at"]) <= instant(changes[2]["at"])


# Settings that change meanwhile -------------------------------------------------------------------


async def commit_while(api: Api, change: str, call: Awaitable[Response]) -> None:
    """Commit a change by SQL when the call has ended, or when it waits for the change."""
    async with api.db.acquire() as connection, connection.transaction():
        await connection.execute(change)
        running = asyncio.ensure_future(call)
        while not running.done() and not await api.db.fetch(BLOCKED):
            pass
    assert (await running).status < 300


async def test_take_time_off_while_zone_changes_takes_days_of_new_zone(api: Api) -> None:
    mentor = await api.mentor()
    day = f"{day_after_tomorrow():%Y-%m-%d}"
    change = "UPDATE mentors SET availability_timezone = 'Asia/Tokyo'"
    call = mentor.post("/mentor/time-off", {"startDate": day, "endDate": day})
    await commit_while(api, change, call)
    (taken,) = await mentor.ok("GET", "/mentor/time-off")
    assert taken["endsAt"] == f"{day}T15:00:00Z"


async def test_rename_user_while_profile_is_created_renames_both(api: Api) -> None:
    ann = api.user("ann")
    await ann.ok("GET", "/requests")
    await commit_while(api, "UPDATE users SET name = 'New'", ann.patch("/mentor/me", {}))
    # Not by a request of hers: her token would change the name back.
    assert await api.db.fetchval("SELECT full_name FROM mentors") == "New"


async def test_rename_user_while_own_name_is_cleared_renames_both(api: Api) -> None:
    image = "https://example.com/ann.png"
    mentor = await api.mentor("ann", fullName="Own", profileImageUrl=image)
    call = mentor.patch("/mentor/me", {"fullName": None})
    await commit_while(api, "UPDATE users SET name = 'New'", call)
    assert await api.db.fetchval("SELECT full_name FROM mentors") == "New"


async def test_update_profile_while_isolation_is_stricter_waits_its_turn(
    api: Api, database_url: str
) -> None:
    mentor = await api.mentor()
    name = await api.db.fetchval("SELECT current_database()")
    setting = "default_transaction_isolation"
    await api.db.execute(f"ALTER DATABASE {name} SET {setting} = 'repeatable read'")
    connection = await connect(database_url)
    try:
        async with api.db.acquire() as other, other.transaction():
            await other.execute("UPDATE mentors SET bio = 'By hand'")
            running = asyncio.ensure_future(
                profile.update(connection, mentor.sub, {"headline": "New"})
            )
            while not running.done() and not await api.db.fetch(BLOCKED):
                pass
        body, _ = await running
    finally:
        await connection.close()
        await api.db.execute(f"ALTER DATABASE {name} RESET {setting}")
    shown = json.loads(body)
    assert (shown["bio"], shown["headline"]) == ("By hand", "New")


async def test_change_visibilities_at_once_waits_for_no_other(api: Api) -> None:
    mentors = [await api.mentor(f"mia-{number}") for number in range(8)]
    async with api.db.acquire() as connection, connection.transaction():
        await connection.execute(
            "UPDATE mentors SET visibility = 'private' WHERE id = $1", mentors[0].id
        )
        for turn in range(4):
            responses = await at_once(
                *(
                    mentor.patch("/mentor/me", {"visibility": ("public", "private")[place % 2]})
                    for place, mentor in enumerate(mentors[1:], start=turn)
                ),
                api.user(f"ann-{turn}").patch("/mentor/me", {}),
            )
            assert set(responses) == {(200, None)}
    # Three of the seven, and the four new ones.
    shown = await api.nobody.get("/mentors")
    assert int(shown.headers["X-Total-Count"]) == len(shown.json) == 3 + 4


async def test_change_buffer_while_accepting_keeps_the_buffer(api: Api) -> None:
    for first, last in ((0, 45), (45, 0)):
        mentor = await api.mentor(f"mia-{first}", bufferTime=first)
        requests = await make_requests(api, mentor, every(HOUR, 12))
        calls = [accept(mentor, request) for request in requests]
        calls[6:6] = [set_buffer(mentor, buffer) for buffer in (15, 30, last)]
        responses = await at_once(*calls)
        assert responses[6:9] == [(200, None)] * 3
        assert set(responses) <= {(200, None), TAKEN}
        assert await is_sound(api)


async def test_accept_after_larger_buffer_was_set_keeps_it(api: Api) -> None:
    mentor = await api.mentor(bufferTime=0)
    requests = await make_requests(api, mentor, every(HOUR, 10))
    await mentor.ok("POST", f"/requests/{requests[4]['id']}/accept")
    await set_buffer(mentor, 45)
    others = requests[3], requests[5]
    assert await at_once(*(accept(mentor, request) for request in others)) == [TAKEN, TAKEN]


async def test_create_request_while_windows_change_sees_old_or_new_ones(api: Api) -> None:
    mentor = await api.mentor()
    responses = await at_once(
        *(api.user(f"ann-{n}").post("/requests", asking(mentor)) for n in range(10)),
        *(mentor.put("/mentor/availability", {"slots": ALWAYS * (n % 2)}) for n in range(6)),
        *(api.user(f"bob-{n}").post("/requests", asking(mentor)) for n in range(10)),
    )
    asked = responses[:10] + responses[16:]
    assert set(asked) <= {(201, None), TAKEN}
    assert responses[10:16] == [(200, None)] * 6


# Settling -----------------------------------------------------------------------------------------


async def ended(api: Api, mentor: Mentor, count: int, status: str) -> list[str]:
    """Insert sessions that have ended, each of another mentee."""
    now = datetime.now(UTC)
    return [
        await api.by_hand(api.user(f"mentee-{n}"), mentor, status, now - (2 * n + 3) * HOUR)
        for n in range(count)
    ]


async def test_confirm_and_dispute_at_once_counts_only_if_confirmed(
    api: Api,
) -> None:
    mentor = await api.mentor()
    sessions = await ended(api, mentor, 15, "pending_completion")
    responses = await at_once(
        *(
            api.user(f"mentee-{number}").post(f"/sessions/{session}/{verb}")
            for number, session in enumerate(sessions)
            for verb in ("confirm-completion", "dispute")[:: 1 if number % 2 else -1]
        )
    )
    refusals = {
        "completed": (400, "Only sessions pending completion can be disputed"),
        "disputed": (400, "Only sessions pending completion can be confirmed"),
    }
    found = Counter()
    for pair, session in zip(
        zip(responses[::2], responses[1::2], strict=True), sessions, strict=True
    ):
        status = (await mentor.ok("GET", f"/sessions/{session}"))["status"]
        assert set(pair) == {(200, None), refusals[status]}
        found[status] += 1
    dashboard = await mentor.ok("GET", "/mentor/dashboard")
    assert dashboard["totalSessions"] == dashboard["totalMentees"] == found["completed"]
    assert await is_sound(api)


async def test_confirm_one_session_twenty_times_counts_once(api: Api) -> None:
    mentor = await api.mentor(sessionRate=10)
    ann = api.user("mentee-0")
    (session,) = await ended(api, mentor, 1, "pending_completion")
    responses = await at_once(
        *(ann.post(f"/sessions/{session}/confirm-completion") for _ in range(20))
    )
    refused = (400, "Only sessions pending completion can be confirmed")
    assert Counter(responses) == {(200, None): 1, refused: 19}
    assert (await mentor.ok("GET", "/mentor/dashboard"))["totalSessions"] == 1


async def test_confirm_thirty_sessions_at_once_counts_all(api: Api) -> None:
    mentor = await api.mentor()
    sessions = await ended(api, mentor, 30, "pending_completion")
    responses = await at_once(
        *(
            api.user(f"mentee-{number}").post(f"/sessions/{session}/confirm-completion")
            for number, session in enumerate(sessions)
        )
    )
    assert Counter(responses) == {(200, None): 30}
    dashboard = await mentor.ok("GET", "/mentor/dashboard")
    assert (dashboard["totalSessions"], dashboard["totalMentees"]) == (30, 30)


async def test_review_one_session_twenty_times_stores_one(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("mentee-0")
    (session,) = await ended(api, mentor, 1, "completed")
    responses = await at_once(
        *(ann.post(f"/sessions/{session}/review", {"rating": 1 + n % 5}) for n in range(20))
    )
    refused = (409, "You have already reviewed this session")
    assert Counter(responses) == {(201, None): 1, refused: 19}
    profile = await mentor.ok("GET", f"/mentors/{mentor.id}")
    assert (profile["totalReviews"], profile["rating"]) == (1, 1 + responses.index((201, None)) % 5)


async def test_review_and_confirm_at_once_counts_all(api: Api) -> None:
    mentor = await api.mentor()
    done = await ended(api, mentor, 15, "completed")
    waiting = await ended(api, mentor, 15, "pending_completion")
    responses = await at_once(
        *(
            call
            for number, (old, new) in enumerate(zip(done, waiting, strict=True))
            for call in (
                api.user(f"mentee-{number}").post(
                    f"/sessions/{old}/review", {"rating": 1 + number % 5}
                ),
                api.user(f"mentee-{number}").post(f"/sessions/{new}/confirm-completion"),
            )
        )
    )
    assert Counter(responses) == {(201, None): 15, (200, None): 15}
    dashboard = await mentor.ok("GET", "/mentor/dashboard")
    figures = [dashboard[name] for name in ("totalSessions", "totalReviews", "avgRating")]
    assert figures == [30, 15, 3.0]
    assert await is_sound(api)


# The sweep ----------------------------------------------------------------------------------------


async def test_cancel_begun_sessions_during_sweep_is_refused(api: Api) -> None:
    ann, now = api.user("ann"), datetime.now(UTC)
    mentors = [await api.mentor(f"mia-{number}") for number in range(20)]
    sessions = [
        await api.by_hand(ann, mentor, "confirmed", now - 30 * MINUTE) for mentor in mentors
    ]
    cancels = [ann.post(f"/sessions/{session}/cancel") for session in sessions]
    responses, *_ = await asyncio.gather(
        at_once(*cancels), api.sweep(), asyncio.sleep(0), api.sweep()
    )
    await api.sweep()
    refused = (409, "Only pending, confirmed or rescheduled sessions can be cancelled")
    assert Counter(responses) == {refused: 20}
    for session in sessions:
        assert (await ann.ok("GET", f"/sessions/{session}"))["status"] == "in_progress"


async def test_complete_sessions_during_sweep_leads_to_one_state(api: Api) -> None:
    mentor = await api.mentor()
    sessions = await ended(api, mentor, 20, "in_progress")
    completes = [mentor.post(f"/sessions/{session}/complete") for session in sessions]
    responses, *_ = await asyncio.gather(at_once(*completes), api.sweep(), api.sweep())
    refused = (400, "Only confirmed, rescheduled, or in-progress bookings can be completed")
    assert set(responses) <= {(200, None), refused}
    await api.sweep()
    listed = await mentor.ok("GET", "/sessions", status="pending_completion")
    assert len(listed) == 20


# Everything ---------------------------------------------------------------------------------------


async def test_run_all_actions_at_once_breaks_no_rule(api: Api) -> None:
    chance = random.Random(20260208)
    mentors = [
        await api.mentor(f"mentor-{n}", bufferTime=buffer) for n, buffer in enumerate((0, 15, 45))
    ]
    mentees = [api.user(f"mentee-{n}") for n in range(8)]
    for mentor in mentors:
        for number, mentee in enumerate(mentees):
            at = datetime.now(UTC) - (2 * number + 3) * HOUR
            await api.by_hand(mentee, mentor, "pending_completion", at)
    waves = Waves(chance, mentors, mentees)
    for _ in range(5):
        await waves.learn()
        calls = [next(waves) for _ in range(50)]
        await asyncio.gather(at_once(*calls), api.sweep())
        assert await is_sound(api)
    assert await api.db.fetchval("SELECT count(*) FROM bookings WHERE status = 'completed'") > 0
    assert await api.db.fetchval("SELECT count(*) FROM requests WHERE status = 'accepted'") > 0


class Waves(Iterator[Awaitable[Response]]):
    """Random calls on existing resources, by allowed and by forbidden users."""

    def __init__(self, chance: random.Random, mentors: list[Mentor], mentees: list[User]) -> None:
        self.chance = chance
        self.mentors = mentors
        self.mentees = mentees
        self.requests: list[dict[str, Any]] = []
        self.sessions: list[dict[str, Any]] = []

    async def learn(self) -> None:
        self.requests, self.sessions = [], []
        for mentor in self.mentors:
            self.requests += await mentor.ok("GET", "/requests", role="received")
            self.sessions += await mentor.ok("GET", "/sessions", role="mentor")

    def __next__(self) -> Awaitable[Response]:
        kinds = [self.ask, self.ask, self.change_buffer]
        kinds += [self.answer, self.answer] if self.requests else []
        kinds += [self.settle, self.move] if self.sessions else []
        return self.chance.choice(kinds)()

    def ask(self) -> Awaitable[Response]:
        at = day_after_tomorrow() + self.chance.randrange(96) * 15 * MINUTE
        mentee, mentor = self.chance.choice(self.mentees), self.chance.choice(self.mentors)
        duration = self.chance.choice((15, 60, 180))
        return mentee.post("/requests", asking(mentor, at, duration=duration))

    def answer(self) -> Awaitable[Response]:
        request = self.chance.choice(self.requests)
        status = self.chance.choice(("accepted", "accepted", "rejected", "cancelled"))
        side = "mentee" if status == "cancelled" else "mentor"
        return self.party(request, side).patch(f"/requests/{request['id']}", {"status": status})

    def settle(self) -> Awaitable[Response]:
        session = self.chance.choice(self.sessions)
        verb, side = self.chance.choice(
            (
                *(("cancel", "mentor"), ("cancel", "mentee"), ("complete", "mentor")),
                *(("confirm-completion", "mentee"), ("dispute", "mentee"), ("review", "mentee")),
                *(("confirm-completion", "mentee"), ("review", "mentee"), ("confirm", "mentor")),
            )
        )
        body = {"rating": self.chance.randint(1, 5)} if verb == "review" else None
        return self.party(session, side).post(f"/sessions/{session['id']}/{verb}", body)

    def move(self) -> Awaitable[Response]:
        session = self.chance.choice(self.sessions)
        at = day_after_tomorrow() + self.chance.randrange(96) * 15 * MINUTE
        return reschedule(self.party(session, "mentor"), session, at)

    def change_buffer(self) -> Awaitable[Response]:
        return set_buffer(self.chance.choice(self.mentors), self.chance.choice((0, 15, 30, 45)))

    def party(self, of: dict[str, Any], side: str) -> User:
        """Choose a user: usually the party with the right to act."""
        everybody = [*self.mentors, *self.mentees]
        if self.chance.random() < 0.1:
            return self.chance.choice(everybody)
        sub = of["mentor"]["userId"] if side == "mentor" else of["menteeId"]
        return next(user for user in everybody if user.sub == sub)
