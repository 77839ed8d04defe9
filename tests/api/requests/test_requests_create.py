"""POST /requests: the mentors and the times that a mentee can request."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.client import (
    ALWAYS,
    Api,
    Mentor,
    User,
    asking,
    coming,
    day_after_tomorrow,
    fields_of,
    instant,
    is_error,
    iso,
)
from tests.clock import Clock

TAKEN = "Time slot is no longer available"
EXPIRED = "Expired without an answer"
NO_ONE = "00000000-0000-7000-8000-000000000000"
NINE = timedelta(hours=9)
MINUTE = timedelta(minutes=1)


def window(day: int, start: str, end: str) -> dict[str, Any]:
    return {"dayOfWeek": day, "startTime": start, "endTime": end}


async def ask(mentee: User, mentor: Mentor, at: datetime, **body: Any) -> tuple[int, str | None]:
    """Create a request; return the status, and the message of an error."""
    response = await mentee.post("/requests", asking(mentor, at, **body))
    return response.status, response.message if response.status >= 400 else None


async def admitted(
    api: Api, mentor: Mentor, day: datetime, asked: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], int]:
    """Return the status for each start and length, each requested by another mentee."""
    found = {}
    for place, (start, duration) in enumerate(asked):
        hour, minute = map(int, start.split(":"))
        at = day.replace(hour=hour, minute=minute)
        status, message = await ask(api.user(f"ann-{place}"), mentor, at, duration=duration)
        assert message == (TAKEN if status == 409 else None)
        found[start, duration] = status
    return found


# Effects ------------------------------------------------------------------------------------------


async def test_create_request_has_exactly_the_fields_of_the_contract(api: Api) -> None:
    mentor = await api.mentor(
        "mia",
        profileImageUrl="https://example.com/mia.png",
        sessionRate=5000,
        sessionCurrency="USD",
    )
    ann = api.user("ann", name="Ann Lee", picture="https://example.com/ann.png")
    at = day_after_tomorrow(14, 30)
    response = await ann.post(
        "/requests", asking(mentor, at, message="Hello", duration=45, location="Room 5")
    )
    request = response.json
    assert response.status == 201
    assert response.headers["Location"] == f"/api/requests/{request['id']}"
    assert request.pop("createdAt") == request.pop("updatedAt")
    assert request == {
        "id": request["id"],
        "mentorId": mentor.id,
        "menteeId": "ann",
        "topic": "Career advice",
        "message": "Hello",
        "scheduledDate": f"{at:%Y-%m-%d}",
        "scheduledTime": "14:30",
        "duration": 45,
        "location": "Room 5",
        "startTime": iso(at),
        "endTime": iso(at + timedelta(minutes=45)),
        "status": "pending",
        "rejectionReason": None,
        "sessionRate": 5000,
        "sessionCurrency": "USD",
        "bookingId": None,
        "booking": None,
        "mentor": {
            "id": mentor.id,
            "userId": "mia",
            "name": "Mia",
            "avatar": "https://example.com/mia.png",
        },
        "mentee": {"id": "ann", "name": "Ann Lee", "avatar": "https://example.com/ann.png"},
    }


async def test_create_request_takes_duration_and_location_of_mentor(api: Api) -> None:
    link = "https://meet.google.com/abc-def-ghi"
    mentor = await api.mentor("mia", sessionDuration=90, defaultMeetingLink=link)
    request = await api.request(api.user("ann"), mentor)
    assert (request["duration"], request["location"]) == (90, link)
    assert instant(request["endTime"]) - instant(request["startTime"]) == timedelta(minutes=90)


async def test_create_request_without_settings_is_one_hour(api: Api) -> None:
    request = await api.request(api.user("ann"), await api.mentor())
    assert (request["duration"], request["location"], request["message"]) == (60, None, None)


async def test_create_request_with_empty_location_keeps_meeting_link(api: Api) -> None:
    link = "https://meet.google.com/abc-def-ghi"
    mentor = await api.mentor("mia", defaultMeetingLink=link)
    for name, location in (("ann", ""), ("bob", "  ")):
        request = await api.request(api.user(name), mentor, location=location)
        assert request["location"] == link
    accepted = await mentor.ok("POST", f"/requests/{request['id']}/accept")
    assert accepted["booking"]["location"] == link


async def test_create_request_after_expiry_of_the_last_succeeds(api: Api, clock: Clock) -> None:
    """An expired request blocks no new one, also before the sweep has ended it."""
    mentor, ann = await api.mentor(), api.user("ann")
    path = f"/requests/my-requests/{mentor.id}"
    stale = await api.request(ann, mentor, day_after_tomorrow(9))
    await clock.stop_at(day_after_tomorrow(9) - timedelta(microseconds=1))
    duplicate = await ann.post("/requests", asking(mentor, day_after_tomorrow(12)))
    assert is_error(duplicate, 409, "You already have a pending request")

    await clock.stop_at(day_after_tomorrow(9))
    fresh = await api.request(ann, mentor, day_after_tomorrow(12))
    assert [one["id"] for one in await ann.ok("GET", path)] == [fresh["id"]]
    ended = await ann.ok("GET", f"/requests/{stale['id']}")
    assert (ended["status"], ended["rejectionReason"]) == ("rejected", EXPIRED)
    histories = [
        [(change["to"], change["by"], change["reason"]) for change in history]
        for one in (stale, fresh)
        for history in [await ann.ok("GET", f"/requests/{one['id']}/history")]
    ]
    assert histories == [
        [("pending", "mentee", None), ("rejected", "system", EXPIRED)],
        [("pending", "mentee", None)],
    ]
    # The statement has ended the old request, so the sweep finds none.
    assert await api.sweep() == 0


async def test_create_request_refused_after_expiry_has_the_reason(api: Api, clock: Clock) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    taken = day_after_tomorrow(12)
    await api.request(ann, mentor, day_after_tomorrow(9))
    await api.session(api.user("bob"), mentor, taken)
    await clock.stop_at(day_after_tomorrow(9))
    assert await ask(ann, mentor, taken) == (409, TAKEN)


async def test_change_settings_keeps_existing_requests(api: Api) -> None:
    mentor, ann = await api.mentor("mia", sessionDuration=30), api.user("ann")
    before = await api.request(ann, mentor)
    await mentor.ok("PUT", "/mentor/availability", {"slots": [], "sessionDuration": 120})
    assert await ann.ok("GET", f"/requests/{before['id']}") == before


async def test_create_request_as_mentor_succeeds(api: Api) -> None:
    mia, max_ = await api.mentor("mia"), await api.mentor("max")
    assert (await api.request(mia, max_))["menteeId"] == "mia"
    assert (await api.request(max_, mia))["menteeId"] == "max"


async def test_create_request_with_id_in_capitals_succeeds(api: Api) -> None:
    mentor = await api.mentor()
    request = await api.request(api.user("ann"), mentor, mentorId=mentor.id.upper())
    assert request["mentorId"] == mentor.id


# The input ----------------------------------------------------------------------------------------

WRONG = {
    "mentorId": [None, 5, ["x"]],
    "topic": [None, "", " \t\n ", "x" * 201, 5],
    "message": [5, "x" * 2001, {}],
    "scheduledDate": [
        *["", "tomorrow", "2030-02-30", "2030-2-3", "2030-02-03T00:00:00Z", "20300203"],
        *["2030-W05-3", "2030-02-03\n", "٢٠٣٠-02-03", "0000-01-01", None, 5],
    ],
    "scheduledTime": [
        *["", "9:00", "09:00:00", "24:00", "12:60", "09:00\n", "9am", "0900", "09:00Z"],
        *["٠٩:00", "-1:00", None, 900],
    ],
    "duration": [14, 181, 0, -60, 60.5, "60", True],
    "location": [5, "x" * 201],
}
NO_OBJECTS = [
    *[b"", b"{", b"null", b"[]", b'"text"', b"NaN", b'{"duration": Infinity}'],
    *[b'{"topic": "\\u0000"}', b'{"topic": "\\ud800"}', b'{"topic": "\xff"}'],
    b'{"topic": "a", "topic": "b"}',
]


async def test_create_request_without_required_field_names_it(api: Api) -> None:
    response = await api.user("ann").post("/requests", {})
    assert sorted(fields_of(response)) == ["mentorId", "scheduledDate", "scheduledTime", "topic"]


async def test_create_request_with_unknown_field_names_it(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    response = await ann.post("/requests", asking(mentor, status="accepted", menteeId="bob"))
    assert fields_of(response) == ["menteeId", "status"]
    assert await ann.ok("GET", "/requests") == []


async def test_create_request_with_wrong_value_names_the_field(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    for field, values in WRONG.items():
        for value in values:
            response = await ann.post("/requests", asking(mentor) | {field: value})
            assert set(fields_of(response)) == {field}, value


async def test_create_request_counts_characters_not_bytes(api: Api) -> None:
    most = {"topic": "💡" * 200, "message": "é" * 2000, "location": "字" * 200}
    request = await api.request(api.user("ann"), await api.mentor(), **most)
    assert {name: request[name] for name in most} == most


async def test_create_request_of_15_to_180_minutes_succeeds(api: Api) -> None:
    mentor = await api.mentor("mia", sessionDuration=30)
    for duration in (15, 16, 179, 180, 60.0):
        request = await api.request(api.user(f"ann-{duration}"), mentor, duration=duration)
        assert request["duration"] == duration


async def test_create_request_with_malformed_json_is_refused(api: Api) -> None:
    for body in NO_OBJECTS:
        response = await api.user("ann").post("/requests", body=body)
        assert response.status == 400, body


async def test_create_request_with_equal_duplicate_keys_is_refused(api: Api) -> None:
    mentor = await api.mentor()
    fields = asking(mentor)
    pairs = [f'"{name}": "{value}"' for name, value in fields.items()]
    body = "{" + ", ".join(pairs + pairs) + "}"
    response = await api.user("ann").post("/requests", body=body)
    assert (response.status, response.headers["X-Error-Code"]) == (400, "malformed_json")


async def test_create_request_with_other_content_type_is_refused(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    response = await ann.post(
        "/requests", asking(mentor), headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert is_error(response, 415, "Content-Type must be application/json")


async def test_create_request_beyond_last_instant_is_refused(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    last = datetime(9999, 12, 31, 23, 30, tzinfo=UTC)
    assert (await ann.post("/requests", asking(mentor, last, duration=60))).status in (400, 409)
    assert (await ann.post("/requests", asking(mentor, last, duration=15))).status == 201


# Checks in their order ----------------------------------------------------------------------------


async def test_create_request_without_token_is_unauthorized(api: Api) -> None:
    response = await api.nobody.post("/requests", body=b"{")
    assert is_error(response, 401, "Missing or invalid token")
    assert response.headers["WWW-Authenticate"] == "Bearer"


async def test_create_request_with_wrong_input_precedes_missing_mentor(api: Api) -> None:
    response = await api.user("ann").post("/requests", {"mentorId": NO_ONE})
    assert set(fields_of(response)) == {"topic", "scheduledDate", "scheduledTime"}


async def test_create_request_to_unknown_mentor_is_not_found(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    for mentor_id in (NO_ONE, "mentor-profile-123", "", "1" * 5000, "💡", mentor.sub):
        response = await ann.post("/requests", asking(mentor, mentorId=mentor_id))
        assert is_error(response, 404, "Mentor not found")


async def test_create_request_to_private_mentor_is_not_found(api: Api) -> None:
    mentor = await api.mentor(visibility="private")
    for user in (api.user("ann"), mentor):
        response = await user.post("/requests", asking(mentor))
        assert is_error(response, 404, "Mentor not found")
    await mentor.ok("PATCH", "/mentor/me", {"visibility": "public"})
    assert (await api.user("ann").post("/requests", asking(mentor))).status == 201


async def test_create_request_to_oneself_precedes_its_time(api: Api) -> None:
    mentor = await api.mentor()
    for at in (day_after_tomorrow(), datetime(2020, 1, 1, 9, tzinfo=UTC)):
        response = await mentor.post("/requests", asking(mentor, at))
        assert is_error(response, 400, "You cannot request a session with yourself")


async def test_create_past_request_precedes_duplicate_and_windows(api: Api) -> None:
    mentor, ann = await api.mentor("mia"), api.user("ann")
    await api.request(ann, mentor)
    await mentor.ok("PUT", "/mentor/availability", {"slots": []})
    for past in ("0001-01-01", "2020-01-01"):
        response = await ann.post("/requests", asking(mentor, scheduledDate=past))
        assert is_error(response, 400, "Cannot request a session in the past")


async def test_create_request_for_begun_minute_is_refused(api: Api, clock: Clock) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    at = day_after_tomorrow()
    past = (400, "Cannot request a session in the past")
    await clock.stop_at(at)
    assert await ask(ann, mentor, at) == past
    await clock.stop_at(at - timedelta(microseconds=1))
    assert await ask(ann, mentor, at - MINUTE) == past
    assert await ask(ann, mentor, at) == (201, None)


async def test_create_duplicate_request_precedes_its_time(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    await api.request(ann, mentor)
    await mentor.ok("PUT", "/mentor/availability", {"slots": []})
    response = await ann.post("/requests", asking(mentor, day_after_tomorrow(15)))
    assert is_error(response, 409, "You already have a pending request")


# One pending request for each mentor and mentee ---------------------------------------------------


async def test_create_second_request_to_mentor_is_refused(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    await api.request(ann, mentor)
    for at in (day_after_tomorrow(), day_after_tomorrow(15)):
        response = await ann.post("/requests", asking(mentor, at))
        assert is_error(response, 409, "You already have a pending request")
    assert len(await ann.ok("GET", "/requests")) == 1


async def test_create_requests_of_other_pairs_succeeds(api: Api) -> None:
    mia, max_ = await api.mentor("mia"), await api.mentor("max")
    for mentee in (api.user("ann"), api.user("bob")):
        for mentor in (mia, max_):
            assert (await api.request(mentee, mentor))["status"] == "pending"


async def test_create_request_after_settled_one_succeeds(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    for hour, actor, method, verb in (
        (9, mentor, "POST", "accept"),
        (11, mentor, "POST", "reject"),
        (11, ann, "PATCH", "cancel"),
    ):
        request = await api.request(ann, mentor, day_after_tomorrow(hour))
        await actor.ok(method, f"/requests/{request['id']}/{verb}")
    assert (await api.request(ann, mentor, day_after_tomorrow(11)))["status"] == "pending"


async def test_create_request_for_taken_time_is_no_duplicate(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    request = await api.request(ann, mentor)
    await mentor.ok("POST", f"/requests/{request['id']}/reject")
    await api.session(api.user("bob"), mentor)
    assert await ask(ann, mentor, day_after_tomorrow()) == (409, TAKEN)


# The weekly windows -------------------------------------------------------------------------------


async def test_create_request_without_windows_is_refused(api: Api) -> None:
    mentor = await api.mentor(windows=[])
    response = await api.user("ann").post("/requests", asking(mentor))
    assert is_error(response, 409, TAKEN)


async def test_create_request_across_adjacent_windows_succeeds(api: Api) -> None:
    mentor = await api.mentor(
        windows=[window(0, f"{hour:02}:00", f"{hour + 1:02}:00") for hour in (11, 9, 10)]
    )
    expected = {
        ("09:00", 60): 201,
        ("09:00", 180): 201,
        ("09:07", 61): 201,
        ("11:45", 15): 201,
        ("08:59", 60): 409,
        ("11:46", 15): 409,
        ("08:00", 60): 409,
        ("12:00", 15): 409,
        ("08:45", 180): 409,
    }
    assert await admitted(api, mentor, coming(0), expected) == expected


async def test_create_request_across_a_gap_is_refused(api: Api) -> None:
    mentor = await api.mentor(windows=[window(0, "09:00", "10:00"), window(0, "10:01", "12:00")])
    assert await ask(api.user("ann"), mentor, coming(0, 9, 30)) == (409, TAKEN)
    assert await ask(api.user("bob"), mentor, coming(0, 9)) == (201, None)
    assert await ask(api.user("cem"), mentor, coming(0, 10)) == (409, TAKEN)


async def test_create_request_on_other_weekday_is_refused(api: Api) -> None:
    mentor = await api.mentor(windows=[window(2, "09:00", "10:00")])
    wednesday = coming(2, 9)
    for days in (-1, 1, 2):
        at = wednesday + timedelta(days=days)
        assert await ask(api.user("ann"), mentor, at) == (409, TAKEN), days
    assert await ask(api.user("ann"), mentor, wednesday + timedelta(weeks=52)) == (201, None)


async def test_create_request_across_midnight_of_windows_succeeds(
    api: Api,
) -> None:
    for day, after in ((2, 3), (6, 0)):
        mentor = await api.mentor(
            f"mia-{day}", [window(day, "22:00", "24:00"), window(after, "00:00", "02:00")]
        )
        late = coming(day, 23, 30)
        request = await api.request(api.user("ann"), mentor, late, duration=120)
        assert request["endTime"] == iso(late + timedelta(hours=2))
        assert (request["scheduledDate"], request["scheduledTime"]) == (f"{late:%Y-%m-%d}", "23:30")
        assert await ask(api.user("bob"), mentor, late, duration=151) == (409, TAKEN)


async def test_create_request_beyond_midnight_is_refused(api: Api) -> None:
    mentor = await api.mentor(windows=[window(2, "22:00", "24:00")])
    assert await ask(api.user("ann"), mentor, coming(2, 23)) == (201, None)
    assert await ask(api.user("bob"), mentor, coming(2, 23, 1)) == (409, TAKEN)


async def test_create_request_across_23_59_is_refused(api: Api) -> None:
    mentor = await api.mentor(windows=[window(2, "22:00", "23:59"), window(3, "00:00", "02:00")])
    assert await ask(api.user("ann"), mentor, coming(2, 23, 30)) == (409, TAKEN)


async def test_create_request_ignores_timezone_label(api: Api) -> None:
    mentor = await api.mentor(windows=[window(2, "09:00", "10:00")], timezone="Pacific/Auckland")
    assert await ask(api.user("ann"), mentor, coming(2, 9)) == (201, None)


# Other sessions and the buffer --------------------------------------------------------------------


async def test_create_request_within_session_or_buffer_is_refused(api: Api) -> None:
    for buffer, expected in {
        0: {
            ("08:00", 60): 201,
            ("08:00", 61): 409,
            ("10:00", 60): 201,
            ("09:59", 60): 409,
            ("09:20", 15): 409,
            ("08:30", 120): 409,
        },
        15: {("07:45", 60): 201, ("07:46", 60): 409, ("10:14", 60): 409, ("10:15", 60): 201},
        45: {("07:15", 60): 201, ("07:16", 60): 409, ("10:44", 60): 409, ("10:45", 60): 201},
    }.items():
        mentor = await api.mentor(f"mia-{buffer}", bufferTime=buffer)
        await api.session(api.user("bob"), mentor, day_after_tomorrow(9))
        assert await admitted(api, mentor, day_after_tomorrow(), expected) == expected


async def test_create_request_within_buffer_over_midnight_is_refused(api: Api) -> None:
    mentor = await api.mentor(bufferTime=0)
    midnight = day_after_tomorrow(0)
    await api.session(api.user("bob"), mentor, midnight)
    await api.session(api.user("bob"), mentor, midnight + timedelta(hours=23))
    await mentor.ok("PUT", "/mentor/availability", {"slots": ALWAYS, "bufferTime": 45})
    for name, minutes, status in (
        ("ann", -104, 409),
        ("ann", -105, 201),
        ("cem", 24 * 60 + 44, 409),
        ("cem", 24 * 60 + 45, 201),
    ):
        assert (await ask(api.user(name), mentor, midnight + minutes * MINUTE))[0] == status


async def test_create_request_uses_current_buffer(api: Api) -> None:
    mentor = await api.mentor(bufferTime=15)
    await api.session(api.user("bob"), mentor, day_after_tomorrow(9))

    async def with_buffer(buffer: int) -> list[int]:
        windows = (await mentor.ok("GET", "/mentor/availability"))["slots"]
        for each in windows:
            del each["id"]
        body = {"slots": windows, "bufferTime": buffer}
        await mentor.ok("PUT", "/mentor/availability", body)
        admitted = []
        for minute in (0, 15, 30, 45):
            ann = api.user(f"ann-{buffer}-{minute}")
            for at in (day_after_tomorrow(10, minute), day_after_tomorrow(8) - minute * MINUTE):
                status, _ = await ask(ann, mentor, at)
                if status == 201:
                    admitted.append(minute)
                    await ann.ok("PATCH", f"/requests/{await only_request(ann)}/cancel")
        return admitted

    assert await with_buffer(0) == [0, 0, 15, 15, 30, 30, 45, 45]
    assert await with_buffer(45) == [45, 45]
    assert await with_buffer(30) == [30, 30, 45, 45]


async def only_request(mentee: User) -> str:
    (request,) = await mentee.ok("GET", "/requests", status="pending")
    return request["id"]


async def test_create_request_at_time_of_ended_session_succeeds(api: Api) -> None:
    expected = {
        "pending": 409,
        "confirmed": 409,
        "rescheduled": 409,
        "in_progress": 409,
        "pending_completion": 201,
        "completed": 201,
        "disputed": 201,
        "cancelled": 201,
    }
    found = {}
    for state in expected:
        mentor = await api.mentor(f"mia-{state}")
        await api.by_hand(api.user("bob"), mentor, state)
        found[state], _ = await ask(api.user("ann"), mentor, day_after_tomorrow())
    assert found == expected


async def test_create_request_at_time_of_other_mentor_succeeds(api: Api) -> None:
    mia, max_ = await api.mentor("mia"), await api.mentor("max")
    await api.session(api.user("bob"), mia)
    assert await ask(api.user("ann"), max_, day_after_tomorrow()) == (201, None)


async def test_create_request_at_own_booked_time_succeeds(api: Api) -> None:
    mia, max_, ann = await api.mentor("mia"), await api.mentor("max"), api.user("ann")
    await api.session(ann, mia)
    assert (await api.session(ann, max_))["status"] == "confirmed"


async def test_create_request_at_time_of_pending_one_succeeds(api: Api) -> None:
    mentor = await api.mentor(windows=[window(0, "09:00", "10:00")])
    monday = coming(0, 9)
    day = {"startDate": f"{monday:%Y-%m-%d}", "endDate": f"{monday:%Y-%m-%d}"}
    for name in ("ann", "bob", "cem"):
        await api.request(api.user(name), mentor, monday)
        offered = (await api.nobody.get(f"/mentors/{mentor.id}/availability", **day)).json
        assert [slot["startTime"] for slot in offered["slots"]] == ["09:00"]


async def test_create_request_at_time_of_cancelled_session_succeeds(api: Api) -> None:
    mentor, bob = await api.mentor(bufferTime=30), api.user("bob")
    session = await api.session(bob, mentor)
    assert await ask(api.user("ann"), mentor, day_after_tomorrow()) == (409, TAKEN)
    await bob.ok("POST", f"/sessions/{session['id']}/cancel")
    assert await ask(api.user("ann"), mentor, day_after_tomorrow()) == (201, None)


async def test_create_request_for_each_offered_slot_succeeds(api: Api) -> None:
    mentor = await api.mentor(
        windows=[
            window(0, "08:00", "09:00"),
            window(0, "09:00", "13:10"),
            window(0, "14:00", "24:00"),
            window(1, "00:00", "03:00"),
        ],
        sessionDuration=30,
        bufferTime=15,
    )
    monday = coming(0)
    await api.session(api.user("bob"), mentor, monday + NINE)
    await api.session(api.user("bob"), mentor, monday + NINE + timedelta(hours=7), duration=17)
    await api.session(api.user("bob"), mentor, monday + timedelta(hours=23, minutes=40))
    offered = (
        await api.nobody.get(
            f"/mentors/{mentor.id}/availability",
            startDate=f"{monday:%Y-%m-%d}",
            endDate=f"{monday + timedelta(days=1):%Y-%m-%d}",
        )
    ).json["slots"]
    assert len(offered) > 10
    for place, slot in enumerate(offered):
        response = await api.user(f"ann-{place}").post(
            "/requests",
            asking(mentor, scheduledDate=slot["date"], scheduledTime=slot["startTime"]),
        )
        assert (response.status, response.json["duration"]) == (201, 30), slot


SCRIPTS = [
    "javascript:alert(1)",
    " JavaScript:alert(1)",
    "\u0001\u00a0data:text/html,<script>alert(1)</script>",
    "\tVBSCRIPT:x",
    "java\nscript\t:alert(1)",
    "\ufeffdata:,",
]


@pytest.mark.parametrize("location", SCRIPTS)
async def test_create_request_with_a_script_location_is_refused(api: Api, location: str) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    responses = (
        await jane.post("/requests", asking(mentor, location=location)),
        await mentor.patch("/mentor/me", {"location": location}),
    )
    for response in responses:
        assert "location" in fields_of(response)


async def test_create_request_with_a_harmless_location_succeeds(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    for location in ("Room 5: javascript:", "Data centre", "Database: the café", "javascript"):
        await mentor.ok("PATCH", "/mentor/me", {"location": location})
        request = await api.request(jane, mentor, location=location)
        await jane.ok("PATCH", f"/requests/{request['id']}/cancel")
