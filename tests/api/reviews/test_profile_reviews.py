"""GET /mentor/reviews: reviews received as a mentor, or given as a mentee."""

from __future__ import annotations

from tests.client import Api, fields_of, is_error


async def test_list_own_reviews_is_equal_for_mentor_and_mentee(api: Api) -> None:
    mentor = await api.mentor("mia", fullName="Mia M.", profileImageUrl="https://example.com/m.png")
    jane = await api.mentor("jane", fullName="Jane the Mentor")
    session = await api.completed(jane, mentor)
    body = {"rating": 4, "comment": "Good."}
    reviewed = await jane.ok("POST", f"/sessions/{session['id']}/review", body)
    expected = [
        {
            "id": reviewed["review"]["id"],
            "sessionId": session["id"],
            "rating": 4,
            "comment": "Good.",
            "mentor": {
                "id": mentor.id,
                "userId": "mia",
                "name": "Mia M.",
                "avatar": "https://example.com/m.png",
            },
            "mentee": {"id": "jane", "name": "Jane", "avatar": None},
            "createdAt": reviewed["review"]["createdAt"],
        }
    ]
    assert await mentor.ok("GET", "/mentor/reviews", role="mentor") == expected
    assert await jane.ok("GET", "/mentor/reviews", role="mentee") == expected
    assert await mentor.ok("GET", "/mentor/reviews", role="mentee") == []
    assert await jane.ok("GET", "/mentor/reviews", role="mentor") == []


async def test_list_own_reviews_as_private_mentor_succeeds(api: Api) -> None:
    mentor = await api.mentor()
    await api.rate(mentor, 5, 3)
    await mentor.ok("PATCH", "/mentor/me", {"visibility": "private"})
    received = await mentor.ok("GET", "/mentor/reviews", role="mentor")
    assert [review["rating"] for review in received] == [3, 5]


async def test_list_own_reviews_with_wrong_role_is_refused(api: Api) -> None:
    mentor = await api.mentor()
    assert fields_of(await mentor.get("/mentor/reviews")) == ["role"]
    for role in ("", "Mentor", "both", "sent", "mentor "):
        assert fields_of(await mentor.get("/mentor/reviews", role=role)) == ["role"], role


async def test_list_own_reviews_without_profile_has_given_ones_only(api: Api) -> None:
    jane, mentor = api.user("jane"), await api.mentor()
    assert await jane.ok("GET", "/mentor/reviews", role="mentee") == []
    session = await api.completed(jane, mentor)
    await jane.ok("POST", f"/sessions/{session['id']}/review", {"rating": 5})
    (given,) = await jane.ok("GET", "/mentor/reviews", role="mentee")
    assert (given["sessionId"], given["rating"]) == (session["id"], 5)
    response = await jane.get("/mentor/reviews", role="mentor")
    assert is_error(response, 404, "Mentor profile not found")


async def test_list_own_reviews_without_role_precedes_missing_profile(api: Api) -> None:
    assert fields_of(await api.user("jane").get("/mentor/reviews")) == ["role"]


async def test_list_own_reviews_in_pages_has_newest_first(api: Api) -> None:
    mentor = await api.mentor()
    await api.rate(mentor, 1, 2, 3, 4, 5)
    first = await mentor.get("/mentor/reviews", role="mentor", limit=2)
    assert [review["rating"] for review in first.json] == [5, 4]
    assert first.headers["X-Total-Count"] == "5"
    assert first.headers["Link"] == ('</api/mentor/reviews?role=mentor&page=2&limit=2>; rel="next"')
    last = await mentor.get("/mentor/reviews", role="mentor", limit=2, page=3)
    assert [review["rating"] for review in last.json] == [1]
    assert "Link" not in last.headers
    everything = await mentor.get("/mentor/reviews", role="mentor")
    assert len(everything.json) == 5
    assert fields_of(await mentor.get("/mentor/reviews", role="mentor", limit=1001)) == ["limit"]
