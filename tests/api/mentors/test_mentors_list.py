"""GET /mentors: the mentors that are listed, their order, and pages."""

from __future__ import annotations

from typing import Any

import pytest

from mentorapi.cache import responses
from tests.client import Api, day_after_tomorrow, fields_of

CARD = {
    "id",
    "userId",
    "fullName",
    "profileImageUrl",
    "headline",
    "bio",
    "expertise",
    "location",
    "sessionDuration",
    "timezone",
    "sessionRate",
    "sessionCurrency",
    "rating",
    "totalReviews",
    "totalSessions",
}


async def listed(api: Api, **query: Any) -> list[dict[str, Any]]:
    response = await api.nobody.get("/mentors", **query)
    assert response.status == 200
    return response.json


async def test_list_mentors_of_empty_database_is_empty(api: Api) -> None:
    response = await api.nobody.get("/mentors")
    assert (response.status, response.json) == (200, [])
    assert response.headers["X-Total-Count"] == "0"
    assert "Link" not in response.headers
    assert response.headers["Content-Type"] == "application/json; charset=UTF-8"


async def test_list_mentors_has_exactly_the_fields_of_a_card(api: Api) -> None:
    mentor = await api.mentor(
        "john",
        sessionDuration=90,
        timezone="WAT",
        sessionRate=5000,
        sessionCurrency="USD",
        fullName="John Doe",
        headline="Senior Software Engineer",
        bio="10+ years in software development…",
        expertise=["Mentoring", "Career guidance", "Mock interviews"],
        profileImageUrl="https://example.com/john.png",
        location="Lagos, Nigeria",
        links={"linkedin": "https://linkedin.com/in/johndoe"},
    )
    await api.rate(mentor, 5, 4)
    assert await listed(api) == [
        {
            "id": mentor.id,
            "userId": "john",
            "fullName": "John Doe",
            "profileImageUrl": "https://example.com/john.png",
            "headline": "Senior Software Engineer",
            "bio": "10+ years in software development…",
            "expertise": ["Mentoring", "Career guidance", "Mock interviews"],
            "location": "Lagos, Nigeria",
            "sessionDuration": 90,
            "timezone": "WAT",
            "sessionRate": 5000,
            "sessionCurrency": "USD",
            "rating": 4.5,
            "totalReviews": 2,
            "totalSessions": 2,
        }
    ]


async def test_list_mentors_shows_new_profile_with_nulls_and_zeros(api: Api) -> None:
    user = api.user("mia", name=None)
    profile = await user.ok("PATCH", "/mentor/me", {})
    (card,) = await listed(api)
    assert card.keys() == CARD
    assert card == {
        "id": profile["id"],
        "userId": "mia",
        "fullName": None,
        "profileImageUrl": None,
        "headline": None,
        "bio": None,
        "expertise": [],
        "location": None,
        "sessionDuration": 60,
        "timezone": "UTC",
        "sessionRate": 0,
        "sessionCurrency": "NGN",
        "rating": None,
        "totalReviews": 0,
        "totalSessions": 0,
    }


async def test_list_mentors_without_or_with_bad_token_succeeds(api: Api) -> None:
    await api.mentor()
    response = await api.nobody.get("/mentors", headers={"Authorization": "Bearer nonsense"})
    assert (response.status, len(response.json)) == (200, 1)


async def test_list_mentors_shows_rating_with_one_decimal(api: Api) -> None:
    averages = {(5,): 5.0, (5, 4, 4): 4.3, (5, 5, 4): 4.7, (4, 4, 4, 5): 4.3, (1, 2): 1.5}
    for number, ratings in enumerate(averages):
        await api.rate(await api.mentor(f"mentor{number}"), *ratings)
    found = {mentor["userId"]: mentor["rating"] for mentor in await listed(api)}
    assert found == {f"mentor{n}": rating for n, rating in enumerate(averages.values())}


async def test_list_mentors_orders_best_rated_first_unrated_last(api: Api) -> None:
    for sub, ratings in {"none": [], "three": [3], "five": [5], "four": [4, 4]}.items():
        await api.rate(await api.mentor(sub), *ratings)
    assert [mentor["userId"] for mentor in await listed(api)] == ["five", "four", "three", "none"]


async def test_list_mentors_orders_equal_ones_by_reviews_sessions_id(api: Api) -> None:
    mentors = {sub: await api.mentor(sub) for sub in ("b", "a", "reviews", "sessions")}
    await api.rate(mentors["reviews"], 4, 4)
    for sub in ("b", "a", "sessions"):
        await api.rate(mentors[sub], 4)
    await api.completed(api.user("jane"), mentors["sessions"])
    found = [mentor["userId"] for mentor in await listed(api)]
    by_id = sorted(("a", "b"), key=lambda sub: mentors[sub].id)
    assert found == ["reviews", "sessions", *by_id]


async def test_list_mentors_orders_unrated_ones_by_sessions(api: Api) -> None:
    await api.mentor("idle")
    busy = await api.mentor("busy")
    await api.completed(api.user("jane"), busy)
    assert [mentor["userId"] for mentor in await listed(api)] == ["busy", "idle"]


