"""GET /requests, one request, the active requests, and the number of pending ones."""

from __future__ import annotations

from typing import Any

from tests.client import Api, User, day_after_tomorrow, fields_of, is_error, iso

NOBODY_HAS = ("00000000-0000-7000-8000-000000000000", "mentor-profile-123", "1", "%00")


def ids(requests: list[dict[str, Any]]) -> list[str]:
    return [request["id"] for request in requests]


async def walk(user: User, path: str, **query: Any) -> list[list[str]]:
    """Return the ids on each page; follows the links."""
    response = await user.get(path, **query)
    pages = [ids(response.json)]
    while "Link" in response.headers:
        url, _, relation = response.headers["Link"].partition(">; ")
        assert relation == 'rel="next"'
        response = await user.get(url.removeprefix("</api"))
        pages.append(ids(response.json))
    return pages


# The list -----------------------------------------------------------------------------------------


async def test_list_requests_has_both_sides_newest_first(api: Api) -> None:
    mia, max_, ann = await api.mentor("mia"), await api.mentor("max"), api.user("ann")
    received = await api.request(ann, mia, day_after_tomorrow(15))
    sent = await api.request(mia, max_, day_after_tomorrow(9))
    other = await api.request(api.user("bob"), mia, day_after_tomorrow(12))
    await api.request(ann, max_)
    both = [other["id"], sent["id"], received["id"]]
    assert ids(await mia.ok("GET", "/requests")) == both
    assert ids(await mia.ok("GET", "/requests", role="sent")) == [sent["id"]]
    assert ids(await mia.ok("GET", "/requests", role="received")) == [both[0], both[2]]
    assert await ann.ok("GET", "/requests", role="received") == []
    assert await api.user("eve").ok("GET", "/requests") == []


