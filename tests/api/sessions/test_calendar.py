"""GET /sessions/:id/calendar.ics, read by another library than the one that writes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import vobject

from tests.client import Api, Mentor, Response, User, day_after_tomorrow, instant, is_error, iso
from tests.clock import Clock

LINK = "https://meet.google.com/abc-def-ghi"


def path(session: dict[str, object]) -> str:
    return f"/sessions/{session['id']}/calendar.ics"


async def fetch(who: User, session: dict[str, object]) -> Response:
    response = await who.get(path(session))
    assert response.status == 200, response
    return response


async def entry(who: User, session: dict[str, object]):
    """Fetch the calendar; return its only event."""
    return read(await fetch(who, session))


def read(response: Response):
    calendar = vobject.readOne(response.body.decode())
    assert calendar.version.value == "2.0"
    # It would need an ORGANIZER.
    assert "method" not in calendar.contents
    assert [component.name for component in calendar.components()] == ["VEVENT"]
    return calendar.vevent


async def sequence(who: User, session: dict[str, object]) -> int:
    return int((await entry(who, session)).sequence.value)


async def move(mentor: Mentor, session: dict[str, object], start: datetime) -> None:
    body = {"newStartTime": iso(start), "newEndTime": iso(start + timedelta(hours=1))}
    await mentor.ok("PUT", f"/sessions/{session['id']}/reschedule", body)


async def test_get_calendar_has_time_place_and_other_party(api: Api) -> None:
    mentor = await api.mentor("john", fullName="John Doe", defaultMeetingLink=LINK)
    jane = api.user("jane", name="Jane Smith")
    at = day_after_tomorrow(14)
    session = await api.session(jane, mentor, at, topic="Career advice", message="I'd like to…")

    response = await fetch(jane, session)
    assert response.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Content-Disposition"] == (
        f'attachment; filename="session-{session["id"]}.ics"'
    )
    assert f"DTSTART:{at:%Y%m%dT%H%M%SZ}\r\n".encode() in response.body

    event = read(response)
    assert event.uid.value == f"{session['id']}@mentorapi"
    assert (event.dtstart.value, event.dtend.value) == (at, at + timedelta(hours=1))
    assert event.summary.value == "Mentorship: Career advice (with John Doe)"
    assert event.description.value == "I'd like to…"
    assert (event.location.value, event.url.value) == (LINK, LINK)
    assert event.status.value == "CONFIRMED"
    assert event.sequence.value == "0"
    created = instant(session["createdAt"]).replace(microsecond=0)
    assert event.created.value == event.last_modified.value == created
    assert abs(event.dtstamp.value - datetime.now(UTC)) < timedelta(minutes=1)

    assert (
        await entry(mentor, session)
    ).summary.value == "Mentorship: Career advice (with Jane Smith)"


async def test_get_calendar_without_optional_fields_leaves_them_out(api: Api) -> None:
    mentor, nameless = await api.mentor("john"), api.user("x", name=None)
    session = await api.session(nameless, mentor, topic="Advice")
    event = await entry(mentor, session)
    assert event.summary.value == "Mentorship: Advice (with your mentee)"
    assert {"description", "location", "url"}.isdisjoint(event.contents)


async def test_get_calendar_of_nameless_mentor_says_your_mentor(api: Api) -> None:
    mentor, jane = await api.mentor("john"), api.user("jane")
    session = await api.session(jane, mentor, topic="Advice")
    await api.db.execute("UPDATE mentors SET full_name = NULL")
    assert (await entry(jane, session)).summary.value == "Mentorship: Advice (with your mentor)"


async def test_get_calendar_has_no_addresses_of_people(api: Api) -> None:
    mentor = await api.mentor("john")
    jane = api.user("jane", email="jane@example.com")
    response = await fetch(mentor, await api.session(jane, mentor))
    assert b"jane@example.com" not in response.body
    assert {"organizer", "attendee"}.isdisjoint(read(response).contents)


async def test_get_calendar_after_each_change_has_higher_sequence(api: Api) -> None:
    mentor, jane = await api.mentor("john"), api.user("jane")
    session = await api.session(jane, mentor)
    before = await entry(jane, session)
    for number, hour in enumerate((11, 13), start=1):
        await move(mentor, session, day_after_tomorrow(hour))
        moved = await entry(jane, session)
        assert moved.uid.value == before.uid.value
        assert moved.sequence.value == str(number)
        assert moved.status.value == "CONFIRMED"
        assert moved.dtstart.value == day_after_tomorrow(hour)
    await jane.ok("POST", f"/sessions/{session['id']}/cancel", {"reason": "Ill"})
    for who in (jane, mentor):
        gone = await entry(who, session)
        assert (gone.uid.value, gone.sequence.value) == (before.uid.value, "3")
        assert gone.status.value == "CANCELLED"


async def test_get_calendar_of_pending_session_is_tentative(api: Api) -> None:
    mentor, jane = await api.mentor("john"), api.user("jane")
    session = await api.session(jane, mentor)
    await api.db.execute("UPDATE bookings SET status = 'pending'")
    pending = await entry(jane, session)
    assert pending.status.value == "TENTATIVE"
    await mentor.ok("POST", f"/sessions/{session['id']}/confirm")
    confirmed = await entry(jane, session)
    assert confirmed.status.value == "CONFIRMED"
    assert int(confirmed.sequence.value) == int(pending.sequence.value) + 1


async def test_get_calendar_after_sweep_keeps_the_sequence(api: Api, clock: Clock) -> None:
    mentor, jane = await api.mentor("john"), api.user("jane")
    session = await api.session(jane, mentor)
    before = await entry(jane, session)
    await clock.move_to(day_after_tomorrow(9))
    await api.sweep()
    await clock.move(hours=2)
    await api.sweep()
    await jane.ok("POST", f"/sessions/{session['id']}/dispute")
    after = await entry(jane, session)
    assert (after.status.value, after.sequence.value) == ("CONFIRMED", before.sequence.value)
    assert after.last_modified.value > before.last_modified.value


async def test_get_calendar_after_move_by_dba_has_higher_sequence(api: Api) -> None:
    mentor, jane = await api.mentor("john"), api.user("jane")
    session = await api.session(jane, mentor)
    await api.db.execute("UPDATE bookings SET topic = 'Same time, same place'")
    assert await sequence(jane, session) == 0
    await api.db.execute("UPDATE bookings SET location = 'Room 3'")
    assert await sequence(jane, session) == 1
    await api.make_past(session["id"])
    assert await sequence(jane, session) == 2


async def test_show_session_has_no_sequence(api: Api) -> None:
    mentor, jane = await api.mentor("john"), api.user("jane")
    session = await api.session(jane, mentor)
    assert "calendarSequence" not in session
    assert "calendar_sequence" not in session


@pytest.mark.parametrize(
    "text",
    [
        "commas, semicolons; colons: \"quotes\" 'and' more",
        r"C:\New folder\nothing \\ and \, \; at the end \ ",
        "two\nlines\n\nand a gap",
        "👩🏽‍💻 naïve, 東京, ‏עברית",
        "a very long line " * 50,
        "🦊" * 200,
        "é" * 200,
    ],
)
async def test_get_calendar_with_unusual_characters_keeps_them(api: Api, text: str) -> None:
    mentor, jane = await api.mentor("john", fullName="Doe; John, \\N"), api.user("jane")
    topic = text[:200]
    session = await api.session(jane, mentor, message=text)
    # The API accepts no line breaks in these two; a row inserted by SQL may contain them.
    await api.db.execute("UPDATE bookings SET topic = $1, location = $2", topic, text[:100])
    response = await fetch(jane, session)
    lines = response.body.split(b"\r\n")
    assert lines.pop() == b""
    assert all(len(line) <= 75 for line in lines)
    assert all(line.decode() for line in lines)  # no character is cut in two
    event = read(response)
    assert event.summary.value == f"Mentorship: {topic} (with Doe; John, \\N)"
    assert event.description.value == text
    assert event.location.value == text[:100]


BREAKS = ["\r\n", "\n", "\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]


@pytest.mark.parametrize("end", BREAKS, ids=ascii)
async def test_get_calendar_with_line_breaks_adds_no_lines(api: Api, end: str) -> None:
    smuggled = end.join(["Advice", "END:VEVENT", "BEGIN:VEVENT", "ATTENDEE:mailto:a@b.c"])
    mentor, jane = await api.mentor("john"), api.user("jane")
    session = await api.session(jane, mentor)
    await api.db.execute("UPDATE mentors SET full_name = $1", smuggled)
    await api.db.execute(
        "UPDATE bookings SET topic = $1, message = $1, location = 'https://a.b/' || $1", smuggled
    )
    response = await fetch(jane, session)
    lines = response.body.decode().splitlines()
    assert lines == response.body.decode().removesuffix("\r\n").split("\r\n")
    assert [line for line in lines if line.startswith("BEGIN")] == [
        "BEGIN:VCALENDAR",
        "BEGIN:VEVENT",
    ]
    event = read(response)
    assert {"attendee", "url"}.isdisjoint(event.contents)
    assert event.description.value.split("\n") == smuggled.split(end)


async def test_get_calendar_removes_control_characters(api: Api) -> None:
    mentor, jane = await api.mentor("john"), api.user("jane")
    session = await api.session(jane, mentor)
    await api.db.execute("UPDATE bookings SET topic = $1", "a\x01b\x07c\x7fd\te\x9ff")
    assert (await entry(jane, session)).summary.value == "Mentorship: abcd\tef (with John)"


@pytest.mark.parametrize(
    "location", ["Google Meet", "javascript:alert(1)", "https://", "http: //x"]
)
async def test_get_calendar_has_url_for_web_links_only(api: Api, location: str) -> None:
    mentor, jane = await api.mentor("john"), api.user("jane")
    session = await api.session(jane, mentor)
    await api.db.execute("UPDATE bookings SET location = $1", location)
    event = await entry(jane, session)
    assert event.location.value == location
    assert "url" not in event.contents


async def test_get_calendar_as_stranger_is_refused(api: Api) -> None:
    mentor, jane = await api.mentor("john"), api.user("jane")
    session = await api.session(jane, mentor)
    stranger = await api.user("eve").get(path(session))
    assert is_error(stranger, 403, "Only the mentor and the mentee can see this session")
    assert stranger.headers["Content-Type"].startswith("application/json")
    assert "Content-Disposition" not in stranger.headers
    for unknown in ("018f0000-0000-7000-8000-000000000000", "no-uuid"):
        assert is_error(await jane.get(path({"id": unknown})), 404, "Session not found")
    assert is_error(await api.nobody.get(path(session)), 401, "Missing or invalid token")
    assert (await jane.get(path(session).replace(".", "x"))).status == 404


async def test_head_calendar_equals_get(api: Api) -> None:
    mentor, jane = await api.mentor("john"), api.user("jane")
    session = await api.session(jane, mentor)
    head = await jane.request("HEAD", path(session))
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Type"] == "text/calendar; charset=utf-8"
