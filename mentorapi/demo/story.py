"""Rows of the demo: people, requests and sessions around a given instant.

The people are in ``people.toml``. Their requests and sessions are random, but the same instant
always gives the same rows.
"""

import itertools
import tomllib
import unicodedata
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from mentorapi.schemas import examples

#: Two users with fixed ids, and with something in every list.
MENTOR, MENTEE = examples.MENTOR_USER, examples.MENTEE_USER

#: Ids of the first rows of these kinds: the examples of the API's description name them.
FIXED_IDS = {
    MENTOR: examples.MENTOR_ID,
    examples.FREE_MENTOR_USER: examples.FREE_MENTOR_ID,
    "window": examples.WINDOW_ID,
    "time off": examples.TIME_OFF_ID,
    f"pending request {MENTOR} {MENTEE}": examples.REQUEST_ID,
    f"confirmed session {MENTOR} {MENTEE}": examples.SESSION_ID,
}

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

#: Of a mentor without one.
POLICY = {"minimum_notice_minutes": 0, "cancel_cutoff_hours": 0, "accepting_requests": True}

#: The types of events that are not called after the new state.
EVENTS = {
    ("request", "pending"): "created",
    ("session", "pending"): "updated",
    ("session", "in_progress"): "started",
    ("session", "pending_completion"): "ended",
}

Row = dict[str, Any]
#: A new state, the user who caused it, and when.
Step = tuple[str, str | None, datetime]


