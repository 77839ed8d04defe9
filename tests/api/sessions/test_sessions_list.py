"""GET /sessions and GET /sessions/:id."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.client import Api, User, day_after_tomorrow, fields_of, is_error, iso
from tests.clock import Clock

STATES = (
    *("pending", "confirmed", "rescheduled", "in_progress"),
    *("pending_completion", "completed", "disputed", "cancelled"),
)
NOBODY_HAS = ("00000000-0000-7000-8000-000000000000", "session-789", "1", "%00", "a" * 300)


def ids(sessions: list[dict[str, Any]]) -> list[str]:
    return [session["id"] for session in sessions]


def hours_from_now(hours: float) -> datetime:
    return datetime.now(UTC) + timedelta(hours=hours)


async def test_show_session_as_stranger_is_refused(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    session = await api.session(ann, mentor)
    for user in (mentor, ann):
        assert await user.ok("GET", f"/sessions/{session['id']}") == session
        assert await user.ok("GET", f"/sessions/{session['id'].upper()}") == session
        assert await user.ok("GET", "/sessions") == [session]
    for other in (api.user("eve"), await api.mentor("max")):
        response = await other.get(f"/sessions/{session['id']}")
        assert is_error(response, 403, "Only the mentor and the mentee can see this session")
        assert await other.ok("GET", "/sessions") == []


async def test_show_session_by_hand_has_no_request(api: Api) -> None:
    mentor, ann = await api.mentor("mia", profileImageUrl="https://example.com/m.png"), "ann"
    at = day_after_tomorrow()
    session_id = await api.by_hand(api.user(ann), mentor, "pending", at, 15)
    session = await api.user(ann).ok("GET", f"/sessions/{session_id}")
    assert session == {
        "id": session_id,
        "requestId": None,
        "mentorId": mentor.id,
        "menteeId": "ann",
        "topic": "By hand",
        "message": None,
        "startTime": iso(at),
        "endTime": iso(at + timedelta(minutes=15)),
        "duration": 15,
        "location": None,
        "status": "pending",
        "cancellationReason": None,
        "cancelledBy": None,
        "sessionRate": 0,
        "sessionCurrency": "NGN",
        "mentor": {
            "id": mentor.id,
            "userId": "mia",
            "name": "Mia",
            "avatar": "https://example.com/m.png",
        },
        "mentee": {"id": "ann", "name": "Ann", "avatar": None},
        "review": None,
        "createdAt": session["createdAt"],
        "updatedAt": session["updatedAt"],
    }


async def test_show_unknown_session_is_not_found(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    request = await api.request(ann, mentor)
    for session_id in (*NOBODY_HAS, request["id"]):
        assert is_error(await ann.get(f"/sessions/{session_id}"), 404, "Session not found")


async def test_read_sessions_without_token_is_unauthorized(api: Api) -> None:
    for path in ("", "?role=nobody", "/x"):
        response = await api.nobody.get(f"/sessions{path}")
        assert is_error(response, 401, "Missing or invalid token")


async def test_list_sessions_has_latest_first(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    made = {hours: await api.by_hand(ann, mentor, at=hours_from_now(hours)) for hours in (5, -5, 9)}
    made |= {
        hours: await api.by_hand(ann, mentor, "cancelled", hours_from_now(hours))
        for hours in (-9, 7)
    }
    latest = [made[hours] for hours in (9, 7, 5, -5, -9)]
    assert ids(await ann.ok("GET", "/sessions")) == latest
    assert ids(await ann.ok("GET", "/sessions", upcoming="false", past="false")) == latest
    assert ids(await ann.ok("GET", "/sessions", upcoming="true")) == latest[:3][::-1]
    assert ids(await ann.ok("GET", "/sessions", past="true")) == latest[3:]
    assert ids(await ann.ok("GET", "/sessions", upcoming="true", past="true")) == []
    assert ids(await ann.ok("GET", "/sessions", past="true", status="cancelled")) == [made[-9]]
    assert ids(await ann.ok("GET", "/sessions", upcoming="true", status="cancelled")) == [made[7]]


async def test_list_past_sessions_includes_begun_ones(api: Api, clock: Clock) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    session = await api.session(ann, mentor)
    start = day_after_tomorrow()
    for instant, listed in ((start, "upcoming"), (start + timedelta(microseconds=1), "past")):
        await clock.stop_at(instant)
        for side in ("upcoming", "past"):
            found = ids(await ann.ok("GET", "/sessions", **{side: "true"}))
            assert found == ([session["id"]] if side == listed else [])


async def test_list_sessions_by_role_returns_one_side(api: Api) -> None:
    mia, max_, ann = await api.mentor("mia"), await api.mentor("max"), api.user("ann")
    given = await api.session(ann, mia, day_after_tomorrow(9))
    taken = await api.session(mia, max_, day_after_tomorrow(12))
    await api.session(ann, max_, day_after_tomorrow(15))
    assert ids(await mia.ok("GET", "/sessions")) == [taken["id"], given["id"]]
    assert ids(await mia.ok("GET", "/sessions", role="mentor")) == [given["id"]]
    assert ids(await mia.ok("GET", "/sessions", role="mentee")) == [taken["id"]]
    assert ids(await mia.ok("GET", "/sessions", role="mentor", upcoming="true")) == [given["id"]]
    assert await ann.ok("GET", "/sessions", role="mentor") == []


async def test_list_sessions_by_status_returns_those_only(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    made = {
        state: await api.by_hand(ann, mentor, state, day_after_tomorrow(hour * 2))
        for hour, state in enumerate(STATES)
    }
    for user, role in ((mentor, "mentor"), (ann, "mentee"), (ann, None)):
        for state, session_id in made.items():
            assert ids(await user.ok("GET", "/sessions", status=state, role=role)) == [session_id]
    assert await ann.ok("GET", "/sessions", status="completed", role="mentor") == []


async def test_list_sessions_in_pages_has_links_and_total(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    soonest = [
        await api.by_hand(ann, mentor, "confirmed", hours_from_now(2 * n + 1)) for n in range(5)
    ]
    await api.by_hand(ann, mentor, "completed", hours_from_now(-9))
    response = await ann.get("/sessions", upcoming="true", status="confirmed", limit=2)
    assert (ids(response.json), response.headers["X-Total-Count"]) == (soonest[:2], "5")
    assert await rest(ann, response.headers["Link"]) == [soonest[2:4], soonest[4:]]
    response = await mentor.get("/sessions", page=3, limit=2)
    assert (len(response.json), response.headers["X-Total-Count"]) == (2, "6")
    assert "Link" not in response.headers


async def rest(user: User, link: str | None) -> list[list[str]]:
    """Return the ids on each of the following pages."""
    pages = []
    while link is not None:
        url, _, relation = link.partition(">; ")
        assert relation == 'rel="next"'
        response = await user.get(url.removeprefix("</api"))
        pages.append(ids(response.json))
        link = response.headers.get("Link")
    return pages


async def test_list_sessions_at_one_time_keeps_order_across_pages(api: Api) -> None:
    ann, at = api.user("ann"), day_after_tomorrow()
    mentors = [await api.mentor(f"mentor-{n}") for n in range(4)]
    made = [await api.by_hand(ann, mentor, at=at) for mentor in mentors]
    for upcoming, expected in (("true", made), ("false", made[::-1])):
        found = []
        for page in range(1, 5):
            found += ids(await ann.ok("GET", "/sessions", upcoming=upcoming, page=page, limit=1))
        assert found == expected


async def test_list_sessions_with_wrong_parameters_names_them(api: Api) -> None:
    ann = api.user("ann")
    for name, values in {
        "role": ["sent", "received", "", "Mentor"],
        "status": ["accepted", "", "live", "PENDING"],
        "upcoming": ["yes", "1", "", "True"],
        "past": ["no", "0", "", "FALSE"],
        "page": [0, "x"],
        "limit": [0, 1001, "x"],
    }.items():
        for value in values:
            assert fields_of(await ann.get("/sessions", **{name: value})) == [name], value
    response = await ann.get("/sessions", q="x", mentorId="y")
    assert (response.json, response.headers["X-Total-Count"]) == ([], "0")
