"""GET /mentors/:id: one mentor, as everybody sees them."""

from __future__ import annotations

import uuid

from tests.client import Api, is_error


async def test_show_mentor_has_exactly_the_fields_of_the_guide(api: Api) -> None:
    mentor = await api.mentor(
        "john",
        sessionDuration=90,
        bufferTime=15,
        timezone="WAT",
        defaultMeetingLink="https://meet.google.com/abc-def-ghi",
        fullName="John Doe",
        profileImageUrl="https://example.com/john.png",
        headline="Senior Software Engineer",
        bio="10+ years in software development…",
        expertise=["Mentoring", "Career guidance"],
        languages=["en", "yo"],
        location="Lagos, Nigeria",
        links={"linkedin": "https://linkedin.com/in/johndoe"},
        sessionRate=5000,
        sessionCurrency="USD",
    )
    await api.rate(mentor, 5, 5, 4)
    response = await api.nobody.get(f"/mentors/{mentor.id}")
    assert response.json == {
        "id": mentor.id,
        "userId": "john",
        "fullName": "John Doe",
        "profileImageUrl": "https://example.com/john.png",
        "headline": "Senior Software Engineer",
        "bio": "10+ years in software development…",
        "expertise": ["Mentoring", "Career guidance"],
        "languages": ["en", "yo"],
        "location": "Lagos, Nigeria",
        "sessionDuration": 90,
        "bufferTime": 15,
        "timezone": "WAT",
        "defaultMeetingLink": "https://meet.google.com/abc-def-ghi",
        "sessionRate": 5000,
        "sessionCurrency": "USD",
        "rating": 4.7,
        "totalReviews": 3,
        "totalSessions": 3,
    }


async def test_show_new_mentor_has_the_defaults(api: Api) -> None:
    profile = await api.user("mia", name=None).ok("PATCH", "/mentor/me", {})
    response = await api.nobody.get(f"/mentors/{profile['id']}")
    assert response.json == {
        "id": profile["id"],
        "userId": "mia",
        "fullName": None,
        "profileImageUrl": None,
        "headline": None,
        "bio": None,
        "expertise": [],
        "languages": [],
        "location": None,
        "sessionDuration": 60,
        "bufferTime": 0,
        "timezone": "UTC",
        "defaultMeetingLink": None,
        "sessionRate": 0,
        "sessionCurrency": "NGN",
        "rating": None,
        "totalReviews": 0,
        "totalSessions": 0,
    }


async def test_show_mentor_by_id_in_capitals_succeeds(api: Api) -> None:
    mentor = await api.mentor()
    assert uuid.UUID(mentor.id).version == 7
    response = await api.nobody.get(f"/mentors/{mentor.id.upper()}")
    assert (response.status, response.json["id"]) == (200, mentor.id)


async def test_show_mentor_with_rate_in_cents_shows_it_exactly(api: Api) -> None:
    mentor = await api.mentor()
    for rate in (0, 0.01, 19.99, 49.5, 1234567.89):
        assert (await mentor.ok("PATCH", "/mentor/me", {"sessionRate": rate}))[
            "sessionRate"
        ] == rate
        assert (await api.nobody.get(f"/mentors/{mentor.id}")).json["sessionRate"] == rate


async def test_show_mentor_by_user_id_is_not_found(api: Api) -> None:
    sub = str(uuid.uuid4())
    await api.mentor(sub)
    assert is_error(await api.nobody.get(f"/mentors/{sub}"), 404, "Mentor not found")


async def test_show_mentor_by_unknown_id_is_not_found(api: Api) -> None:
    mentor = await api.mentor()
    ids = [
        str(uuid.uuid4()),
        "mentor-profile-123",
        "0",
        "null",
        mentor.id[:-1],
        mentor.id + "0",
        mentor.id.replace("-", ""),
        "{" + mentor.id + "}",
        "urn:uuid:" + mentor.id,
        mentor.id + "%20",
        mentor.id + "%0A",
        mentor.id + "%00",
        mentor.id + "%2Freviews",
        "%00",
        "%FF",
        "%C3%28",
        "%ED%A0%80",
        "..%2F..%2Fetc%2Fpasswd",
        "'%20OR%201=1--",
        "%F0%9F%9A%80",
        "x" * 4000,
    ]
    for path in ("", "/reviews", "/availability"):
        for mentor_id in ids:
            response = await api.nobody.get(f"/mentors/{mentor_id}{path}")
            assert is_error(response, 404, "Mentor not found"), mentor_id


async def test_show_private_mentor_is_not_found_anywhere(api: Api) -> None:
    mentor = await api.mentor(visibility="private")
    await api.rate(mentor, 5)
    for client in (api.nobody, mentor, api.user("jane")):
        for path in ("", "/reviews", "/availability"):
            response = await client.get(f"/mentors/{mentor.id}{path}")
            assert is_error(response, 404, "Mentor not found")


async def test_show_private_mentor_equals_unknown_mentor(api: Api) -> None:
    mentor = await api.mentor(visibility="private")
    responses = [
        await api.nobody.get(f"/mentors/{mentor_id}") for mentor_id in (mentor.id, uuid.uuid4())
    ]
    assert responses[0].body == responses[1].body


async def test_show_slots_with_bad_dates_precedes_missing_mentor(api: Api) -> None:
    response = await api.nobody.get(f"/mentors/{uuid.uuid4()}/availability", startDate="tomorrow")
    assert response.status == 400
    response = await api.nobody.get(f"/mentors/{uuid.uuid4()}/reviews", limit=51)
    assert response.status == 400
