"""The example flows of the guide, as a front-end developer would write them."""

from __future__ import annotations

from tests.client import Api, asking, coming, iso
from tests.clock import Clock

MONDAY_TO_NOON = [
    {"dayOfWeek": 0, "startTime": f"{hour:02}:00", "endTime": f"{hour + 1:02}:00"}
    for hour in (9, 10, 11)
]
TUESDAY_AFTERNOON = [
    {"dayOfWeek": 1, "startTime": f"{hour:02}:00", "endTime": f"{hour + 1:02}:00"}
    for hour in (14, 15)
]


async def test_book_and_complete_session_succeeds_step_by_step(api: Api, clock: Clock) -> None:
    # Flow 3: the mentor sets up availability.
    mentor = await api.mentor(
        "john",
        MONDAY_TO_NOON + TUESDAY_AFTERNOON,
        sessionDuration=60,
        bufferTime=15,
        timezone="WAT",
        defaultMeetingLink="https://meet.google.com/abc-def-ghi",
        sessionRate=5000,
    )
    # Flow 1: a mentee books.
    jane = api.user("jane", name="Jane Smith", picture="https://example.com/jane.png")
    mentors = (await api.nobody.get("/mentors")).json
    assert [one["id"] for one in mentors] == [mentor.id]
    monday = coming(0, 9)
    availability = (
        await api.nobody.get(
            f"/mentors/{mentor.id}/availability",
            startDate=f"{monday:%Y-%m-%d}",
            endDate=f"{monday:%Y-%m-%d}",
        )
    ).json
    slots = availability.pop("slots")
    assert availability == {
        "mentorId": mentor.id,
        "sessionDuration": 60,
        "bufferTime": 15,
        "timezone": "WAT",
    }
    assert [(slot["startTime"], slot["endTime"]) for slot in slots] == [
        ("09:00", "10:00"),
        ("10:00", "11:00"),
        ("11:00", "12:00"),
    ]
    assert (await jane.ok("GET", f"/requests/my-requests/{mentor.id}")) == []
    request = await jane.ok("POST", "/requests", asking(mentor, monday, message="I want to…"))
    assert request["status"] == "pending"
    assert request["location"] == "https://meet.google.com/abc-def-ghi"
    assert request["startTime"] == iso(monday)
    assert request["mentee"] == {
        "id": "jane",
        "name": "Jane Smith",
        "avatar": "https://example.com/jane.png",
    }

    # Flow 2: the mentor manages requests.
    assert (await mentor.ok("GET", "/requests/pending-count")) == 1
    received = await mentor.ok("GET", "/requests", role="received", status="pending")
    assert [one["id"] for one in received] == [request["id"]]
    accepted = await mentor.ok("POST", f"/requests/{request['id']}/accept")
    booking = accepted["booking"]
    assert accepted["request"]["status"] == "accepted"
    assert accepted["request"]["bookingId"] == booking["id"]
    assert (booking["status"], booking["sessionRate"]) == ("confirmed", 5000)
    upcoming = await jane.ok("GET", "/sessions", role="mentee", upcoming="true")
    assert [one["id"] for one in upcoming] == [booking["id"]]
    path = f"/sessions/{booking['id']}"

    await clock.move_to(monday)
    await api.sweep()
    assert (await jane.ok("GET", path))["status"] == "in_progress"
    await clock.move(minutes=60)
    assert (await mentor.ok("POST", f"{path}/complete"))["status"] == "pending_completion"
    assert (await jane.ok("POST", f"{path}/confirm-completion"))["status"] == "completed"
    reviewed = await jane.ok("POST", f"{path}/review", {"rating": 5, "comment": "Excellent!"})
    assert reviewed["review"]["rating"] == 5

    dashboard = await mentor.ok("GET", "/mentor/dashboard")
    assert dashboard == {
        "totalMentees": 1,
        "totalEarnings": 5000,
        "totalSessions": 1,
        "pendingBookings": 0,
        "upcomingBookings": 0,
        "avgRating": 5.0,
        "totalReviews": 1,
    }


async def test_dispute_session_after_no_show_succeeds_step_by_step(api: Api, clock: Clock) -> None:
    mentor, jane = await api.mentor("john", sessionRate=5000), api.user("jane")
    monday = coming(0, 9)
    session = await api.session(jane, mentor, monday)
    path = f"/sessions/{session['id']}"

    await clock.move_to(monday)
    await clock.move(minutes=74)
    await api.sweep()
    assert (await jane.ok("GET", path))["status"] == "confirmed"
    await clock.move(minutes=1)
    assert await api.sweep() == 1
    assert (await jane.ok("GET", path))["status"] == "pending_completion"
    assert (await jane.ok("POST", f"{path}/dispute"))["status"] == "disputed"
    dashboard = await mentor.ok("GET", "/mentor/dashboard")
    assert (dashboard["totalSessions"], dashboard["totalEarnings"]) == (0, 0)