async def test_list_mentors_orders_by_rounded_rating(api: Api) -> None:
    """4.67 and 4.714 are both 4.7: the one with more reviews comes first."""
    few, many = await api.mentor("few"), await api.mentor("many")
    await api.rate(few, 5, 5, 5, 5, 5, 4, 4)
    await api.rate(many, 5, 5, 4, 5, 5, 4, 5, 5, 4)
    found = [(mentor["userId"], mentor["rating"]) for mentor in await listed(api)]
    assert found == [("many", 4.7), ("few", 4.7)]


async def test_list_mentors_leaves_out_private_ones(api: Api) -> None:
    shy = await api.mentor("shy", visibility="private")
    await api.mentor("open")
    assert [mentor["userId"] for mentor in await listed(api)] == ["open"]
    response = await api.nobody.get("/mentors")
    assert response.headers["X-Total-Count"] == "1"

    await shy.ok("PATCH", "/mentor/me", {"visibility": "public"})
    assert {mentor["userId"] for mentor in await listed(api)} == {"open", "shy"}


async def test_list_mentors_counts_confirmed_sessions(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    session = await api.session(jane, mentor)
    await api.make_past(session["id"])
    await mentor.ok("POST", f"/sessions/{session['id']}/complete")
    assert (await listed(api))[0]["totalSessions"] == 0
    await jane.ok("POST", f"/sessions/{session['id']}/confirm-completion")
    assert (await listed(api))[0]["totalSessions"] == 1
    disputed = await api.session(jane, mentor, day_after_tomorrow(12))
    await api.make_past(disputed["id"])
    await mentor.ok("POST", f"/sessions/{disputed['id']}/complete")
    await jane.ok("POST", f"/sessions/{disputed['id']}/dispute")
    assert (await listed(api))[0]["totalSessions"] == 1


async def test_list_mentors_in_pages_has_each_once(api: Api) -> None:
    mentors = [await api.mentor(f"mentor{number}") for number in range(7)]
    await api.rate(mentors[3], 5)
    whole = [mentor["id"] for mentor in await listed(api)]
    assert len(whole) == 7

    path, pages, totals = "/mentors?limit=3", [], set()
    while path:
        response = await api.nobody.get(path)
        pages.append([mentor["id"] for mentor in response.json])
        totals.add(response.headers["X-Total-Count"])
        link = response.headers.get("Link")
        path = link and link.removeprefix("</api").removesuffix('>; rel="next"')
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [one for page in pages for one in page] == whole
    assert totals == {"7"}


async def test_list_mentors_beyond_last_page_is_empty(api: Api) -> None:
    await api.mentor()
    for page in (2, 1_000_000):
        response = await api.nobody.get("/mentors", page=page, limit=1)
        assert (response.status, response.json) == (200, [])
        assert response.headers["X-Total-Count"] == "1"
        assert "Link" not in response.headers


async def test_list_mentors_at_full_last_page_has_no_next_link(api: Api) -> None:
    await api.mentor("one")
    await api.mentor("two")
    assert "Link" not in (await api.nobody.get("/mentors", limit=2)).headers
    assert "Link" not in (await api.nobody.get("/mentors", limit=1, page=2)).headers
    assert "Link" in (await api.nobody.get("/mentors", limit=1)).headers


async def test_list_mentors_with_limit_out_of_range_is_refused(api: Api) -> None:
    for limit in (1, 1000):
        assert (await api.nobody.get("/mentors", limit=limit)).status == 200
    for limit in (0, 1001, -1, "", "ten", "1.5", "1e2", "٣", "+5", " 5", "5\n", "9" * 30):
        assert fields_of(await api.nobody.get("/mentors", limit=limit)) == ["limit"], limit


async def test_list_mentors_with_page_below_1_is_refused(api: Api) -> None:
    await api.mentor()
    assert len(await listed(api, page=1)) == 1
    for page in (0, -1, "", "one", "1.0", "٣", "0x1", "1_0", "9" * 30):
        assert fields_of(await api.nobody.get("/mentors", page=page)) == ["page"], page


async def test_list_mentors_with_wrong_page_and_limit_names_both(api: Api) -> None:
    response = await api.nobody.get("/mentors", page=0, limit=0)
    assert sorted(fields_of(response)) == ["limit", "page"]


@pytest.fixture
def small_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses, "MAX_BYTES", 30_000)


@pytest.mark.usefixtures("small_memory")
@pytest.mark.own_server
async def test_read_long_urls_counts_their_length_as_memory(api: Api) -> None:
    paths = [f"/mentors?x={number}{'x' * 5000}" for number in range(10)]
    for path in paths:
        assert (await api.nobody.get(path)).status == 200
    before = api.services.cache.hits
    await api.nobody.get(paths[-1])
    assert api.services.cache.hits == before + 1
    await api.nobody.get(paths[0])
    assert api.services.cache.hits == before + 1
