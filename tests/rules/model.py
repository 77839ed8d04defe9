"""The guide's two state tables and the rules around them, in plain Python.

Written from the guide and the contract: it uses no message, no state and no arithmetic of the
product. The clock is stopped between two moves. Times are whole minutes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from tests.rules.cutting import Times, Window, local_windows, offered, starts_of_windows

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

LIVE = ("pending", "confirmed", "rescheduled", "in_progress")

#: Errors: status and message.
TAKEN = (409, "Time slot is no longer available")
PAUSED = (409, "This mentor is not taking requests")

#: For each answer to a request: the party that may give it, the message to others, the new state.
ANSWERS = {
    "accept": ("mentor", "Only the mentor can accept this request", "accepted"),
    "reject": ("mentor", "Only the mentor can reject this request", "rejected"),
    "cancel": ("mentee", "Only the mentee can cancel this request", "cancelled"),
}

#: For each action on a session: the parties that may take it, the message to others; the states it
#: starts from, the error in all others; the new state.
ACTIONS = {
    "confirm": (
        ("mentor",),
        "Only the mentor can confirm this session",
        ("pending",),
        (409, "Only pending sessions can be confirmed"),
        "confirmed",
    ),
    "complete": (
        ("mentor",),
        "Only the mentor can complete this session",
        ("confirmed", "rescheduled", "in_progress"),
        (400, "Only confirmed, rescheduled, or in-progress bookings can be completed"),
        "pending_completion",
    ),
    "confirm-completion": (
        ("mentee",),
        "Only the mentee can confirm session completion",
        ("pending_completion",),
        (400, "Only sessions pending completion can be confirmed"),
        "completed",
    ),
    "dispute": (
        ("mentee",),
        "Only the mentee can dispute a session",
        ("pending_completion",),
        (400, "Only sessions pending completion can be disputed"),
        "disputed",
    ),
    "cancel": (
        ("mentor", "mentee"),
        "Only the mentor or the mentee can cancel this session",
        ("pending", "confirmed", "rescheduled"),
        (409, "Only pending, confirmed or rescheduled sessions can be cancelled"),
        "cancelled",
    ),
    "reschedule": (
        ("mentor",),
        "Only the mentor can reschedule this session",
        ("confirmed", "rescheduled"),
        (409, "Only confirmed or rescheduled sessions can be rescheduled"),
        "rescheduled",
    ),
}


#: The default policy.
POLICY = {
    "minimumNoticeMinutes": 0,
    "horizonDays": None,
    "maxSessionsPerDay": None,
    "maxSessionsPerWeek": None,
    "cancelCutoffHours": 0,
    "acceptingRequests": True,
}


class Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message


@dataclass
class Person:
    sub: str

    @property
    def name(self) -> str:
        return self.sub.title()

    def as_mentee(self) -> dict[str, Any]:
        return {"id": self.sub, "name": self.name, "avatar": None}


@dataclass
class Mentor(Person):
    id: str = ""
    #: Day of the week, first minute, minute after the last, in the time of the zone.
    windows: list[tuple[int, int, int]] = field(default_factory=list)
    zone: str = "UTC"
    overrides: dict[date, Times] = field(default_factory=dict)
    #: Start and end by id.
    time_off: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    policy: dict[str, Any] = field(default_factory=lambda: dict(POLICY))
    duration: int = 60
    buffer: int = 0
    rate: Decimal = Decimal(0)
    currency: str = "NGN"
    visibility: str = "public"

    def local(self, instant: datetime) -> datetime:
        return instant.astimezone(ZoneInfo(self.zone))

    def hours_of(self, day: date) -> Times:
        weekly = [(opens, closes) for each, opens, closes in self.windows if each == day.weekday()]
        return self.overrides.get(day, weekly)

    def as_mentor(self) -> dict[str, Any]:
        return {"id": self.id, "userId": self.sub, "name": self.name, "avatar": None}


@dataclass
class Request:
    id: str
    mentor: Mentor
    mentee: Person
    start: datetime
    end: datetime
    rate: Decimal
    currency: str
    status: str = "pending"
    reason: str | None = None
    session: Session | None = None
    #: Its time has come, and it was not answered.
    expired: bool = False
    #: The database has it as rejected, so the sweep skips it.
    settled: bool = False

    def shown(self, times_of: Request | Session | None = None) -> dict[str, Any]:
        start, end = (times_of or self).start, (times_of or self).end
        return {
            "id": self.id,
            "mentorId": self.mentor.id,
            "menteeId": self.mentee.sub,
            "topic": "Career advice",
            "message": None,
            "scheduledDate": f"{start:%Y-%m-%d}",
            "scheduledTime": f"{start:%H:%M}",
            "duration": (end - start) // MINUTE,
            "location": None,
            "startTime": iso(start),
            "endTime": iso(end),
            "status": self.status,
            "rejectionReason": self.reason,
            "sessionRate": float(self.rate),
            "sessionCurrency": self.currency,
            "bookingId": self.session and self.session.id,
            "booking": self.session
            and {
                "id": self.session.id,
                "status": self.session.status,
                "startTime": iso(self.session.start),
                "endTime": iso(self.session.end),
            },
            "mentor": self.mentor.as_mentor(),
            "mentee": self.mentee.as_mentee(),
        }


@dataclass
class Session:
    id: str
    mentor: Mentor
    mentee: Person
    topic: str
    start: datetime
    end: datetime
    status: str
    request: Request | None = None
    rate: Decimal = Decimal(0)
    currency: str = "NGN"
    reason: str | None = None
    cancelled_by: str | None = None
    review: tuple[int, str | None] | None = None

    @property
    def live(self) -> bool:
        return self.status in LIVE

    def side(self, person: Person) -> str | None:
        return {self.mentor.sub: "mentor", self.mentee.sub: "mentee"}.get(person.sub)

    def shown(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "requestId": self.request and self.request.id,
            "mentorId": self.mentor.id,
            "menteeId": self.mentee.sub,
            "topic": self.topic,
            "message": None,
            "startTime": iso(self.start),
            "endTime": iso(self.end),
            "duration": (self.end - self.start) // MINUTE,
            "location": None,
            "status": self.status,
            "cancellationReason": self.reason,
            "cancelledBy": self.cancelled_by,
            "sessionRate": float(self.rate),
            "sessionCurrency": self.currency,
            "mentor": self.mentor.as_mentor(),
            "mentee": self.mentee.as_mentee(),
            "review": self.review and {"rating": self.review[0], "comment": self.review[1]},
        }


def monday_of(day: date) -> datetime:
    return datetime.combine(day - day.weekday() * DAY, time(), UTC)


def weeks_of(mentor: Mentor, monday: datetime) -> tuple[Window, ...]:
    """Return the windows from two weeks earlier to two weeks later, in minutes from a Monday."""
    overrides = ((day, tuple(windows)) for day, windows in mentor.overrides.items())
    return local_windows(mentor.zone, tuple(mentor.windows), tuple(overrides), monday)


def as_slots(
    mentor: Mentor, starts: Iterable[int], first: date, days: int
) -> list[tuple[datetime, datetime]]:
    """Return the slots on these dates. The starts are in minutes from the Monday before."""
    times = (monday_of(first) + start * MINUTE for start in starts)
    return [
        (start, start + mentor.duration * MINUTE)
        for start in times
        if first <= start.date() < first + days * DAY
    ]


class World:
    """All people, requests and sessions. Raises ``Refused`` where the API refuses an action."""

    def __init__(self, now: datetime, people: Iterable[Person]) -> None:
        self.now = now
        self.people = {person.sub: person for person in people}
        #: In the order of creation.
        self.requests: list[Request] = []
        self.sessions: list[Session] = []

    @property
    def mentors(self) -> list[Mentor]:
        return [person for person in self.people.values() if isinstance(person, Mentor)]

    # Time ----------------------------------------------------------------------------------

    def move_to(self, now: datetime) -> None:
        self.now = now
        for request in self.requests:
            if request.status == "pending" and request.start <= now:
                request.status, request.reason = "rejected", "Expired without an answer"
                request.expired = True

    def keeps_clear(
        self, mentor: Mentor, start: datetime, end: datetime, of: Session | None = None
    ) -> bool:
        """Whether it keeps the buffer to all live sessions (except the one that is moved)."""
        gap = mentor.buffer * MINUTE
        return all(
            other.end + gap <= start or end + gap <= other.start
            for other in self.sessions
            if other.mentor is mentor and other.live and other is not of
        )

    def is_open(self, mentor: Mentor, minute: datetime) -> bool:
        local = mentor.local(minute)
        of_day = local.hour * 60 + local.minute
        return any(
            opens <= of_day < closes for opens, closes in mentor.hours_of(local.date())
        ) and (all(not begin <= minute < end for begin, end in mentor.time_off.values()))

    def may_start(self, mentor: Mentor, start: datetime) -> bool:
        """Whether the policy allows a session that starts at this time."""
        policy, day = mentor.policy, mentor.local(start).date()
        horizon = policy["horizonDays"]
        return (
            policy["acceptingRequests"]
            and self.now < start
            and self.now + policy["minimumNoticeMinutes"] * MINUTE <= start
            and (horizon is None or day <= mentor.local(self.now).date() + horizon * DAY)
            and self.is_below(mentor, policy["maxSessionsPerDay"], day, day)
            and self.is_below(
                mentor,
                policy["maxSessionsPerWeek"],
                day - day.weekday() * DAY,
                day + (6 - day.weekday()) * DAY,
            )
        )

    def is_below(self, mentor: Mentor, limit: int | None, first: date, last: date) -> bool:
        """Whether there are fewer sessions and pending requests than this on these days."""
        planned = [
            *(one for one in self.sessions if one.status != "cancelled"),
            *(one for one in self.requests if one.status == "pending"),
        ]
        return limit is None or limit > sum(
            one.mentor is mentor and first <= mentor.local(one.start).date() <= last
            for one in planned
        )

    def admits(self, mentor: Mentor, start: datetime, end: datetime) -> bool:
        """Whether a mentee can request this time."""
        minutes = (start + place * MINUTE for place in range((end - start) // MINUTE))
        return (
            self.may_start(mentor, start)
            and self.keeps_clear(mentor, start, end)
            and all(self.is_open(mentor, minute) for minute in minutes)
        )

    def override(self, mentor: Mentor, day: date, windows: Times | None) -> None:
        """Replace the windows of a day. None deletes the override."""
        if day < mentor.local(self.now).date():
            raise Refused(400, "Validation failed")
        if windows is None:
            del mentor.overrides[day]
        else:
            mentor.overrides[day] = windows

    def within(self, mentor: Mentor, start: datetime, end: datetime) -> list[str]:
        """Return the ids of live sessions and pending requests in this time, soonest first."""
        found = [
            one
            for one in [*self.sessions, *self.requests]
            if one.mentor is mentor
            and (one.live if isinstance(one, Session) else one.status == "pending")
            and one.start < end
            and one.end > start
        ]
        return [one.id for one in sorted(found, key=lambda one: (one.start, one.id))]

    def grid(self, mentor: Mentor, first: date, days: int) -> list[tuple[datetime, datetime]]:
        """Return all slots of the windows, as if each was in the future and free."""
        windows = weeks_of(mentor, monday_of(first))
        starts = starts_of_windows(windows, mentor.duration, mentor.buffer)
        return as_slots(mentor, starts, first, days)

    def slots(self, mentor: Mentor, first: date, days: int) -> list[tuple[datetime, datetime]]:
        monday = monday_of(first)
        sessions = [
            ((one.start - monday) // MINUTE, (one.end - one.start) // MINUTE)
            for one in self.sessions
            if one.mentor is mentor and one.live
        ]
        off = [
            ((begin - monday) // MINUTE, (end - monday) // MINUTE)
            for begin, end in mentor.time_off.values()
        ]
        # The policy allows other times as `now` moves, after the notice, and at local midnight.
        since = (self.now - monday) // MINUTE
        last = (days + 9) * 24 * 60
        edges = {since + 1, since + mentor.policy["minimumNoticeMinutes"], last}
        if any(
            mentor.policy[name]
            for name in ("horizonDays", "maxSessionsPerDay", "maxSessionsPerWeek")
        ):
            edges |= set(range(-24 * 60, last, 15))
        allowed: Times = []
        for begin, end in pairwise(sorted(edges)):
            if self.may_start(mentor, monday + begin * MINUTE):
                if allowed and allowed[-1][1] == begin:
                    allowed[-1] = allowed[-1][0], end
                else:
                    allowed.append((begin, end))
        windows = weeks_of(mentor, monday)
        starts = offered(windows, sessions, mentor.duration, mentor.buffer, off, allowed)
        return as_slots(mentor, starts, first, days)

    # Requests ------------------------------------------------------------------------------

    def ask(self, mentor: Mentor, mentee: Person, start: datetime, minutes: int | None) -> Request:
        """Create the request; the caller sets its id."""
        end = start + (minutes or mentor.duration) * MINUTE
        # An expired request is settled, also if the new one is refused.
        for one in self.requests:
            if one.mentor is mentor and one.mentee is mentee and one.expired:
                one.settled = True
        if mentor.visibility != "public":
            raise Refused(404, "Mentor not found")
        if mentor is mentee:
            raise Refused(400, "You cannot request a session with yourself")
        if start <= self.now:
            raise Refused(400, "Cannot request a session in the past")
        if any(
            one.mentor is mentor and one.mentee is mentee and one.status == "pending"
            for one in self.requests
        ):
            raise Refused(409, "You already have a pending request")
        if not mentor.policy["acceptingRequests"]:
            raise Refused(*PAUSED)
        if not self.admits(mentor, start, end):
            raise Refused(*TAKEN)
        request = Request("", mentor, mentee, start, end, mentor.rate, mentor.currency)
        self.requests.append(request)
        return request

    def answer(self, request: Request, answer: str, by: Person, reason: str | None) -> None:
        """Answer the request; the caller sets the id of its session."""
        side, others_are_told, status = ANSWERS[answer]
        if by is not getattr(request, side):
            raise Refused(403, others_are_told)
        if request.expired and answer == "accept":
            raise Refused(*TAKEN)
        if request.status != "pending":
            raise Refused(409, f"Only pending requests can be {status}")
        if answer == "accept":
            if not self.keeps_clear(request.mentor, request.start, request.end):
                raise Refused(*TAKEN)
            request.session = Session(
                "",
                request.mentor,
                request.mentee,
                "Career advice",
                request.start,
                request.end,
                "confirmed",
                request,
                request.rate,
                request.currency,
            )
            self.sessions.append(request.session)
        request.status = status
        request.reason = reason if answer == "reject" else None

    # Sessions ------------------------------------------------------------------------------

    def act(self, session: Session, action: str, by: Person, reason: str | None = None) -> None:
        self._check(session, action, by)
        if action == "complete" and self.now < session.end:
            raise Refused(400, "Cannot complete a session before it ends")
        session.status = ACTIONS[action][-1]
        if action == "cancel":
            session.reason, session.cancelled_by = reason, by.sub

    def reschedule(self, session: Session, by: Person, start: datetime, end: datetime) -> None:
        if not 15 * MINUTE <= end - start <= 180 * MINUTE or start <= self.now:
            raise Refused(400, "Validation failed")
        self._check(session, "reschedule", by)
        if not self.keeps_clear(session.mentor, start, end, of=session):
            raise Refused(*TAKEN)
        session.status, session.start, session.end = "rescheduled", start, end

    def _check(self, session: Session, action: str, by: Person) -> None:
        sides, others_are_told, states, otherwise, _ = ACTIONS[action]
        if session.side(by) not in sides:
            raise Refused(403, others_are_told)
        begun = session.start <= self.now and action in ("cancel", "reschedule")
        if session.status not in states or begun:
            raise Refused(*otherwise)
        cutoff = session.mentor.policy["cancelCutoffHours"] * 60 * MINUTE
        if action == "cancel" and by is not session.mentor and session.start < self.now + cutoff:
            raise Refused(409, "Too late to cancel")

    def review(self, session: Session, by: Person, rating: int, comment: str | None) -> None:
        if session.side(by) != "mentee":
            raise Refused(403, "Only the mentee can review this session")
        if session.status != "completed":
            raise Refused(400, "Can only review completed sessions")
        if session.review:
            raise Refused(409, "You have already reviewed this session")
        session.review = rating, comment

    def sweep(self) -> int:
        """Run the sweep; return the number of sessions and requests that it changes."""
        moved = 0
        for session in self.sessions:
            before = session.status
            under_way = session.start <= self.now < session.end
            if before in ("confirmed", "rescheduled") and under_way:
                session.status = "in_progress"
            if (
                before in ("confirmed", "rescheduled", "in_progress")
                and session.end + 15 * MINUTE <= self.now
            ):
                session.status = "pending_completion"
            moved += session.status != before
        for request in self.requests:
            if request.expired and not request.settled:
                request.settled = True
                moved += 1
        return moved

    # What is shown -------------------------------------------------------------------------

    def requests_of(
        self, person: Person, role: str | None = None, status: str | None = None
    ) -> list[dict[str, Any]]:
        return [
            one.shown()
            for one in reversed(self.requests)
            if (
                (role != "received" and one.mentee is person)
                or (role != "sent" and one.mentor is person)
            )
            and status in (None, one.status)
        ]

    def active(self, mentee: Person, mentor: Mentor) -> list[dict[str, Any]]:
        active = [
            one
            for one in self.requests
            if (one.mentor, one.mentee) == (mentor, mentee)
            and (one.status == "pending" or (one.session is not None and one.session.live))
        ]
        # The session may have been moved: its times count, not the request's.
        held = sorted(
            ((one.session or one, one) for one in active),
            key=lambda pair: (pair[0].start, pair[1].id),
        )
        return [one.shown(times_of) for times_of, one in held]

    def sessions_of(
        self,
        person: Person,
        role: str | None = None,
        status: str | None = None,
        upcoming: bool = False,
        past: bool = False,
    ) -> list[dict[str, Any]]:
        found = [
            one
            for one in self.sessions
            if one.side(person) in ((role,) if role else ("mentor", "mentee"))
            and status in (None, one.status)
            and not (upcoming and one.start < self.now)
            and not (past and one.start >= self.now)
        ]
        found.sort(key=lambda one: (one.start, one.id), reverse=not upcoming)
        return [one.shown() for one in found]

    def ratings(self, mentor: Mentor) -> list[int]:
        return [one.review[0] for one in self.sessions if one.mentor is mentor and one.review]

    def rating(self, mentor: Mentor) -> float | None:
        ratings = self.ratings(mentor)
        if not ratings:
            return None
        average = Decimal(sum(ratings)) / len(ratings)
        return float(average.quantize(Decimal("0.1"), ROUND_HALF_UP))

    def completed(self, mentor: Mentor) -> list[Session]:
        return [one for one in self.sessions if one.mentor is mentor and one.status == "completed"]

    def pending(self, mentor: Mentor) -> int:
        return sum(one.mentor is mentor and one.status == "pending" for one in self.requests)

    def dashboard(self, mentor: Mentor) -> dict[str, Any]:
        completed = self.completed(mentor)
        return {
            "totalMentees": len({one.mentee.sub for one in completed}),
            "totalEarnings": float(
                sum(one.rate for one in completed if one.currency == mentor.currency)
            ),
            "totalSessions": len(completed),
            "pendingBookings": self.pending(mentor),
            "upcomingBookings": sum(
                one.mentor is mentor
                and one.status in ("confirmed", "rescheduled")
                and one.start >= self.now
                for one in self.sessions
            ),
            "avgRating": self.rating(mentor),
            "totalReviews": len(self.ratings(mentor)),
        }

    def directory(self) -> list[dict[str, Any]]:
        """Return the list of mentors, with the fields that change."""
        shown = [
            {
                "id": mentor.id,
                "sessionDuration": mentor.duration,
                "rating": self.rating(mentor),
                "totalReviews": len(self.ratings(mentor)),
                "totalSessions": len(self.completed(mentor)),
            }
            for mentor in self.mentors
            if mentor.visibility == "public"
        ]
        return sorted(
            shown,
            key=lambda one: (
                -(one["rating"] or 0),
                -one["totalReviews"],
                -one["totalSessions"],
                one["id"],
            ),
        )


def iso(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"
