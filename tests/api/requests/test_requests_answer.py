"""Accepting, rejecting and cancelling a request, each by its own path and by PATCH."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.client import (
    ALWAYS,
    Api,
    Client,
    Mentor,
    Response,
    User,
    day_after_tomorrow,
    fields_of,
    instant,
    is_error,
)
from tests.clock import Clock

TAKEN = "Time slot is no longer available"
NOBODY_HAS = ("00000000-0000-7000-8000-000000000000", "request-456", "1", "%00", "a" * 300)

Act = Callable[[Client, str], Awaitable[Response]]


def by_path(method: str, verb: str) -> Act:
    return lambda user, request_id: user.request(method, f"/requests/{request_id}/{verb}")


def by_patch(status: str) -> Act:
    return lambda user, request_id: user.patch(f"/requests/{request_id}", {"status": status})


# The state that an action leads to, and its two calls.
WAYS = {
    "accept": ("accepted", by_path("POST", "accept")),
    "accept by patch": ("accepted", by_patch("accepted")),
    "reject": ("rejected", by_path("POST", "reject")),
    "reject by patch": ("rejected", by_patch("rejected")),
    "cancel": ("cancelled", by_path("PATCH", "cancel")),
    "cancel by patch": ("cancelled", by_patch("cancelled")),
}
each_way = pytest.mark.parametrize(("state", "act"), WAYS.values(), ids=WAYS.keys())


def actor_of(state: str, mentor: Mentor, mentee: User) -> User:
    return mentee if state == "cancelled" else mentor


async def settled(api: Api, mentor: Mentor, mentee: User, state: str) -> dict[str, Any]:
    """Create a request in this state; each state has another time."""
    hour = ["pending", "accepted", "rejected", "cancelled"].index(state) * 3
    request = await api.request(mentee, mentor, day_after_tomorrow(hour))
    if state == "pending":
        return request
    actor = actor_of(state, mentor, mentee)
    return await actor.ok("PATCH", f"/requests/{request['id']}", {"status": state})


# Effects ------------------------------------------------------------------------------------------


async def test_accept_request_creates_a_confirmed_session(api: Api) -> None:
    mentor, ann = (
        await api.mentor("mia", sessionRate=5000.5, sessionCurrency="USD"),
        api.user("ann"),
    )
    request = await api.request(ann, mentor, message="Hello", duration=45, location="Room 5")
    accepted = await mentor.ok("POST", f"/requests/{request['id']}/accept")
    assert accepted.keys() == {"request", "booking"}
    booking = accepted["booking"]
    assert accepted["request"] == request | {
        "status": "accepted",
        "bookingId": booking["id"],
        "booking": {name: booking[name] for name in ("id", "status", "startTime", "endTime")},
        "updatedAt": accepted["request"]["updatedAt"],
    }
    assert instant(accepted["request"]["updatedAt"]) > instant(request["updatedAt"])
    shared = "mentorId menteeId topic message startTime endTime duration location mentor mentee"
    assert booking == {
        "id": booking["id"],
        "requestId": request["id"],
        "status": "confirmed",
        "cancellationReason": None,
        "cancelledBy": None,
        "sessionRate": 5000.5,
        "sessionCurrency": "USD",
        "review": None,
        "createdAt": booking["createdAt"],
        "updatedAt": booking["updatedAt"],
    } | {name: request[name] for name in shared.split()}
    for user in (mentor, ann):
        assert await user.ok("GET", f"/requests/{request['id']}") == accepted["request"]
        assert await user.ok("GET", f"/sessions/{booking['id']}") == booking


async def test_accept_request_after_rate_change_books_the_rate_asked_for(api: Api) -> None:
    mentor, ann = await api.mentor("mia", sessionRate=100, sessionCurrency="NGN"), api.user("ann")
    request = await api.request(ann, mentor)
    assert (request["sessionRate"], request["sessionCurrency"]) == (100, "NGN")
    await mentor.ok("PATCH", "/mentor/me", {"sessionRate": 200, "sessionCurrency": "USD"})
    accepted = await mentor.ok("POST", f"/requests/{request['id']}/accept")
    await mentor.ok("PATCH", "/mentor/me", {"sessionRate": 300, "sessionCurrency": "EUR"})
    session = await ann.ok("GET", f"/sessions/{accepted['booking']['id']}")
    for shown in (accepted["request"], accepted["booking"], session):
        assert (shown["sessionRate"], shown["sessionCurrency"]) == (100, "NGN")


async def test_accept_request_without_location_takes_the_present_link(api: Api) -> None:
    old, new, newest = (f"https://meet.example.com/{name}" for name in ("old", "new", "newest"))

    async def set_link(link: str) -> None:
        body = {"slots": ALWAYS, "defaultMeetingLink": link}
        await mentor.ok("PUT", "/mentor/availability", body)

    mentor, ann, bob = await api.mentor(defaultMeetingLink=old), api.user("ann"), api.user("bob")
    request = await api.request(ann, mentor)
    with_own = await api.request(bob, mentor, day_after_tomorrow(12), location="Room 5")
    assert request["location"] == old
    await set_link(new)
    assert (await ann.ok("GET", f"/requests/{request['id']}"))["location"] == new
    accepted = await mentor.ok("POST", f"/requests/{request['id']}/accept")
    assert accepted["request"]["location"] == accepted["booking"]["location"] == new
    await set_link(newest)
    assert (await ann.ok("GET", f"/requests/{request['id']}"))["location"] == new
    accepted = await mentor.ok("POST", f"/requests/{with_own['id']}/accept")
    assert accepted["booking"]["location"] == "Room 5"


async def test_show_request_tells_the_state_and_time_of_its_session(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    request = await api.request(ann, mentor, day_after_tomorrow(9))
    await mentor.ok("POST", f"/requests/{request['id']}/accept")
    session = (await ann.ok("GET", f"/requests/{request['id']}"))["booking"]
    start, end = (day_after_tomorrow(hour).isoformat() for hour in (15, 16))
    body = {"newStartTime": start, "newEndTime": end}
    await mentor.ok("PUT", f"/sessions/{session['id']}/reschedule", body)
    shown = await ann.ok("GET", f"/requests/{request['id']}")
    assert shown["booking"]["status"] == "rescheduled"
    assert instant(shown["booking"]["startTime"]) == day_after_tomorrow(15)
    # The times of the request do not change.
    assert shown["startTime"] == request["startTime"]
    assert await ann.ok("GET", "/requests") == [shown]


async def test_reject_request_with_reason_shows_it_to_both(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    request = await api.request(ann, mentor)
    reason = "💡" * 500
    rejected = await mentor.ok("POST", f"/requests/{request['id']}/reject", {"reason": reason})
    assert (rejected["status"], rejected["rejectionReason"]) == ("rejected", reason)
    assert rejected["bookingId"] is None
    assert await ann.ok("GET", f"/requests/{request['id']}") == rejected
    assert await ann.ok("GET", "/sessions") == []


async def test_reject_request_without_reason_succeeds(api: Api) -> None:
    mentor = await api.mentor()
    for name, body in (("ann", None), ("bob", b"{}"), ("cem", b"")):
        request = await api.request(api.user(name), mentor)
        response = await mentor.post(f"/requests/{request['id']}/reject", body=body)
        assert (response.status, response.json["rejectionReason"]) == (200, None)


async def test_accept_or_cancel_with_empty_object_succeeds(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    for method, verb, actor in (("PATCH", "cancel", ann), ("POST", "accept", mentor)):
        request = await api.request(ann, mentor)
        response = await actor.request(method, f"/requests/{request['id']}/{verb}", body=b"{}")
        assert response.status == 200


async def test_cancel_request_returns_it(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    request = await api.request(ann, mentor)
    cancelled = await ann.ok("PATCH", f"/requests/{request['id']}/cancel")
    assert cancelled == request | {"status": "cancelled", "updatedAt": cancelled["updatedAt"]}
    assert await mentor.ok("GET", f"/requests/{request['id']}") == cancelled


async def test_patch_status_acts_and_returns_the_request(api: Api) -> None:
    mentor, ann = await api.mentor(sessionRate=70), api.user("ann")
    request = await api.request(ann, mentor)
    accepted = await mentor.ok("PATCH", f"/requests/{request['id']}", {"status": "accepted"})
    assert accepted["status"] == "accepted"
    booking = await ann.ok("GET", f"/sessions/{accepted['bookingId']}")
    assert (booking["status"], booking["sessionRate"]) == ("confirmed", 70)

    request = await api.request(ann, mentor, day_after_tomorrow(12))
    rejected = await mentor.ok(
        "PATCH", f"/requests/{request['id']}", {"status": "rejected", "reason": "Too busy"}
    )
    assert (rejected["status"], rejected["rejectionReason"]) == ("rejected", "Too busy")

    request = await api.request(ann, mentor, day_after_tomorrow(12))
    cancelled = await ann.ok("PATCH", f"/requests/{request['id']}", {"status": "cancelled"})
    assert (cancelled["status"], cancelled["rejectionReason"]) == ("cancelled", None)


async def test_patch_any_status_with_reason_succeeds(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    for status in ("cancelled", "rejected", "accepted"):
        request = await api.request(ann, mentor)
        changed = await actor_of(status, mentor, ann).ok(
            "PATCH", f"/requests/{request['id']}", {"status": status, "reason": "Because"}
        )
        assert changed["rejectionReason"] == ("Because" if status == "rejected" else None)


# Checks in their order ----------------------------------------------------------------------------

BAD_BODIES: list[tuple[str, str, Any, list[str]]] = [
    ("POST", "/accept", {"reason": "Yes"}, ["reason"]),
    ("POST", "/accept", {"booking": {}}, ["booking"]),
    ("POST", "/reject", {"reason": "x" * 501}, ["reason"]),
    ("POST", "/reject", {"reason": 5}, ["reason"]),
    ("POST", "/reject", {"why": "No"}, ["why"]),
    ("POST", "/reject", [], [""]),
    ("PATCH", "/cancel", {"reason": "No"}, ["reason"]),
    ("PATCH", "", {}, ["status"]),
    ("PATCH", "", {"status": "pending"}, ["status"]),
    ("PATCH", "", {"status": "Accepted"}, ["status"]),
    ("PATCH", "", {"status": ["accepted"]}, ["status"]),
    ("PATCH", "", {"reason": "No"}, ["status"]),
    ("PATCH", "", {"status": "rejected", "reason": "x" * 501}, ["reason"]),
    ("PATCH", "", {"status": "accepted", "topic": "Other"}, ["topic"]),
]


async def test_answer_with_wrong_input_precedes_missing_request(api: Api) -> None:
    ann = api.user("ann")
    for method, path, body, fields in BAD_BODIES:
        for request_id in NOBODY_HAS[:2]:
            response = await ann.request(method, f"/requests/{request_id}{path}", body)
            assert set(fields_of(response)) == set(fields), (method, path, body)


async def test_patch_without_body_is_refused(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    request = await api.request(ann, mentor)
    response = await mentor.request(
        "PATCH", f"/requests/{request['id']}", headers={"Content-Type": "application/json"}
    )
    assert response.status == 400
    assert (await ann.ok("GET", f"/requests/{request['id']}"))["status"] == "pending"


async def test_answer_without_token_is_unauthorized(api: Api) -> None:
    for method, path, body, _ in BAD_BODIES:
        response = await api.nobody.request(method, f"/requests/{NOBODY_HAS[1]}{path}", body)
        assert is_error(response, 401, "Missing or invalid token")
    response = await api.nobody.get(f"/requests/{NOBODY_HAS[1]}")
    assert is_error(response, 401, "Missing or invalid token")


async def test_answer_unknown_request_is_not_found(api: Api) -> None:
    ann = api.user("ann")
    for request_id in NOBODY_HAS:
        assert is_error(await ann.get(f"/requests/{request_id}"), 404, "Request not found")
        for _, act in WAYS.values():
            assert is_error(await act(ann, request_id), 404, "Request not found")


async def test_answer_request_by_id_of_session_is_not_found(api: Api) -> None:
    mentor = await api.mentor()
    session = await api.session(api.user("ann"), mentor)
    for _, act in WAYS.values():
        assert is_error(await act(mentor, session["id"]), 404, "Request not found")


async def test_send_other_methods_is_not_allowed(api: Api) -> None:
    ann = api.user("ann")
    for method, path, allowed in (
        ("DELETE", "", "GET, PATCH"),
        ("PUT", "", "GET, PATCH"),
        ("GET", "/accept", "POST"),
        ("PATCH", "/reject", "POST"),
        ("POST", "/cancel", "PATCH"),
    ):
        response = await ann.request(method, f"/requests/{NOBODY_HAS[0]}{path}")
        assert response.status == 405
        assert set(allowed.split(", ")) <= set(response.headers["Allow"].split(", "))


# Rights -------------------------------------------------------------------------------------------

REFUSALS = {
    "accepted": "Only the mentor can accept this request",
    "rejected": "Only the mentor can reject this request",
    "cancelled": "Only the mentee can cancel this request",
}


@each_way
async def test_answer_as_other_party_is_forbidden_in_every_state(
    api: Api, state: str, act: Act
) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    others = [
        mentor if state == "cancelled" else ann,
        api.user("eve"),
        await api.mentor("max"),
    ]
    for before in ("accepted", "rejected", "cancelled", "pending"):
        request = await settled(api, mentor, ann, before)
        for other in others:
            assert is_error(await act(other, request["id"]), 403, REFUSALS[state])
        assert await ann.ok("GET", f"/requests/{request['id']}") == request
    assert (await act(actor_of(state, mentor, ann), request["id"])).status == 200


# States -------------------------------------------------------------------------------------------


@each_way
async def test_answer_request_that_is_not_pending_is_refused(
    api: Api, state: str, act: Act
) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    for before in ("accepted", "rejected", "cancelled"):
        request = await settled(api, mentor, ann, before)
        response = await act(actor_of(state, mentor, ann), request["id"])
        assert is_error(response, 409, f"Only pending requests can be {state}")
        assert await ann.ok("GET", f"/requests/{request['id']}") == request
    assert len(await ann.ok("GET", "/sessions")) == 1


async def test_cancel_session_keeps_its_request_accepted(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    session = await api.session(ann, mentor)
    await ann.ok("POST", f"/sessions/{session['id']}/cancel")
    request = await ann.ok("GET", f"/requests/{session['requestId']}")
    assert (request["status"], request["bookingId"]) == ("accepted", session["id"])
    response = await mentor.post(f"/requests/{request['id']}/accept")
    assert is_error(response, 409, "Only pending requests can be accepted")


# The time -----------------------------------------------------------------------------------------


async def test_accept_one_of_requests_for_one_time_blocks_the_others(api: Api) -> None:
    mentor = await api.mentor()
    names = ("ann", "bob", "cem")
    requests = {name: (await api.request(api.user(name), mentor))["id"] for name in names}
    await mentor.ok("POST", f"/requests/{requests['bob']}/accept")
    for name in ("ann", "cem"):
        for act in (by_path("POST", "accept"), by_patch("accepted")):
            assert is_error(await act(mentor, requests[name]), 409, TAKEN)
        request = await api.user(name).ok("GET", f"/requests/{requests[name]}")
        assert (request["status"], request["bookingId"]) == ("pending", None)
    assert len(await mentor.ok("GET", "/sessions")) == 1

    await mentor.ok("POST", f"/requests/{requests['ann']}/reject")
    await api.user("cem").ok("PATCH", f"/requests/{requests['cem']}/cancel")


async def test_accept_request_after_its_time_is_free_again_succeeds(api: Api) -> None:
    mentor, ann, bob = await api.mentor(), api.user("ann"), api.user("bob")
    request = await api.request(ann, mentor)
    session = await api.session(bob, mentor)
    assert is_error(await mentor.post(f"/requests/{request['id']}/accept"), 409, TAKEN)
    await bob.ok("POST", f"/sessions/{session['id']}/cancel")
    accepted = await mentor.ok("POST", f"/requests/{request['id']}/accept")
    assert accepted["booking"]["menteeId"] == "ann"


async def test_accept_requests_within_buffer_is_refused(api: Api) -> None:
    mentor = await api.mentor(bufferTime=15)
    asked = {
        (8, 0): 200,
        (7, 0): 409,
        (7, 1): 409,
        (6, 45): 200,
        (8, 59): 409,
        (9, 14): 409,
        (9, 15): 200,
        (10, 29): 409,
        (10, 30): 200,
    }
    requests = {
        at: await api.request(api.user(f"ann-{place}"), mentor, day_after_tomorrow(*at))
        for place, at in enumerate(asked)
    }
    found = {}
    for at, request in requests.items():
        response = await mentor.post(f"/requests/{request['id']}/accept")
        assert response.status == 200 or is_error(response, 409, TAKEN)
        found[at] = response.status
    assert found == asked


async def test_accept_request_after_larger_buffer_keeps_it(api: Api) -> None:
    mentor, ann = await api.mentor(bufferTime=0), api.user("ann")
    request = await api.request(ann, mentor, day_after_tomorrow(10))
    await api.session(api.user("bob"), mentor, day_after_tomorrow(9))
    for buffer, status in ((45, 409), (15, 409), (0, 200)):
        await mentor.ok("PUT", "/mentor/availability", {"slots": [], "bufferTime": buffer})
        assert (await mentor.post(f"/requests/{request['id']}/accept")).status == status


async def test_accept_request_after_smaller_buffer_succeeds(api: Api) -> None:
    mentor = await api.mentor(bufferTime=45)
    await api.session(api.user("bob"), mentor, day_after_tomorrow(9))
    settings = {"slots": ALWAYS, "bufferTime": 0}
    await mentor.ok("PUT", "/mentor/availability", settings)
    for name, hour in (("ann", 10), ("cem", 8)):
        session = await api.session(api.user(name), mentor, day_after_tomorrow(hour))
        assert session["status"] == "confirmed"


async def test_accept_request_at_time_of_inserted_session_is_refused(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    request = await api.request(ann, mentor)
    await api.by_hand(api.user("bob"), mentor, "pending")
    assert is_error(await mentor.post(f"/requests/{request['id']}/accept"), 409, TAKEN)


@pytest.mark.parametrize(
    "act", [by_path("POST", "accept"), by_patch("accepted")], ids=["accept", "accept by patch"]
)
async def test_accept_past_request_is_refused(api: Api, clock: Clock, act: Act) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    request = await api.request(ann, mentor)
    await clock.stop_at(day_after_tomorrow())
    assert is_error(await act(mentor, request["id"]), 409, TAKEN)
    assert await mentor.ok("GET", "/sessions") == []
    await clock.stop_at(day_after_tomorrow() - timedelta(microseconds=1))
    assert (await act(mentor, request["id"])).status == 200


@pytest.mark.parametrize("swept", [False, True], ids=["before the sweep", "after the sweep"])
async def test_show_expired_request_is_rejected_for_everybody(
    api: Api, clock: Clock, swept: bool
) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    request = await api.request(ann, mentor)
    path = f"/requests/{request['id']}"
    await clock.stop_at(day_after_tomorrow() - timedelta(microseconds=1))
    assert await api.sweep() == 0
    assert (await ann.ok("GET", path))["status"] == "pending"
    assert (await mentor.ok("GET", "/mentor/dashboard"))["pendingBookings"] == 1
    await clock.stop_at(day_after_tomorrow())
    if swept:
        assert await api.sweep() == 1
    for user in (ann, mentor):
        shown = await user.ok("GET", path)
        assert (shown["status"], shown["rejectionReason"]) == (
            "rejected",
            "Expired without an answer",
        )
        for status, listed in ((None, [shown]), ("pending", []), ("rejected", [shown])):
            response = await user.get("/requests", status=status)
            assert (response.json, response.headers["X-Total-Count"]) == (listed, str(len(listed)))
    assert await ann.ok("GET", f"/requests/my-requests/{mentor.id}") == []
    assert await mentor.ok("GET", "/requests/pending-count") == 0
    assert (await mentor.ok("GET", "/mentor/dashboard"))["pendingBookings"] == 0
    for state, act in WAYS.values():
        told = TAKEN if state == "accepted" else f"Only pending requests can be {state}"
        assert is_error(await act(actor_of(state, mentor, ann), request["id"]), 409, told)
    assert (await ann.ok("GET", path)) == shown


async def test_show_rejected_request_differs_from_expired_one(api: Api, clock: Clock) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    request = await api.request(ann, mentor)
    reason = {"reason": "Expired without an answer"}
    await mentor.ok("POST", f"/requests/{request['id']}/reject", reason)
    await clock.move(days=4)
    await api.sweep()
    told = "Only pending requests can be accepted"
    assert is_error(await mentor.post(f"/requests/{request['id']}/accept"), 409, told)
    changes = await ann.ok("GET", f"/requests/{request['id']}/history")
    assert [change["by"] for change in changes] == ["mentee", "mentor"]


async def test_answer_requests_as_private_mentor_succeeds(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    request = await api.request(ann, mentor)
    await mentor.ok("PATCH", "/mentor/me", {"visibility": "private"})
    accepted = await mentor.ok("POST", f"/requests/{request['id']}/accept")
    assert accepted["booking"]["status"] == "confirmed"
