"""POST /sessions/:id/review: the input, and where the review is shown."""

from __future__ import annotations

from typing import Any

from tests.client import Api, Response, User, day_after_tomorrow, fields_of, is_error


async def review(user: User, session: dict[str, Any], **body: Any) -> Response:
    return await user.post(f"/sessions/{session['id']}/review", body)


async def test_review_session_returns_it_and_shows_everywhere(api: Api) -> None:
    mentor = await api.mentor()
    ann = api.user("ann", name="Ann Lee", picture="https://example.com/ann.png")
    session = await api.completed(ann, mentor)
    response = await review(ann, session, rating=4, comment="Very good!")
    assert response.status == 201
    assert response.headers["Location"] == f"/api/sessions/{session['id']}"
    written = response.json["review"]
    assert response.json == session | {"review": written}
    assert written == {
        "id": written["id"],
        "rating": 4,
        "comment": "Very good!",
        "createdAt": written["createdAt"],
    }
    for user in (mentor, ann):
        assert await user.ok("GET", f"/sessions/{session['id']}") == response.json
        assert await user.ok("GET", "/sessions") == [response.json]

    mentee = {"id": "ann", "name": "Ann Lee", "avatar": "https://example.com/ann.png"}
    public = (await api.nobody.get(f"/mentors/{mentor.id}/reviews")).json
    assert public["data"] == [written | {"mentee": mentee}]
    (received,) = await mentor.ok("GET", "/mentor/reviews", role="mentor")
    assert received.items() >= (written | {"mentee": mentee}).items()
    profile = (await api.nobody.get(f"/mentors/{mentor.id}")).json
    assert (profile["rating"], profile["totalReviews"]) == (4.0, 1)
    dashboard = await mentor.ok("GET", "/mentor/dashboard")
    assert (dashboard["avgRating"], dashboard["totalReviews"]) == (4.0, 1)


async def test_review_session_as_mentor_shows_in_given_reviews(api: Api) -> None:
    mia, max_ = await api.mentor("mia"), await api.mentor("max")
    session = await api.completed(mia, max_)
    await review(mia, session, rating=3)
    (given,) = await mia.ok("GET", "/mentor/reviews", role="mentee")
    assert (given["rating"], given["mentee"]["id"]) == (3, "mia")
    assert await mia.ok("GET", "/mentor/reviews", role="mentor") == []


async def test_review_session_with_any_comment_counts_characters(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    for body in ({}, {"comment": ""}, {"comment": "💡" * 1000}):
        session = await api.completed(ann, mentor)
        written = (await review(ann, session, rating=5, **body)).json["review"]
        assert written["comment"] == body.get("comment")


async def test_review_session_with_rating_out_of_range_is_refused(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    session = await api.completed(ann, mentor)
    for rating in (0, 6, -1, 4.5, "5", True, None, [5], 10**17):
        assert fields_of(await review(ann, session, rating=rating)) == ["rating"], rating
    assert fields_of(await review(ann, session)) == ["rating"]
    assert fields_of(await review(ann, session, rating=5, stars=5)) == ["stars"]
    for comment in ("x" * 1001, 5, ["x"]):
        assert fields_of(await review(ann, session, rating=5, comment=comment)) == ["comment"]
    assert (await ann.ok("GET", f"/sessions/{session['id']}"))["review"] is None
    response = await ann.post(f"/sessions/{session['id']}/review", body=b'{"rating": 5.0}')
    assert response.json["review"]["rating"] == 5


async def test_review_session_without_body_is_refused(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    session = await api.completed(ann, mentor)
    for body in (b"", b"null", b"[]", b"5"):
        response = await ann.post(f"/sessions/{session['id']}/review", body=body)
        assert response.status == 400, body


async def test_review_session_twice_is_refused(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    session = await api.completed(ann, mentor)
    first = (await review(ann, session, rating=5)).json
    response = await review(ann, session, rating=1, comment="On second thoughts")
    assert is_error(response, 409, "You have already reviewed this session")
    assert await ann.ok("GET", f"/sessions/{session['id']}") == first
    profile = (await api.nobody.get(f"/mentors/{mentor.id}")).json
    assert (profile["rating"], profile["totalReviews"]) == (5.0, 1)


async def test_review_session_before_completion_is_refused(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    session = await api.session(ann, mentor)
    refused = (400, "Can only review completed sessions")
    assert is_error(await review(ann, session, rating=5), *refused)
    await api.make_past(session["id"])
    assert is_error(await review(ann, session, rating=5), *refused)
    await mentor.ok("POST", f"/sessions/{session['id']}/complete")
    assert is_error(await review(ann, session, rating=5), *refused)
    await ann.ok("POST", f"/sessions/{session['id']}/confirm-completion")
    assert (await review(ann, session, rating=5)).status == 201


async def test_review_session_as_other_party_is_forbidden(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    session = await api.completed(ann, mentor)
    for _ in range(2):
        for other in (mentor, api.user("eve"), await api.mentor("max")):
            response = await review(other, session, rating=1)
            assert is_error(response, 403, "Only the mentee can review this session")
        await review(ann, session, rating=5)


async def test_review_sessions_averages_to_one_decimal(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    averages = []
    for hour, rating in enumerate((5, 4, 4, 1)):
        session = await api.by_hand(ann, mentor, "completed", day_after_tomorrow(hour))
        await review(ann, {"id": session}, rating=rating)
        averages.append((await api.nobody.get(f"/mentors/{mentor.id}")).json["rating"])
    assert averages == [5.0, 4.5, 4.3, 3.5]


async def test_review_each_session_with_one_mentor_succeeds(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    sessions = [await api.completed(ann, mentor) for _ in range(2)]
    for session in sessions:
        assert (await review(ann, session, rating=5)).status == 201
    listed = (await api.nobody.get(f"/mentors/{mentor.id}/reviews")).json
    assert listed["meta"]["total"] == 2
