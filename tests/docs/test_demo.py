"""``run.py demo``: people and sessions in every state, which keep to all rules."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from tornado.ioloop import IOLoop

from mentorapi.config import Settings
from mentorapi.demo import fill
from mentorapi.demo.fill import MENTEE, MENTOR, Story
from mentorapi.errors import StartupError
from mentorapi.schemas import availability as availability_spec
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


async def test_the_printed_lines_work_as_they_are(api: Api, printed: str) -> None:
    lines = [line for line in printed.splitlines() if line.startswith("curl ")]
    assert len(lines) == 3
    for line in lines:
        path = re.search(r"http://127\.0\.0\.1:8000/api([^\s']+)", line)
        name = re.search(r"Bearer \$(\w+)", line)
        assert path
        client = Client(api.base, token_in(printed, name[1]) if name else None)
        answer = await client.request("POST" if "-X POST" in line else "GET", path[1])
        assert answer.status == 200
        assert answer.json


async def test_there_is_a_request_and_a_session_in_every_state(api: Api, printed: str) -> None:
    for table, states in ("requests", REQUEST_STATES), ("bookings", SESSION_STATES):
        rows = await api.db.fetch(f"SELECT DISTINCT status FROM {table}")
        assert {row["status"] for row in rows} == states


async def test_its_mentor_has_something_in_every_list(mentor: Client) -> None:
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


async def test_its_mentee_has_something_in_every_list(api: Api, mentee: Client) -> None:
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


async def test_the_mentee_has_a_session_left_to_review(mentee: Client) -> None:
    completed = (await mentee.get("/sessions", status="completed")).json
    session = next(one for one in completed if one["review"] is None)
    answer = await mentee.post(f"/sessions/{session['id']}/review", {"rating": 5})
    assert answer.status == 201


async def test_all_public_pages_answer(api: Api, printed: str) -> None:
    # The client holds every answer against its schema.
    mentors = (await api.nobody.get("/mentors")).json
    private = await api.db.fetchval("SELECT count(*) FROM mentors WHERE visibility = 'private'")
    assert (len(mentors), private) == (24, 2)
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
async def test_the_search_finds(api: Api, printed: str, words: str, name: str) -> None:
    found = (await api.nobody.get("/mentors/search", q=words)).json
    assert name in [mentor["fullName"] for mentor in found[:3]]


async def test_what_waits_for_a_mentor_could_be_asked_for_now(api: Api, printed: str) -> None:
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


async def test_nothing_happens_before_it_can(api: Api, printed: str) -> None:
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


async def test_everything_has_a_history_that_ends_in_its_state(api: Api, printed: str) -> None:
    for table, column in ("requests", "request_id"), ("bookings", "booking_id"):
        wrong = f"""
            SELECT DISTINCT t.status FROM {table} AS t
            LEFT JOIN (
                SELECT
                    {column} AS id, changed_at, new_status, old_status,
                    lag(new_status) OVER story AS before,
                    lead(new_status) OVER story AS after
                FROM state_changes
                WINDOW story AS (PARTITION BY {column} ORDER BY changed_at, id)
            ) AS c ON c.id = t.id
            WHERE
                c.id IS NULL
                OR c.old_status IS DISTINCT FROM c.before
                OR c.changed_at NOT BETWEEN t.created_at AND t.updated_at
                OR (c.after IS NULL AND c.new_status <> t.status)
        """
        assert await api.db.fetch(wrong) == []


async def test_a_history_reads_well(mentor: Client) -> None:
    session = (await mentor.get("/sessions", role="mentor", status="disputed")).json[0]
    changes = (await mentor.get(f"/sessions/{session['id']}/history")).json
    assert [(change["to"], change["by"]) for change in changes] == [
        ("confirmed", "mentor"),
        ("in_progress", "system"),
        ("pending_completion", "system"),
        ("disputed", "mentee"),
    ]


async def test_its_figures_are_those_that_a_recount_finds(api: Api, printed: str) -> None:
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


async def test_a_second_time_is_refused_and_changes_nothing(
    api: Api, printed: str, settings: Settings
) -> None:
    with pytest.raises(StartupError, match="has data in it"):
        await fill.fill(api.services.db, settings)
    assert await api.db.fetchval("SELECT count(*) FROM mentors") == 26


async def test_somebody_who_only_looked_in_counts_as_data(api: Api, settings: Settings) -> None:
    await api.user("ada").ok("GET", "/mentor/me")
    with pytest.raises(StartupError, match="has data in it"):
        await fill.fill(api.services.db, settings)
    assert await api.db.fetchval("SELECT count(*) FROM users") == 1


async def test_without_a_secret_the_tokens_come_from_elsewhere(api: Api) -> None:
    printed = await fill.fill(api.services.db, Settings(jwks_url="https://example.com/keys"))
    assert f"Let your issuer make tokens for {MENTOR} and {MENTEE}" in printed


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"host": "0.0.0.0", "port": 80}, "http://127.0.0.1:80"),
        ({"host": "::1"}, "http://[::1]:8000"),
        ({"public_url": "https://api.example.com"}, "https://api.example.com"),
    ],
)
async def test_the_lines_name_the_server(api: Api, given: dict[str, Any], url: str) -> None:
    printed = await fill.fill(api.services.db, Settings(jwt_secret=SECRET, **given))
    assert printed.count(f"{url}/api/") == 3


# Whatever the clock says -------------------------------------------------------------------------

MIDNIGHT = datetime(2027, 2, 28, tzinfo=UTC)


@pytest.mark.parametrize("minutes", [0, 1, 9, 719, 1435, 1439])
@pytest.mark.parametrize("days", range(7))
def test_on_every_day_at_every_hour_no_two_live_sessions_meet(days: int, minutes: int) -> None:
    story = Story(MIDNIGHT + timedelta(days=days, minutes=minutes))
    assert {session["status"] for session in story.sessions} == SESSION_STATES
    length = {one["sub"]: timedelta(minutes=one["duration"]) for one in story.profiles}
    gap = {one["sub"]: timedelta(minutes=one["buffer"]) for one in story.profiles}
    held = sorted((each["mentor"], each["start_time"]) for each in story.sessions)
    for (mentor, start), (next_mentor, next_start) in pairwise(held):
        assert mentor != next_mentor or start + length[mentor] + gap[mentor] <= next_start


def test_the_same_clock_makes_the_same_story() -> None:
    one, other = Story(MIDNIGHT), Story(MIDNIGHT)
    assert (one.sessions, one.requests, one.people) == (
        other.sessions,
        other.requests,
        other.people,
    )


def test_everything_in_it_could_have_been_sent_by_a_client() -> None:
    story = Story(MIDNIGHT)
    names = {
        "fullName": "name",
        "headline": "headline",
        "bio": "bio",
        "expertise": "expertise",
        "profileImageUrl": "picture",
        "links": "links",
        "location": "location",
        "sessionRate": "rate",
        "sessionCurrency": "currency",
    }
    settings = {
        "sessionDuration": "duration",
        "bufferTime": "buffer",
        "timezone": "timezone",
        "defaultMeetingLink": "meeting",
    }
    for profile in story.profiles:
        body = {name: profile.get(key) for name, key in names.items()}
        assert profile_spec.UPDATE.check_body(body) == []
        windows = [
            {
                "dayOfWeek": window["day"],
                "startTime": window["start_time"],
                "endTime": window["end_time"],
            }
            for window in story.windows
            if window["mentor"] == profile["sub"]
        ]
        body = {name: profile.get(key) for name, key in settings.items()} | {"slots": windows}
        assert availability_spec.REPLACE.check_body(body) == []
    for asked in story.sessions + story.requests:
        body = {"mentorId": "", "topic": asked["topic"], "message": asked["message"] or ""}
        body |= {"scheduledDate": "2027-01-01", "scheduledTime": "09:00"}
        assert CREATE.check_body(body) == []
        assert CANCEL.check_body({"reason": asked.get("reason") or ""}) == []
    for review in story.reviews:
        assert review_spec.CREATE.check_body(review) == []