async def test_list_requests_returns_each_as_shown(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    request = await api.request(ann, mentor, message="Hello")
    for user in (mentor, ann):
        assert await user.ok("GET", "/requests") == [request]


async def test_list_requests_by_status_returns_those_only(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    made: dict[str, list[str]] = {"accepted": [], "rejected": [], "cancelled": [], "pending": []}
    for hour, status in enumerate(("accepted", "rejected", "cancelled", "accepted", "pending")):
        request = await api.request(ann, mentor, day_after_tomorrow(hour * 2))
        if status != "pending":
            actor = ann if status == "cancelled" else mentor
            await actor.ok("PATCH", f"/requests/{request['id']}", {"status": status})
        made[status].insert(0, request["id"])
    for status, expected in made.items():
        assert ids(await ann.ok("GET", "/requests", role="sent", status=status)) == expected
        assert ids(await mentor.ok("GET", "/requests", role="received", status=status)) == expected
        assert ids(await mentor.ok("GET", "/requests", status=status)) == expected
        assert await mentor.ok("GET", "/requests", role="sent", status=status) == []


async def test_list_requests_after_answer_keeps_the_order(api: Api) -> None:
    mentor = await api.mentor()
    made = [(await api.request(api.user(name), mentor))["id"] for name in ("ann", "bob", "cem")]
    await mentor.ok("POST", f"/requests/{made[0]}/reject")
    assert ids(await mentor.ok("GET", "/requests")) == made[::-1]


async def test_list_requests_in_pages_has_links_and_total(api: Api) -> None:
    mentor = await api.mentor()
    made = [(await api.request(api.user(f"ann-{n}"), mentor))["id"] for n in range(5)][::-1]
    response = await mentor.get(
        "/requests", limit=2, role="received", status="pending", other="ä &"
    )
    assert response.headers["X-Total-Count"] == "5"
    link = response.headers["Link"]
    assert link.startswith("</api/requests?")
    assert all(part in link for part in ("role=received", "status=pending", "page=2", "limit=2"))
    pages = await walk(mentor, "/requests", limit=2, role="received", status="pending")
    assert pages == [made[:2], made[2:4], made[4:]]
    assert await walk(mentor, "/requests", limit=5) == [made]
    assert await walk(mentor, "/requests") == [made]
    assert await walk(mentor, "/requests", page=2, limit=4) == [made[4:]]
    beyond = await mentor.get("/requests", page=9, limit=2)
    assert (beyond.json, beyond.headers["X-Total-Count"]) == ([], "5")
    assert "Link" not in beyond.headers


async def test_list_requests_with_wrong_parameters_names_them(api: Api) -> None:
    ann = api.user("ann")
    for name, values in {
        "role": ["mentor", "mentee", "", "Sent"],
        "status": ["confirmed", "", "PENDING"],
        "page": [0, -1, "x", 1.5, ""],
        "limit": [0, 1001, "ten", -5, "1e2"],
    }.items():
        for value in values:
            assert fields_of(await ann.get("/requests", **{name: value})) == [name], value
    assert await ann.ok("GET", "/requests", limit=1000, page=1, q="x", upcoming="maybe") == []


async def test_list_requests_of_new_user_counts_zero(api: Api) -> None:
    response = await api.user("ann").get("/requests")
    assert (response.json, response.headers["X-Total-Count"]) == ([], "0")
    assert "Link" not in response.headers


async def test_head_requests_returns_headers_of_the_list(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    await api.request(ann, mentor)
    response = await ann.request("HEAD", "/requests")
    assert (response.status, response.body, response.headers["X-Total-Count"]) == (200, b"", "1")


async def test_read_requests_without_token_is_unauthorized(api: Api) -> None:
    for path in ("", "?limit=0", "/pending-count", f"/my-requests/{NOBODY_HAS[0]}", "/x"):
        response = await api.nobody.get(f"/requests{path}")
        assert is_error(response, 401, "Missing or invalid token")


# One request --------------------------------------------------------------------------------------


async def test_show_request_as_stranger_is_refused(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    request = await api.request(ann, mentor)
    for user in (mentor, ann):
        assert await user.ok("GET", f"/requests/{request['id']}") == request
        assert await user.ok("GET", f"/requests/{request['id'].upper()}") == request
    for other in (api.user("eve"), await api.mentor("max")):
        response = await other.get(f"/requests/{request['id']}")
        assert is_error(response, 403, "Only the mentor and the mentee can see this request")


# The pending ones of a mentor ---------------------------------------------------------------------


async def test_count_pending_requests_returns_a_plain_number(api: Api) -> None:
    mia, max_ = await api.mentor("mia"), await api.mentor("max")
    ann, bob = api.user("ann"), api.user("bob")
    assert (await ann.get("/requests/pending-count")).body == b"0"
    first = await api.request(ann, mia)
    await api.request(bob, mia)
    await api.request(mia, max_)
    response = await mia.get("/requests/pending-count")
    assert response.body == b"2"
    assert response.headers["Content-Type"].startswith("application/json")
    assert (await max_.get("/requests/pending-count")).body == b"1"
    assert (await ann.get("/requests/pending-count")).body == b"0"
    await mia.ok("POST", f"/requests/{first['id']}/accept")
    assert (await mia.get("/requests/pending-count")).body == b"1"


# The active ones of a mentee ----------------------------------------------------------------------


async def test_list_active_has_pending_ones_and_live_sessions(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    path = f"/requests/my-requests/{mentor.id}"
    expected = {
        "pending": True,
        "confirmed": True,
        "rescheduled": True,
        "in_progress": True,
        "pending_completion": False,
        "completed": False,
        "disputed": False,
        "cancelled": False,
    }
    session = await api.session(ann, mentor)
    for state, active in expected.items():
        await api.db.execute("UPDATE bookings SET status = $2 WHERE id = $1", session["id"], state)
        found = ids(await ann.ok("GET", path))
        assert found == ([session["requestId"]] if active else []), state

    request = await api.request(ann, mentor)
    assert await ann.ok("GET", path) == [request]
    for actor, method, verb in ((mentor, "POST", "reject"), (ann, "PATCH", "cancel")):
        await actor.ok(method, f"/requests/{request['id']}/{verb}")
        assert await ann.ok("GET", path) == []
        request = await api.request(ann, mentor)


async def test_list_active_in_pages_has_soonest_first(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    made = {}
    for hour in (15, 9, 12):
        request = await api.request(ann, mentor, day_after_tomorrow(hour))
        await mentor.ok("POST", f"/requests/{request['id']}/accept")
        made[hour] = request["id"]
    made[10] = (await api.request(ann, mentor, day_after_tomorrow(10)))["id"]
    soonest = [made[hour] for hour in sorted(made)]
    path = f"/requests/my-requests/{mentor.id}"
    response = await ann.get(path)
    assert (ids(response.json), response.headers["X-Total-Count"]) == (soonest, "4")
    assert await walk(ann, path, limit=3) == [soonest[:3], soonest[3:]]
    assert fields_of(await ann.get(path, limit=1001)) == ["limit"]


async def test_list_active_after_reschedule_shows_the_sessions_time(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    path = f"/requests/my-requests/{mentor.id}"
    session = await api.session(ann, mentor, day_after_tomorrow(9))
    pending = await api.request(ann, mentor, day_after_tomorrow(11))
    start, end = day_after_tomorrow(14, 30), day_after_tomorrow(15)
    body = {"newStartTime": start.isoformat(), "newEndTime": end.isoformat()}
    await mentor.ok("PUT", f"/sessions/{session['id']}/reschedule", body)
    first, second = await ann.ok("GET", path)
    assert first == pending
    asked = await ann.ok("GET", f"/requests/{session['requestId']}")
    assert second == asked | {
        "scheduledDate": f"{start:%Y-%m-%d}",
        "scheduledTime": "14:30",
        "duration": 30,
        "startTime": iso(start),
        "endTime": iso(end),
    }
    assert asked["scheduledTime"] == "09:00"


async def test_list_active_of_private_mentor_without_request_is_404(api: Api) -> None:
    mentor, ann, eve = await api.mentor(), api.user("ann"), api.user("eve")
    path = f"/requests/my-requests/{mentor.id}"
    request = await api.request(ann, mentor)
    await mentor.ok("PATCH", "/mentor/me", {"visibility": "private"})
    assert await ann.ok("GET", path) == [request]
    assert is_error(await eve.get(path), 404, "Mentor not found")
    await mentor.ok("POST", f"/requests/{request['id']}/reject")
    assert await ann.ok("GET", path) == []


async def test_list_active_has_own_requests_to_that_mentor(api: Api) -> None:
    mia, max_, ann = await api.mentor("mia"), await api.mentor("max"), api.user("ann")
    request = await api.request(ann, mia)
    await api.request(ann, max_)
    await api.request(api.user("bob"), mia)
    assert ids(await ann.ok("GET", f"/requests/my-requests/{mia.id}")) == [request["id"]]
    assert await mia.ok("GET", f"/requests/my-requests/{mia.id}") == []


async def test_list_active_of_unknown_mentor_is_not_found(api: Api) -> None:
    ann = api.user("ann")
    for mentor_id in NOBODY_HAS:
        response = await ann.get(f"/requests/my-requests/{mentor_id}")
        assert is_error(response, 404, "Mentor not found")