class Story:
    """Rows by table. A mentor or a mentee has at most one session a day."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.random = Random("mentorapi")
        self.users: list[Row] = []
        self.mentors: list[Row] = []
        self.availability_windows: list[Row] = []
        self.availability_overrides: list[Row] = []
        self.time_off: list[Row] = []
        self.requests: list[Row] = []
        self.bookings: list[Row] = []
        self.reviews: list[Row] = []
        #: The histories.
        self.events: list[Row] = []
        self._ids = dict(FIXED_IDS)
        #: Days on which a user has a session.
        self._busy: set[tuple[str, date]] = set()
        # The example of POST /requests asks this mentor for a session.
        self._pending = {(examples.FREE_MENTOR_USER, MENTEE)}

        people = tomllib.loads(Path(__file__).with_name("people.toml").read_text(encoding="utf-8"))
        self._texts: dict[str, list[str]] = people["texts"]
        self._people: dict[str, Row] = {person["sub"]: person for person in people["mentors"]}
        for person in self._people.values():
            self._add_mentor(person)
        self._mentees = [MENTEE, *map(self._add_mentee, self._texts["mentees"])]
        self._add_sessions_of_examples()
        for mentor, person in self._people.items():
            if person["windows"]:
                self._add_sessions_of_weeks(mentor)
        self._add_requests()

    # People ------------------------------------------------------------------------------------

    def _add_mentor(self, person: Row) -> None:
        sub = person["sub"]
        row = {"id": self._id(sub), "user_id": sub, "full_name": person["name"], "links": {}}
        row["visibility"] = "private" if person.get("private") else "public"
        for column in ("headline", "bio", "expertise", "location", "timezone"):
            row[column] = person.get(column)
        row["languages"] = person.get("languages", [])
        row["session_rate"], row["session_currency"] = person["rate"]
        row["session_duration"], row["buffer_time"] = person["slot"]
        row["availability_timezone"] = person.get("zone", "UTC")
        row |= POLICY | person.get("policy", {})
        if row["bio"]:
            row["profile_image_url"] = f"https://example.com/avatars/{sub}.png"
            row["default_meeting_link"] = f"https://meet.example.com/{sub}"
            row["links"] = {"website": f"https://{sub}.example.com"}
        row["created_at"] = row["updated_at"] = self._add_user(
            sub, person["name"], row.get("profile_image_url")
        )
        self.mentors.append(row)
        person["row"], person["windows"] = row, []
        for text in person.get("hours", []):
            *days, hours = text.split()
            start, _, end = hours.partition("-")
            for day in days:
                window = {"id": self._id("window"), "mentor_id": row["id"]}
                window |= {"day_of_week": WEEKDAYS.index(day), "start_time": start, "end_time": end}
                person["windows"].append(window)
        self.availability_windows += person["windows"]
        for days, *texts in person.get("overrides", []):
            starts, ends = [text[:5] for text in texts], [text[6:] for text in texts]
            override = {"mentor_id": row["id"], "day": self._day(days)}
            self.availability_overrides.append(
                override | {"start_times": starts, "end_times": ends}
            )
        if "time_off" in person:
            first, last, note = person["time_off"]
            time_off = {"id": self._id("time off"), "mentor_id": row["id"], "note": note}
            time_off |= {"start_date": self._day(first), "end_date": self._day(last)}
            self.time_off.append(time_off)

    def _add_mentee(self, name: str) -> str:
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        sub = plain.lower().replace(" ", "-")
        self._add_user(sub, name, None)
        return sub

    def _add_user(self, sub: str, name: str, picture: str | None) -> datetime:
        joined_at = self.now - timedelta(days=self.random.randint(100, 300))
        user = {"id": sub, "name": name, "email": f"{sub}@example.com", "picture": picture}
        self.users.append(user | {"created_at": joined_at, "updated_at": joined_at})
        return joined_at

    # Sessions ----------------------------------------------------------------------------------

    def _add_sessions_of_examples(self) -> None:
        """Sessions in every state between the two users with fixed ids."""
        minutes = timedelta(minutes=10 + self.now.minute % 5)
        started = (self.now - minutes).replace(second=0, microsecond=0)
        self._add_session(MENTOR, MENTEE, "in_progress", started)
        self._add_session("nokuthula-dlamini", "grace-wanjiru", "in_progress", started)
        past = ["pending_completion", "completed", "disputed", "cancelled", "reviewed", "reviewed"]
        for status, day in zip(past, self._free_days(MENTOR, back=True), strict=False):
            self._add_session(MENTOR, MENTEE, status, self._slots(MENTOR, day)[0])
        coming = ["confirmed", "rescheduled", "pending", "cancelled"]
        for status, day in zip(coming, self._free_days(MENTOR), strict=False):
            self._add_session(MENTOR, MENTEE, status, self._slots(MENTOR, day)[0])
        # The mentor is a mentee of another mentor, too.
        for status, back in ("reviewed", True), ("confirmed", False):
            day = next(self._free_days("soren-kjaer", back))
            self._add_session("soren-kjaer", MENTOR, status, self._slots("soren-kjaer", day)[0])

    def _add_sessions_of_weeks(self, mentor: str) -> None:
        """Ten past weeks with the mentor's usual demand, and almost two to come with half of it."""
        person = self._people[mentor]
        daily = person["demand"] / len({window["day_of_week"] for window in person["windows"]})
        for number in itertools.chain(range(-70, 0), range(1, 14)):
            day = self.now.date() + timedelta(days=number)
            slots = self._slots(mentor, day)
            chance = daily if number < 0 else daily / 2
            if slots and (mentor, day) not in self._busy and self.random.random() < chance:
                free = [mentee for mentee in self._mentees if (mentee, day) not in self._busy]
                start = self.random.choice(slots)
                self._add_session(mentor, self.random.choice(free), self._status(number), start)

    def _status(self, days_from_now: int) -> str:
        weights = {"reviewed": 12, "completed": 4, "cancelled": 3, "disputed": 1}
        if days_from_now > 0:
            weights = {"confirmed": 7, "rescheduled": 2, "cancelled": 1}
        elif days_from_now >= -2:
            weights["pending_completion"] = 20
        return self.random.choices(list(weights), list(weights.values()))[0]

    def _add_session(self, mentor: str, mentee: str, status: str, start: datetime) -> None:
        """``status`` is the session's, or ``reviewed``: completed and reviewed."""
        self._busy |= {(mentor, start.date()), (mentee, start.date())}
        reviewed = status == "reviewed"
        status = "completed" if reviewed else status
        session = self._common("session", mentor, mentee, status, start)
        # Moved by a week, to the same weekday: the first time was within the windows, too.
        asked_for = start - timedelta(days=7) if status == "rescheduled" else start
        asked_at, answered_at = self._asked_and_answered(asked_for)
        # A pending session was created by hand, without a request.
        if status != "pending":
            request = self._common("request", mentor, mentee, "accepted", asked_for)
            request |= {name: session[name] for name in ("topic", "message")}
            request |= {"booking_id": session["id"], "created_at": asked_at}
            self._add_request(request, mentor, answered_at)
            session["request_id"] = request["id"]
        if status == "cancelled":
            session["cancelled_by"] = self.random.choice([mentor, mentee])
            session["cancellation_reason"] = self._text("cancellations")
        changed_at = answered_at + timedelta(minutes=50)
        held: list[Step] = [
            ("confirmed", mentor, answered_at),
            ("in_progress", None, start),
            ("pending_completion", None, session["end_time"] + timedelta(minutes=15)),
        ]
        steps: dict[str, list[Step]] = {
            "pending": [("pending", None, answered_at)],
            "confirmed": held[:1],
            "rescheduled": [held[0], ("rescheduled", mentor, changed_at)],
            "cancelled": [held[0], ("cancelled", session.get("cancelled_by"), changed_at)],
            "in_progress": held[:2],
            "pending_completion": held,
            "completed": [*held, ("completed", mentee, session["end_time"] + self._hours(1, 10))],
            "disputed": [*held, ("disputed", mentee, session["end_time"] + self._hours(1, 10))],
        }
        session["created_at"] = answered_at
        session["updated_at"] = min(steps[status][-1][2], self.now)
        self.bookings.append(session)
        self._add_changes("session", session, steps[status], asked_for)
        if reviewed:
            rating, _, comment = self._text("reviews").partition(" ")
            review = {name: session[name] for name in ("mentor_id", "mentee_id")}
            review |= {"booking_id": session["id"], "rating": int(rating)}
            review["comment"] = comment or None
            review["created_at"] = min(session["updated_at"] + self._hours(1, 24), self.now)
            self.reviews.append(review)

    def _add_changes(
        self, kind: str, row: Row, steps: list[Step], asked_for: datetime | None = None
    ) -> None:
        old = None
        for new, user, changed_at in steps:
            change = {"object_id": row["id"], "old_status": old, "status": new, "user_id": user}
            change |= {name: row[name] for name in ("mentor_id", "mentee_id")}
            change["type"] = f"{kind}.{EVENTS.get((kind, new), new)}"
            change["source"] = "user" if user else "database" if new == "pending" else "sweep"
            change["created_at"] = min(changed_at, self.now)
            change["is_history"] = True
            if new in ("cancelled", "rejected"):
                change["reason"] = row.get("cancellation_reason") or row.get("rejection_reason")
            if asked_for:
                # Until it was moved, a session had the time that the mentee asked for.
                moved_by = row["start_time"] - asked_for if new == "confirmed" else timedelta()
                change |= {name: row[name] - moved_by for name in ("start_time", "end_time")}
            self.events.append(change)
            old = new

    # Requests ----------------------------------------------------------------------------------

    def _add_requests(self) -> None:
        """Requests without a session: they wait, or were rejected or cancelled."""
        day = next(self._free_days(MENTOR))
        # Three ask for the same time; the mentor can accept one of them.
        for mentee in (MENTEE, "divya-menon", "henrik-aho"):
            self._add_unaccepted(MENTOR, mentee, "pending", self._slots(MENTOR, day)[-1])
        for mentor, mentee, status in (
            (MENTOR, MENTEE, "rejected"),
            (MENTOR, MENTEE, "cancelled"),
            ("eleni-papadopoulou", MENTOR, "pending"),
            ("eleni-papadopoulou", MENTOR, "cancelled"),
            ("zoe-vandenberghe", MENTOR, "rejected"),
        ):
            self._add_unaccepted(mentor, mentee, status)
        for mentor, person in self._people.items():
            for mentee in self.random.sample(self._mentees, 7 if person["windows"] else 0):
                status = self.random.choice(["pending", "pending", "rejected", "cancelled"])
                if (mentor, mentee) not in self._pending:
                    self._add_unaccepted(mentor, mentee, status)

    def _add_unaccepted(
        self, mentor: str, mentee: str, status: str, start: datetime | None = None
    ) -> None:
        # A pending request is for one of the next free days; any other for the last weeks.
        days = list(itertools.islice(self._free_days(mentor, status != "pending"), 3))
        start = start or self.random.choice(self._slots(mentor, self.random.choice(days)))
        request = self._common("request", mentor, mentee, status, start)
        request["created_at"], answered_at = self._asked_and_answered(start)
        if status == "pending":
            self._pending.add((mentor, mentee))
        elif status == "rejected":
            request["rejection_reason"] = self._text("rejections")
        self._add_request(request, mentor, answered_at)

    def _add_request(self, request: Row, mentor: str, answered_at: datetime) -> None:
        status, mentee, asked_at = (request[n] for n in ("status", "mentee_id", "created_at"))
        request["updated_at"] = asked_at if status == "pending" else answered_at
        self.requests.append(request)
        steps: list[Step] = [("pending", mentee, asked_at)]
        if status != "pending":
            steps.append((status, mentee if status == "cancelled" else mentor, answered_at))
        self._add_changes("request", request, steps)

    def _common(self, kind: str, mentor: str, mentee: str, status: str, start: datetime) -> Row:
        """The columns that requests and sessions share."""
        person = self._people[mentor]
        return {
            "id": self._id(f"{status} {kind} {mentor} {mentee}"),
            "mentor_id": person["row"]["id"],
            "mentee_id": mentee,
            "topic": self.random.choice(person["topics"]),
            "message": self.random.choice([None, *self._texts["messages"]]),
            "start_time": start,
            "end_time": start + timedelta(minutes=person["slot"][0]),
            "location": person["row"].get("default_meeting_link"),
            "session_rate": person["rate"][0],
            "session_currency": person["rate"][1],
            "status": status,
        }

    # Values ------------------------------------------------------------------------------------

    def _slots(self, mentor: str, day: date) -> list[datetime]:
        """Start times within that day's windows, one session and its buffer after the other."""
        person = self._people[mentor]
        duration, buffer = (timedelta(minutes=minutes) for minutes in person["slot"])
        slots = []
        for window in person["windows"]:
            if window["day_of_week"] == day.weekday():
                zone = ZoneInfo(person["row"]["availability_timezone"])
                start, end = (_on(day, window[time], zone) for time in ("start_time", "end_time"))
                while start + duration <= end:
                    slots.append(start)
                    start += duration + buffer
        return slots

    def _day(self, days_from_now: int) -> date:
        return self.now.date() + timedelta(days=days_from_now)

    def _free_days(self, mentor: str, back: bool = False) -> Iterator[date]:
        """Days with windows and without a session: from tomorrow on, or from yesterday back."""
        for number in itertools.count(1):
            day = self.now.date() + timedelta(days=-number if back else number)
            if self._slots(mentor, day) and (mentor, day) not in self._busy:
                yield day

    def _asked_and_answered(self, asked_for: datetime) -> tuple[datetime, datetime]:
        asked_at = min(asked_for, self.now) - self._hours(25, 150)
        return asked_at, asked_at + self._hours(1, 20)

    def _hours(self, least: int, most: int) -> timedelta:
        return timedelta(minutes=self.random.randint(60 * least, 60 * most))

    def _text(self, kind: str) -> str:
        return self.random.choice(self._texts[kind])

    def _id(self, kind: str) -> str:
        return self._ids.pop(kind, None) or str(UUID(int=self.random.getrandbits(128), version=4))


def _on(day: date, time_of_day: str, zone: ZoneInfo) -> datetime:
    """``24:00`` is the end of the day."""
    hours, minutes = map(int, time_of_day.split(":"))
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    return (midnight + timedelta(hours=hours, minutes=minutes)).astimezone(UTC)
