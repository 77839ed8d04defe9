"""PUT /sessions/:id/reschedule: the mentor moves a session."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests.client import (
    Api,
    Response,
    User,
    asking,
    day_after_tomorrow,
    fields_of,
    instant,
    is_error,
    iso,
)
from tests.clock import Clock

TAKEN = "Time slot is no longer available"
WEEKDAYS_NINE_TO_TEN = [
    {"dayOfWeek": day, "startTime": "09:00", "endTime": "10:00"} for day in range(7)
]


def to(start: datetime | str, end: datetime | str | None = None) -> dict[str, Any]:
    """Return a body. By default the session takes an hour."""
    if end is None:
        end = (instant(start) if isinstance(start, str) else start) + timedelta(hours=1)
    return {
        "newStartTime": start if isinstance(start, str) else iso(start),
        "newEndTime": end if isinstance(end, str) else iso(end),
    }


async def move(user: User, session: dict[str, Any], body: dict[str, Any]) -> Response:
    return await user.put(f"/sessions/{session['id']}/reschedule", body)


async def test_reschedule_session_changes_times_and_status_only(api: Api) -> None:
    mentor, ann = await api.mentor("mia", sessionRate=50), api.user("ann")
    session = await api.session(ann, mentor, message="Hello", location="Room 5")
    await mentor.ok("PATCH", "/mentor/me", {"sessionRate": 99})
    start = day_after_tomorrow(14, 7)
    moved = (await move(mentor, session, to(start, start + timedelta(minutes=45)))).json
    assert moved == session | {
        "status": "rescheduled",
        "startTime": iso(start),
        "endTime": iso(start + timedelta(minutes=45)),
        "duration": 45,
        "updatedAt": moved["updatedAt"],
    }
    assert await ann.ok("GET", f"/sessions/{session['id']}") == moved
    request = await ann.ok("GET", f"/requests/{session['requestId']}")
    assert (request["startTime"], request["status"]) == (session["startTime"], "accepted")


async def test_reschedule_session_repeatedly_succeeds(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    session = await api.session(ann, mentor)
    for hour in (12, 13, 9):
        moved = await move(mentor, session, to(day_after_tomorrow(hour)))
        assert (moved.status, moved.json["status"]) == (200, "rescheduled")


async def test_reschedule_session_outside_windows_succeeds(api: Api) -> None:
    mentor, ann = await api.mentor(windows=WEEKDAYS_NINE_TO_TEN), api.user("ann")
    session = await api.session(ann, mentor)
    late = day_after_tomorrow(23, 30)
    assert (await move(mentor, session, to(late))).json["endTime"] == iso(late + timedelta(hours=1))


async def test_reschedule_session_frees_old_time_and_takes_new_one(api: Api) -> None:
    mentor, ann, bob = await api.mentor(), api.user("ann"), api.user("bob")
    session = await api.session(ann, mentor)
    await move(mentor, session, to(day_after_tomorrow(15)))
    response = await bob.post("/requests", asking(mentor, day_after_tomorrow(15, 30)))
    assert is_error(response, 409, TAKEN)
    assert (await bob.post("/requests", asking(mentor, day_after_tomorrow()))).status == 201


# The instants -------------------------------------------------------------------------------------


async def test_reschedule_session_with_any_offset_responds_in_utc(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    session = await api.session(ann, mentor)
    day = f"{day_after_tomorrow():%Y-%m-%d}"
    for start, end, expected in (
        ("T14:00:00Z", "T15:00:00Z", ("T14:00:00Z", "T15:00:00Z")),
        ("T14:00:00.000Z", "T15:00:00.000Z", ("T14:00:00Z", "T15:00:00Z")),
        ("T14:00:00+02:00", "T15:30:00+02:00", ("T12:00:00Z", "T13:30:00Z")),
        ("T14:00:00-05:30", "T21:00:00+00:00", ("T19:30:00Z", "T21:00:00Z")),
        ("t14:00:00z", "t15:00:00z", ("T14:00:00Z", "T15:00:00Z")),
        ("T14:00:00-00:00", "T14:15:00-00:00", ("T14:00:00Z", "T14:15:00Z")),
        ("T14:00:00.0Z", "T14:15:00.000000000Z", ("T14:00:00Z", "T14:15:00Z")),
    ):
        response = await move(mentor, session, to(day + start, day + end))
        assert response.status == 200, (start, response)
        found = response.json
        assert (found["startTime"], found["endTime"]) == tuple(day + each for each in expected)


async def test_reschedule_session_to_malformed_instant_names_it(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    session = await api.session(ann, mentor)
    good = to(day_after_tomorrow(14))
    for name in ("newStartTime", "newEndTime"):
        for value in (
            *["2040-02-12T14:00:00", "2040-02-12T14:00:00.000", "2040-02-12 14:00:00Z"],
            *["2040-02-12", "14:00", "", "tomorrow", "2040-02-30T14:00:00Z", 2233445566, None],
            *["2040-02-12T14:00Z", "2040-02-12T25:00:00Z", "2040-02-12T14:00:00+0200"],
            *["2040-02-12T14:00:00Z\n", "2040-02-12T14:00:00+99:99", "2040-02-12T24:00:01Z"],
        ):
            assert fields_of(await move(mentor, session, good | {name: value})) == [name], value
    assert await ann.ok("GET", f"/sessions/{session['id']}") == session


async def test_reschedule_session_within_a_minute_is_refused(api: Api) -> None:
    """`scheduledTime` and the slots around the session could not show such a time."""
    mentor, ann = await api.mentor(), api.user("ann")
    session = await api.session(ann, mentor)
    start = day_after_tomorrow(14)
    for second in (1, 30, 59, 0.5, 0.001):
        late = start + timedelta(seconds=second)
        refused = await move(mentor, session, to(late, late + timedelta(hours=1)))
        assert sorted(fields_of(refused)) == ["newEndTime", "newStartTime"], second
        assert refused.json["details"][0]["message"] == "must be a whole minute"
        refused = await move(mentor, session, to(late, start + timedelta(hours=1)))
        assert fields_of(refused) == ["newStartTime"]
    assert await ann.ok("GET", f"/sessions/{session['id']}") == session


async def test_reschedule_session_with_missing_or_unknown_field_names_it(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    session = await api.session(ann, mentor)
    both = to(day_after_tomorrow(14))
    assert sorted(fields_of(await move(mentor, session, {}))) == ["newEndTime", "newStartTime"]
    for name in both:
        body = {other: value for other, value in both.items() if other != name}
        assert fields_of(await move(mentor, session, body)) == [name]
    assert fields_of(await move(mentor, session, both | {"reason": "x"})) == ["reason"]
    response = await mentor.request("PUT", f"/sessions/{session['id']}/reschedule")
    assert response.status in (400, 415)


async def test_reschedule_session_to_wrong_length_is_refused(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    session = await api.session(ann, mentor)
    start = day_after_tomorrow(14)
    for seconds in (0, -3600, 60, 14 * 60, 14 * 60 + 59, 181 * 60, 180 * 60 + 1, 86400, 1830):
        response = await move(mentor, session, to(start, start + timedelta(seconds=seconds)))
        assert fields_of(response) == ["newEndTime"], seconds
    for milliseconds in (1, 999):
        end = start + timedelta(minutes=60, milliseconds=milliseconds)
        assert fields_of(await move(mentor, session, to(start, end))) == ["newEndTime"]
    for minutes in (15, 180, 16, 179):
        response = await move(mentor, session, to(start, start + timedelta(minutes=minutes)))
        assert response.json["duration"] == minutes


async def test_reschedule_session_to_the_past_precedes_its_state(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    session = await api.session(ann, mentor)
    cancelled = await api.by_hand(ann, mentor, "cancelled")
    nowhere = "00000000-0000-7000-8000-000000000000"
    this_minute = datetime.now(UTC).replace(second=0, microsecond=0)
    for start in (this_minute, datetime(2020, 1, 1, tzinfo=UTC)):
        for user in (mentor, ann, api.user("eve")):
            for session_id in (session["id"], cancelled, nowhere):
                assert fields_of(await move(user, {"id": session_id}, to(start))) == [
                    "newStartTime"
                ]
    assert await ann.ok("GET", f"/sessions/{session['id']}") == session


async def test_reschedule_session_to_now_is_refused(api: Api, clock: Clock) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    session = await api.session(ann, mentor, day_after_tomorrow(20))
    now = day_after_tomorrow(9)
    await clock.stop_at(now)
    assert fields_of(await move(mentor, session, to(now))) == ["newStartTime"]
    assert (await move(mentor, session, to(now + timedelta(minutes=1)))).status == 200


async def test_reschedule_session_to_ends_of_calendar_is_refused(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    session = await api.session(ann, mentor)
    for start, end in (
        ("0001-01-01T00:00:00+14:00", "0001-01-01T01:00:00+14:00"),
        ("9999-12-31T23:00:00-14:00", "9999-12-31T23:59:00-14:00"),
        ("9999-12-31T22:30:00-01:00", "9999-12-31T23:30:00-01:00"),
        ("0000-01-01T00:00:00Z", "0000-01-01T01:00:00Z"),
    ):
        assert (await move(mentor, session, to(start, end))).status == 400


# Other sessions and the buffer --------------------------------------------------------------------


async def test_reschedule_session_into_another_or_its_buffer_is_refused(api: Api) -> None:
    mentor, ann, bob = await api.mentor(bufferTime=15), api.user("ann"), api.user("bob")
    await api.session(bob, mentor, day_after_tomorrow(12))
    session = await api.session(ann, mentor, day_after_tomorrow(18))
    expected = {
        (10, 45): 200,
        (10, 46): 409,
        (11, 59): 409,
        (12, 0): 409,
        (12, 20): 409,
        (13, 14): 409,
        (13, 15): 200,
    }
    found = {}
    for at in expected:
        response = await move(mentor, session, to(day_after_tomorrow(*at)))
        assert response.status == 200 or is_error(response, 409, TAKEN)
        found[at] = response.status
    assert found == expected
    around = to(day_after_tomorrow(11), day_after_tomorrow(14))
    assert is_error(await move(mentor, session, around), 409, TAKEN)


async def test_move_session_by_hand_one_second_into_buffer_is_refused(api: Api) -> None:
    mentor, ann, bob = await api.mentor(bufferTime=15), api.user("ann"), api.user("bob")
    await api.session(bob, mentor, day_after_tomorrow(12))
    session = await api.session(ann, mentor, day_after_tomorrow(18))
    for start, is_free in (
        (day_after_tomorrow(13, 15) - timedelta(seconds=1), False),
        (day_after_tomorrow(10, 45) + timedelta(milliseconds=1), False),
        (day_after_tomorrow(13, 15) + timedelta(seconds=1), True),
    ):
        with nullcontext() if is_free else pytest.raises(asyncpg.ExclusionViolationError):
            await api.db.execute(
                "UPDATE bookings SET start_time = $2, end_time = $3 WHERE id = $1",
                session["id"],
                start,
                start + timedelta(hours=1),
            )


async def test_reschedule_session_over_its_own_time_succeeds(api: Api) -> None:
    mentor, ann = await api.mentor(bufferTime=45), api.user("ann")
    session = await api.session(ann, mentor)
    for hour, minute in ((9, 15), (9, 0), (8, 30), (8, 30)):
        assert (await move(mentor, session, to(day_after_tomorrow(hour, minute)))).status == 200


async def test_reschedule_session_uses_current_buffer(api: Api) -> None:
    mentor, ann = await api.mentor(bufferTime=0), api.user("ann")
    first = await api.session(ann, mentor, day_after_tomorrow(9))
    second = await api.session(ann, mentor, day_after_tomorrow(10))
    await mentor.ok("PUT", "/mentor/availability", {"slots": [], "bufferTime": 30})
    for at, status in (
        (day_after_tomorrow(10, 15), 409),
        (day_after_tomorrow(10, 30), 200),
        (day_after_tomorrow(10, 29), 409),
    ):
        assert (await move(mentor, second, to(at))).status == status
    assert (await move(mentor, first, to(day_after_tomorrow(9, 1)))).status == 409
    await mentor.ok("PUT", "/mentor/availability", {"slots": [], "bufferTime": 15})
    assert (await move(mentor, first, to(day_after_tomorrow(9, 15)))).status == 200
    assert (await move(mentor, first, to(day_after_tomorrow(9, 16)))).status == 409


async def test_reschedule_session_over_ended_ones_succeeds(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    session = await api.session(ann, mentor, day_after_tomorrow(9))
    other = await api.by_hand(ann, mentor, "pending", day_after_tomorrow(12))
    expected = {
        "pending": 409,
        "confirmed": 409,
        "rescheduled": 409,
        "in_progress": 409,
        "pending_completion": 200,
        "completed": 200,
        "disputed": 200,
        "cancelled": 200,
    }
    found = {}
    for state in expected:
        await api.db.execute("UPDATE bookings SET status = $2 WHERE id = $1", other, state)
        found[state] = (await move(mentor, session, to(day_after_tomorrow(12)))).status
    assert found == expected


async def test_reschedule_session_over_other_mentors_succeeds(api: Api) -> None:
    mia, max_, ann = await api.mentor("mia"), await api.mentor("max"), api.user("ann")
    session = await api.session(ann, mia, day_after_tomorrow(9))
    await api.session(ann, max_, day_after_tomorrow(12))
    assert (await move(mia, session, to(day_after_tomorrow(12)))).status == 200


async def test_reschedule_session_checks_rights_and_state_first(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    session = await api.session(ann, mentor, day_after_tomorrow(9))
    await api.session(ann, mentor, day_after_tomorrow(12))
    taken = to(day_after_tomorrow(12))
    response = await move(ann, session, taken)
    assert is_error(response, 403, "Only the mentor can reschedule this session")
    await ann.ok("POST", f"/sessions/{session['id']}/cancel")
    response = await move(mentor, session, taken)
    assert is_error(response, 409, "Only confirmed or rescheduled sessions can be rescheduled")
