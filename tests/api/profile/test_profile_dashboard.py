"""GET /mentor/dashboard: a mentor's figures."""

from __future__ import annotations

from tests.client import Api, Mentor, day_after_tomorrow, is_error
from tests.clock import Clock

NOTHING = {
    "totalMentees": 0,
    "totalEarnings": 0,
    "totalSessions": 0,
    "pendingBookings": 0,
    "upcomingBookings": 0,
    "avgRating": None,
    "totalReviews": 0,
}


async def figures(mentor: Mentor, *names: str) -> list[float]:
    dashboard = await mentor.ok("GET", "/mentor/dashboard")
    return [dashboard[name] for name in names]


async def test_show_dashboard_of_new_mentor_has_zeros(api: Api) -> None:
    mentor = await api.mentor()
    assert await mentor.ok("GET", "/mentor/dashboard") == NOTHING


async def test_show_dashboard_without_profile_is_not_found(api: Api) -> None:
    response = await api.user("jane").get("/mentor/dashboard")
    assert is_error(response, 404, "Mentor profile not found")


async def test_show_dashboard_counts_mentees_once_and_sessions_each(api: Api) -> None:
    mentor = await api.mentor(sessionRate=1000.5)
    jane, joe = api.user("jane"), api.user("joe")
    await api.completed(jane, mentor)
    await api.completed(jane, mentor, day_after_tomorrow(12))
    await api.completed(joe, mentor, day_after_tomorrow(15))
    assert await mentor.ok("GET", "/mentor/dashboard") == NOTHING | {
        "totalMentees": 2,
        "totalEarnings": 3001.5,
        "totalSessions": 3,
    }


async def test_show_dashboard_counts_confirmed_sessions_only(api: Api) -> None:
    mentor, jane = await api.mentor(sessionRate=100), api.user("jane")
    session = await api.session(jane, mentor)
    names = ("totalMentees", "totalEarnings", "totalSessions")
    await api.make_past(session["id"])
    await mentor.ok("POST", f"/sessions/{session['id']}/complete")
    assert await figures(mentor, *names) == [0, 0, 0]
    await jane.ok("POST", f"/sessions/{session['id']}/confirm-completion")
    assert await figures(mentor, *names) == [1, 100, 1]
    again = await jane.post(f"/sessions/{session['id']}/confirm-completion")
    assert again.status == 400
    assert await figures(mentor, *names) == [1, 100, 1]


async def test_show_dashboard_ignores_disputed_and_cancelled_sessions(api: Api) -> None:
    mentor, jane = await api.mentor(sessionRate=100), api.user("jane")
    disputed = await api.session(jane, mentor)
    await api.make_past(disputed["id"])
    await mentor.ok("POST", f"/sessions/{disputed['id']}/complete")
    await jane.ok("POST", f"/sessions/{disputed['id']}/dispute")
    cancelled = await api.session(jane, mentor, day_after_tomorrow(12))
    await jane.ok("POST", f"/sessions/{cancelled['id']}/cancel")
    assert await mentor.ok("GET", "/mentor/dashboard") == NOTHING


async def test_earn_after_rate_changes_counts_the_rate_asked_for(api: Api) -> None:
    mentor, jane = await api.mentor(sessionRate=100), api.user("jane")
    request = await api.request(jane, mentor)
    await mentor.ok("PATCH", "/mentor/me", {"sessionRate": 200})
    accepted = await mentor.ok("POST", f"/requests/{request['id']}/accept")
    await mentor.ok("PATCH", "/mentor/me", {"sessionRate": 300})
    session_id = accepted["booking"]["id"]
    await api.make_past(session_id)
    await mentor.ok("POST", f"/sessions/{session_id}/complete")
    await jane.ok("POST", f"/sessions/{session_id}/confirm-completion")
    assert await figures(mentor, "totalEarnings") == [100]


async def test_show_dashboard_sums_the_current_currency_only(api: Api) -> None:
    mentor, jane = await api.mentor(sessionRate=100, sessionCurrency="NGN"), api.user("jane")
    await api.completed(jane, mentor)
    await mentor.ok("PATCH", "/mentor/me", {"sessionCurrency": "USD", "sessionRate": 7})
    assert await figures(mentor, "totalEarnings", "totalSessions") == [0, 1]
    await api.completed(jane, mentor, day_after_tomorrow(12))
    assert await figures(mentor, "totalEarnings", "totalSessions") == [7, 2]
    await mentor.ok("PATCH", "/mentor/me", {"sessionCurrency": "NGN"})
    assert await figures(mentor, "totalEarnings", "totalSessions") == [100, 2]


async def test_show_dashboard_counts_pending_requests(api: Api) -> None:
    mentor = await api.mentor()
    requests = [await api.request(api.user(sub), mentor) for sub in ("a", "b", "c", "d")]
    assert await figures(mentor, "pendingBookings") == [4]
    await mentor.ok("POST", f"/requests/{requests[0]['id']}/accept")
    await mentor.ok("POST", f"/requests/{requests[1]['id']}/reject")
    await api.user("c").ok("PATCH", f"/requests/{requests[2]['id']}/cancel")
    assert await figures(mentor, "pendingBookings", "upcomingBookings") == [1, 1]


async def test_show_dashboard_counts_upcoming_sessions(api: Api, clock: Clock) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    first = await api.session(jane, mentor, day_after_tomorrow(9))
    second = await api.session(jane, mentor, day_after_tomorrow(12))
    third = await api.session(jane, mentor, day_after_tomorrow(15))
    moved = {
        "newStartTime": day_after_tomorrow(18).isoformat(),
        "newEndTime": day_after_tomorrow(19).isoformat(),
    }
    await mentor.ok("PUT", f"/sessions/{second['id']}/reschedule", moved)
    assert await figures(mentor, "upcomingBookings") == [3]
    await jane.ok("POST", f"/sessions/{third['id']}/cancel")
    assert await figures(mentor, "upcomingBookings") == [2]
    await clock.move_to(day_after_tomorrow(9, 1))
    assert await figures(mentor, "upcomingBookings") == [1]
    await api.sweep()
    assert (await jane.ok("GET", f"/sessions/{first['id']}"))["status"] == "in_progress"
    assert await figures(mentor, "upcomingBookings") == [1]


async def test_show_dashboard_rounds_rating_to_one_decimal(api: Api) -> None:
    mentor = await api.mentor()
    await api.rate(mentor, 5, 4, 4)
    assert await figures(mentor, "avgRating", "totalReviews") == [4.3, 3]


async def test_show_dashboard_ignores_own_sessions_as_mentee(api: Api) -> None:
    mentor, other = await api.mentor("mia", sessionRate=9), await api.mentor("max", sessionRate=5)
    session = await api.completed(mentor, other)
    await mentor.ok("POST", f"/sessions/{session['id']}/review", {"rating": 2})
    await api.request(mentor, other, day_after_tomorrow(20))
    assert await mentor.ok("GET", "/mentor/dashboard") == NOTHING


async def test_show_dashboard_of_private_profile_succeeds(api: Api) -> None:
    mentor = await api.mentor()
    await api.rate(mentor, 5)
    await mentor.ok("PATCH", "/mentor/me", {"visibility": "private"})
    assert await figures(mentor, "totalSessions", "avgRating") == [1, 5]
