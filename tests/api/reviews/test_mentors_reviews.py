"""GET /mentors/:id/reviews: the reviews of a mentor, newest first, in {data, meta}."""

from __future__ import annotations

from tests.client import Api, fields_of, instant


async def test_list_reviews_has_exactly_the_fields_of_the_guide(api: Api) -> None:
    mentor = await api.mentor()
    jane = api.user("jane", name="Jane Smith", picture="https://example.com/jane.png")
    session = await api.completed(jane, mentor)
    body = {"rating": 5, "comment": "Excellent mentor! Very helpful."}
    reviewed = await jane.ok("POST", f"/sessions/{session['id']}/review", body)
    response = await api.nobody.get(f"/mentors/{mentor.id}/reviews")
    assert response.json == {
        "data": [
            {
                "id": reviewed["review"]["id"],
                "rating": 5,
                "comment": "Excellent mentor! Very helpful.",
                "mentee": {
                    "id": "jane",
                    "name": "Jane Smith",
                    "avatar": "https://example.com/jane.png",
                },
                "createdAt": reviewed["review"]["createdAt"],
            }
        ],
        "meta": {"total": 1, "page": 1, "limit": 10, "totalPages": 1},
    }
    created = response.json["data"][0]["createdAt"]
    assert created.endswith("Z")
    assert instant(created).utcoffset() is not None


async def test_list_reviews_without_comment_or_name_has_nulls(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane", name=None)
    session = await api.completed(jane, mentor)
    await jane.ok("POST", f"/sessions/{session['id']}/review", {"rating": 1})
    (review,) = (await api.nobody.get(f"/mentors/{mentor.id}/reviews")).json["data"]
    assert review["comment"] is None
    assert review["mentee"] == {"id": "jane", "name": None, "avatar": None}


async def test_list_reviews_of_new_mentor_is_empty(api: Api) -> None:
    mentor = await api.mentor()
    response = await api.nobody.get(f"/mentors/{mentor.id}/reviews")
    assert response.json == {
        "data": [],
        "meta": {"total": 0, "page": 1, "limit": 10, "totalPages": 0},
    }


async def test_list_reviews_shows_newest_name_of_mentee(api: Api) -> None:
    mentor = await api.mentor()
    await api.rate(mentor, 4, by="jane")
    await api.user("jane", name="Jane Doe-Smith").ok("GET", "/sessions")
    (review,) = (await api.nobody.get(f"/mentors/{mentor.id}/reviews")).json["data"]
    assert review["mentee"]["name"] == "Jane Doe-Smith"


async def test_list_reviews_leaves_out_other_mentors(api: Api) -> None:
    mentor, other = await api.mentor("mia"), await api.mentor("max")
    await api.rate(mentor, 1)
    await api.rate(other, 5, 5)
    (review,) = (await api.nobody.get(f"/mentors/{mentor.id}/reviews")).json["data"]
    assert review["rating"] == 1


async def test_list_reviews_has_ten_newest_first(api: Api) -> None:
    mentor = await api.mentor()
    ratings = [1 + number % 5 for number in range(24)]
    await api.rate(mentor, *ratings)
    path = f"/mentors/{mentor.id}/reviews"
    pages = [(await api.nobody.get(path, page=page)).json for page in (1, 2, 3)]
    assert [page["meta"] for page in pages] == [
        {"total": 24, "page": page, "limit": 10, "totalPages": 3} for page in (1, 2, 3)
    ]
    found = [review for page in pages for review in page["data"]]
    assert [len(page["data"]) for page in pages] == [10, 10, 4]
    assert [review["rating"] for review in found] == ratings[::-1]
    times = [review["createdAt"] for review in found]
    assert times == sorted(times, reverse=True)
    assert len({review["id"] for review in found}) == 24


async def test_list_reviews_of_one_instant_keeps_order_across_pages(api: Api) -> None:
    mentor = await api.mentor()
    await api.rate(mentor, 1, 2, 3, 4, 5)
    await api.db.execute("UPDATE reviews SET created_at = '2026-02-01T10:00:00Z'")
    path = f"/mentors/{mentor.id}/reviews"
    whole = (await api.nobody.get(path)).json["data"]
    assert whole[0]["createdAt"] == "2026-02-01T10:00:00Z"
    single = [
        (await api.nobody.get(path, limit=1, page=page)).json["data"][0] for page in range(1, 6)
    ]
    assert single == whole


async def test_list_reviews_beyond_last_page_has_the_total(api: Api) -> None:
    mentor = await api.mentor()
    await api.rate(mentor, 5, 5, 5)
    response = await api.nobody.get(f"/mentors/{mentor.id}/reviews", page=9, limit=2)
    assert response.json == {
        "data": [],
        "meta": {"total": 3, "page": 9, "limit": 2, "totalPages": 2},
    }


async def test_list_reviews_with_limit_out_of_range_is_refused(api: Api) -> None:
    mentor = await api.mentor()
    path = f"/mentors/{mentor.id}/reviews"
    for limit in (1, 50):
        assert (await api.nobody.get(path, limit=limit)).json["meta"]["limit"] == limit
    for limit in (0, 51, 1000, -1, "", "all", "10.0"):
        assert fields_of(await api.nobody.get(path, limit=limit)) == ["limit"], limit
    for page in (0, -1, "", "first"):
        assert fields_of(await api.nobody.get(path, page=page)) == ["page"], page
