"""``run.py demo``: people, requests and sessions in every state, within all rules."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from tornado.ioloop import IOLoop

from mentorapi.config import Settings
from mentorapi.demo import fill
from mentorapi.demo.story import MENTEE, MENTOR, Story
from mentorapi.errors import StartupError
from mentorapi.schemas import availability as availability_spec
from mentorapi.schemas import examples
from mentorapi.schemas import profile as profile_spec
from mentorapi.schemas import reviews as review_spec
from mentorapi.schemas.requests import CREATE
from mentorapi.schemas.requests import STATUS as REQUEST_STATUS
from mentorapi.schemas.sessions import CANCEL
from mentorapi.schemas.sessions import STATUS as SESSION_STATUS
from tests.client import SECRET, Api, Client

REQUEST_STATES = set(REQUEST_STATUS["enum"])
SESSION_STATES = set(SESSION_STATUS["enum"])


@pytest.fixture
def printed(api: Api, settings: Settings, io_loop: IOLoop) -> str:
    return io_loop.run_sync(lambda: fill.fill(api.services.db, settings))


@pytest.fixture
def mentor(api: Api, printed: str) -> Client:
    return Client(api.base, token_in(printed, "MENTOR"))


@pytest.fixture
def mentee(api: Api, printed: str) -> Client:
    return Client(api.base, token_in(printed, "MENTEE"))


def token_in(printed: str, name: str) -> str:
    found = re.search(rf"^{name}=(\S+)$", printed, re.MULTILINE)
    assert found
    return found[1]


async def test_send_printed_lines_as_they_are_succeeds(api: Api, printed: str) -> None:
    lines = [line for line in printed.splitlines() if line.startswith("curl ")]
    assert len(lines) == 3
    for line in lines:
        path = re.search(r"http://127\.0\.0\.1:8000/api([^\s']+)", line)
        name = re.search(r"Bearer \$(\w+)", line)
        assert path
        client = Client(api.base, token_in(printed, name[1]) if name else None)
        response = await client.request("POST" if "-X POST" in line else "GET", path[1])
        assert response.status == 200
        assert response.json


async def test_fill_empty_database_has_requests_and_sessions_in_every_state(
    api: Api, printed: str
) -> None:
    for table, states in ("requests", REQUEST_STATES), ("bookings", SESSION_STATES):
        rows = await api.db.fetch(f"SELECT DISTINCT status FROM {table}")
        assert {row["status"] for row in rows} == states


async def test_list_as_demo_mentor_finds_something_everywhere(mentor: Client) -> None:
    for role in ("mentor", "mentee"):
        assert (await mentor.get("/mentor/reviews", role=role)).json
        assert (await mentor.get("/sessions", role=role, upcoming="true")).json
        assert (await mentor.get("/sessions", role=role, past="true")).json
    for status in SESSION_STATES:
        assert (await mentor.get("/sessions", role="mentor", status=status)).json
    for status in REQUEST_STATES:
        assert (await mentor.get("/requests", role="received", status=status)).json
        assert (await mentor.get("/requests", role="sent", status=status)).json
    assert (await mentor.get("/requests/pending-count")).json >= 3
    assert (await mentor.get("/mentor/me")).json["profileCompleteness"] == 100
    assert all((await mentor.get("/mentor/dashboard")).json.values())


async def test_list_as_demo_mentee_finds_something_everywhere(api: Api, mentee: Client) -> None:
    for status in SESSION_STATES:
        assert (await mentee.get("/sessions", role="mentee", status=status)).json
    for status in REQUEST_STATES:
        assert (await mentee.get("/requests", role="sent", status=status)).json
    assert (await mentee.get("/mentor/reviews", role="mentee")).json
    mentor_id = await api.db.fetchval("SELECT id FROM mentors WHERE user_id = $1", MENTOR)
    active = (await mentee.get(f"/requests/my-requests/{mentor_id}")).json
    assert {request["status"] for request in active} == {"pending", "accepted"}
    profile = (await mentee.get("/mentor/me")).json
    assert 0 < profile["profileCompleteness"] < 50


async def test_review_as_demo_mentee_succeeds(mentee: Client) -> None:
    completed = (await mentee.get("/sessions", status="completed")).json
    session = next(one for one in completed if one["review"] is None)
    response = await mentee.post(f"/sessions/{session['id']}/review", {"rating": 5})
    assert response.status == 201


async def test_get_public_pages_of_every_mentor_succeeds(api: Api, printed: str) -> None:
    # The client validates every response against its schema.
    mentors = (await api.nobody.get("/mentors")).json
    private = await api.db.fetchval("SELECT count(*) FROM mentors WHERE visibility = 'private'")
    assert (len(mentors), private) == (11, 2)
    slots = 0
    for mentor in mentors:
        path = f"/mentors/{mentor['id']}"
        assert (await api.nobody.get(path)).json["fullName"]
        reviews = (await api.nobody.get(f"{path}/reviews", limit=50)).json
        assert reviews["meta"]["total"] == mentor["totalReviews"]
        slots += len((await api.nobody.get(f"{path}/availability")).json["slots"])
    assert slots > 200


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("desing", "Zoë Vandenberghe"),
        ("lukasz", "Łukasz Wiśniewski"),
        ("100%", "Łukasz Wiśniewski"),
    ],
)
async def test_search_misspelled_or_unusual_words_finds_the_mentor(
    api: Api, printed: str, words: str, name: str
) -> None:
    found = (await api.nobody.get("/mentors/search", q=words)).json
    assert name in [mentor["fullName"] for mentor in found[:3]]


async def test_fill_empty_database_has_pending_requests_for_free_times_only(
    api: Api, printed: str
) -> None:
    waiting = await api.db.fetch(
        """
        SELECT
            start_time > now() AND tstzrange(start_time, end_time)
            <@ mentor_free_time(mentor_id, start_time::date, end_time::date) AS is_free
        FROM requests
        WHERE status = 'pending'
        """
    )
    assert len(waiting) > 20
    assert all(row["is_free"] for row in waiting)


async def test_fill_empty_database_has_a_calendar_with_everything(
    api: Api, mentor: Client, printed: str
) -> None:
    assert len((await mentor.get("/mentor/overrides")).json) == 2
    (time_off,) = (await mentor.get("/mentor/time-off")).json
    assert time_off["id"] == examples.TIME_OFF_ID
    zoe = api.user("zoe-vandenberghe")
    shown = await zoe.ok("GET", "/mentor/availability")
    assert shown["availabilityTimezone"] == "Europe/Brussels"
    assert (await zoe.ok("GET", "/mentor/policy"))["maxSessionsPerDay"] == 3


async def test_fill_empty_database_has_events_in_order(api: Api, printed: str) -> None:
    out_of_order = """
        SELECT 1 FROM requests WHERE created_at > updated_at OR updated_at > now()
        UNION ALL
        SELECT 1 FROM requests WHERE created_at >= start_time
        UNION ALL
        SELECT 1 FROM bookings WHERE created_at > updated_at OR updated_at > now()
        UNION ALL
        SELECT 1 FROM bookings AS b JOIN requests AS r ON r.id = b.request_id
        WHERE b.created_at < r.created_at
        UNION ALL
        SELECT 1 FROM bookings AS b JOIN requests AS r ON r.id = b.request_id
        WHERE (b.id, b.mentor_id, b.mentee_id) <> (r.booking_id, r.mentor_id, r.mentee_id)
        UNION ALL
        SELECT 1 FROM bookings
        WHERE status IN ('completed', 'disputed', 'pending_completion') AND end_time > now()
        UNION ALL
        SELECT 1 FROM bookings
        WHERE status IN ('pending', 'confirmed', 'rescheduled') AND start_time <= now()
        UNION ALL
        SELECT 1 FROM bookings
        WHERE status = 'in_progress' AND NOT tstzrange(start_time, end_time) @> now()
        UNION ALL
        SELECT 1 FROM reviews AS v JOIN bookings AS b ON b.id = v.booking_id
        WHERE v.created_at < b.end_time OR v.created_at > now() OR b.status <> 'completed'
    """
    assert await api.db.fetch(out_of_order) == []
    assert await api.sweep() == 0


async def test_fill_empty_database_has_histories_that_end_in_the_state(
    api: Api, printed: str
) -> None:
    for table in "requests", "bookings":
        wrong = f"""
            SELECT DISTINCT t.status FROM {table} AS t
            LEFT JOIN (
                SELECT
                    object_id AS id, created_at, status, old_status,
                    lag(status) OVER story AS before,
                    lead(status) OVER story AS after
                FROM events
                WHERE is_history
                WINDOW story AS (PARTITION BY object_id ORDER BY id)
            ) AS c ON c.id = t.id
            WHERE
                c.id IS NULL
                OR c.old_status IS DISTINCT FROM c.before
                OR c.created_at NOT BETWEEN t.created_at AND t.updated_at
                OR (c.after IS NULL AND c.status <> t.status)
        """
        assert await api.db.fetch(wrong) == []


async def test_get_history_of_disputed_session_names_each_step(mentor: Client) -> None:
    session = (await mentor.get("/sessions", role="mentor", status="disputed")).json[0]
    changes = (await mentor.get(f"/sessions/{session['id']}/history")).json
    assert [(change["to"], change["by"]) for change in changes] == [
        ("confirmed", "mentor"),
        ("in_progress", "system"),
        ("pending_completion", "system"),
        ("disputed", "mentee"),
    ]


async def test_fill_empty_database_has_correct_statistics(api: Api, printed: str) -> None:
    wrong = await api.db.fetch(
        """
        SELECT m.full_name
        FROM mentors AS m
        CROSS JOIN LATERAL (
            SELECT count(*) AS sessions FROM bookings AS b
            WHERE b.mentor_id = m.id AND b.status = 'completed'
        ) AS held
        CROSS JOIN LATERAL (
            SELECT count(*) AS reviews, coalesce(sum(v.rating), 0) AS stars FROM reviews AS v
            WHERE v.mentor_id = m.id
        ) AS heard
        WHERE (m.total_sessions, m.review_count, m.rating_sum)
            <> (held.sessions, heard.reviews, heard.stars)
        """
    )
    assert wrong == []


async def test_fill_filled_database_is_refused_and_changes_nothing(
    api: Api, printed: str, settings: Settings
) -> None:
    with pytest.raises(StartupError, match="has data in it"):
        await fill.fill(api.services.db, settings)
    assert await api.db.fetchval("SELECT count(*) FROM mentors") == 13


async def test_fill_database_with_one_user_is_refused(api: Api, settings: Settings) -> None:
    await api.user("ada").ok("GET", "/mentor/me")
    with pytest.raises(StartupError, match="has data in it"):
        await fill.fill(api.services.db, settings)
    assert await api.db.fetchval("SELECT count(*) FROM users") == 1


async def test_fill_without_secret_asks_for_tokens_of_the_issuer(api: Api) -> None:
    printed = await fill.fill(api.services.db, Settings(jwks_url="https://example.com/keys"))
    assert f"Let your issuer make tokens for {MENTOR} and {MENTEE}" in printed


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"host": "0.0.0.0", "port": 80}, "http://127.0.0.1:80"),
        ({"host": "::1"}, "http://[::1]:8000"),
        ({"host": "unix:/run/mentorapi.sock"}, "http://localhost"),
        ({"public_url": "https://api.example.com"}, "https://api.example.com"),
    ],
)
async def test_fill_with_address_settings_prints_the_server_url(
    api: Api, given: dict[str, Any], url: str
) -> None:
    printed = await fill.fill(api.services.db, Settings(jwt_secret=SECRET, **given))
    assert printed.count(f"{url}/api/") == 3


# At any time of the week -------------------------------------------------------------------------

MIDNIGHT = datetime(2027, 2, 28, tzinfo=UTC)


@pytest.mark.parametrize("minutes", [0, 1, 9, 719, 1435, 1439])
@pytest.mark.parametrize("days", range(7))
def test_tell_story_at_any_time_of_the_week_has_no_overlaps(days: int, minutes: int) -> None:
    story = Story(MIDNIGHT + timedelta(days=days, minutes=minutes))
    assert {session["status"] for session in story.rows["bookings"]} == SESSION_STATES
    gap = {
        mentor["id"]: timedelta(minutes=mentor["buffer_time"]) for mentor in story.rows["mentors"]
    }
    held = sorted(
        (row["mentor_id"], row["start_time"], row["end_time"]) for row in story.rows["bookings"]
    )
    for (mentor, _, end), (next_mentor, next_start, _) in pairwise(held):
        assert mentor != next_mentor or end + gap[mentor] <= next_start


def test_tell_story_twice_at_one_instant_gives_equal_rows() -> None:
    one, other = Story(MIDNIGHT), Story(MIDNIGHT)
    assert one.rows == other.rows


def test_tell_story_has_only_values_that_a_client_may_send() -> None:
    story = Story(MIDNIGHT)
    names = {
        "fullName": "full_name",
        "headline": "headline",
        "bio": "bio",
        "expertise": "expertise",
        "languages": "languages",
        "profileImageUrl": "profile_image_url",
        "links": "links",
        "location": "location",
        "sessionRate": "session_rate",
        "sessionCurrency": "session_currency",
    }
    settings = {
        "sessionDuration": "session_duration",
        "bufferTime": "buffer_time",
        "timezone": "timezone",
        "defaultMeetingLink": "default_meeting_link",
    }
    for mentor in story.rows["mentors"]:
        body = {name: mentor.get(column) for name, column in names.items()}
        assert profile_spec.UPDATE.check_body(body) == []
        windows = [
            {
                "dayOfWeek": window["day_of_week"],
                "startTime": window["start_time"],
                "endTime": window["end_time"],
            }
            for window in story.rows["availability_windows"]
            if window["mentor_id"] == mentor["id"]
        ]
        body = {name: mentor.get(column) for name, column in settings.items()} | {"slots": windows}
        assert availability_spec.REPLACE.check_body(body) == []
    for row in story.rows["bookings"] + story.rows["requests"]:
        body = {"mentorId": "", "topic": row["topic"], "message": row["message"] or ""}
        body |= {"scheduledDate": "2027-01-01", "scheduledTime": "09:00"}
        assert CREATE.check_body(body) == []
        for reason in ("cancellation_reason", "rejection_reason"):
            assert CANCEL.check_body({"reason": row.get(reason) or ""}) == []
    for review in story.rows["reviews"]:
        body = {"rating": review["rating"], "comment": review["comment"] or ""}
        assert review_spec.CREATE.check_body(body) == []
