"""Rows of the demo: people, requests and sessions around a given instant.

The people are in ``people.toml``. Their requests and sessions are random, but the same instant
always gives the same rows.
"""

import itertools
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
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

#: The keys of a mentor that are not columns of the table mentors.
NO_COLUMNS = {"hours", "windows", "overrides", "time_off", "topics"}

#: States of sessions, as often as they occur. A reviewed session is completed, and has a review.
PAST = [*["reviewed"] * 12, *["completed"] * 4, *["cancelled"] * 3, "disputed"]
JUST_ENDED = [*PAST, *["pending_completion"] * 20]
COMING = [*["confirmed"] * 7, *["rescheduled"] * 2, "cancelled"]

#: Type and source of the events that are not called after the new state, or that no user causes.
EVENTS = {
    "request.pending": ("request.created", "user"),
    "session.pending": ("session.updated", "database"),
    "session.in_progress": ("session.started", "sweep"),
    "session.pending_completion": ("session.ended", "sweep"),
}
#: States that the mentor causes. The mentee causes the others that a user causes.
BY_MENTOR = {"accepted", "rejected", "confirmed", "rescheduled"}
REASONS = {"rejected": "rejection_reason", "cancelled": "cancellation_reason"}

Row = dict[str, Any]


class Story:
    """Rows by table. A mentor or a mentee has at most one session a day."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.random = Random("mentorapi")
        self.rows: defaultdict[str, list[Row]] = defaultdict(list)
        self._ids = dict(FIXED_IDS)
        #: Days on which a user has a session.
        self._busy: set[tuple[str, date]] = set()

        people = tomllib.loads(Path(__file__).with_name("people.toml").read_text(encoding="utf-8"))
        self._texts: dict[str, list[str]] = people["texts"]
        self._people: dict[str, Row] = {}
        for person in people["mentors"]:
            self._add_mentor(people["defaults"] | person)
        for mentee, name in people["mentees"].items():
            self._add_user(mentee, name)
        self._mentees = [MENTEE, *people["mentees"]]
        mentors = [mentor for mentor, person in self._people.items() if person["windows"]]
        self._add_sessions_of_examples()
        for mentor in mentors:
            self._add_sessions_of_weeks(mentor)
        self._add_unaccepted_requests(mentors)

    # People --------------------------------------------------------------------------------------

    def _add_mentor(self, person: Row) -> None:
        user = person["user_id"]
        self._people[user] = person
        of_mentor = {"mentor_id": self._id(user)}
        person["id"] = of_mentor["mentor_id"]
        if "bio" in person:
            person["profile_image_url"] = f"https://example.com/avatars/{user}.png"
            person["default_meeting_link"] = f"https://meet.example.com/{user}"
            person["links"] = {"website": f"https://{user}.example.com"}
        joined_at = self._add_user(user, person["full_name"], person.get("profile_image_url"))
        person["created_at"] = person["updated_at"] = joined_at
        self.rows["mentors"].append({key: person[key] for key in person if key not in NO_COLUMNS})
        person["windows"] = []
        for text in person["hours"]:
            *days, start, end = text.replace("-", " ").split()
            for day in days:
                window = of_mentor | {"id": self._id("window"), "day_of_week": WEEKDAYS.index(day)}
                person["windows"].append(window | {"start_time": start, "end_time": end})
        self.rows["availability_windows"] += person["windows"]
        for override in person["overrides"]:
            day = self._day(override.pop("in_days"))
            self.rows["availability_overrides"].append(of_mentor | {"day": day} | override)
        for time_off in person["time_off"]:
            first, last = map(self._day, time_off.pop("in_days"))
            time_off |= {"id": self._id("time off"), "start_date": first, "end_date": last}
            self.rows["time_off"].append(of_mentor | time_off)

    def _add_user(self, user: str, name: str, picture: str | None = None) -> datetime:
        joined_at = self.now - timedelta(days=self.random.randint(100, 300))
        row = {"id": user, "name": name, "email": f"{user}@example.com", "picture": picture}
        self.rows["users"].append(row | {"created_at": joined_at, "updated_at": joined_at})
        return joined_at

    # Sessions ------------------------------------------------------------------------------------

    def _add_sessions_of_examples(self) -> None:
        """Sessions in every state between the two users with fixed ids."""
        minutes = timedelta(minutes=10 + self.now.minute % 5)
        started = (self.now - minutes).replace(second=0, microsecond=0)
        self._add_session(MENTOR, MENTEE, "in_progress", started)
        past = ["pending_completion", "completed", "disputed", "reviewed", "reviewed"]
        coming = ["confirmed", "rescheduled", "pending", "cancelled"]
        sessions = [(MENTOR, MENTEE, status) for status in past + coming]
        # The mentor is a mentee of another mentor, too.
        sessions += [("soren-kjaer", MENTOR, "reviewed"), ("soren-kjaer", MENTOR, "confirmed")]
        for mentor, mentee, status in sessions:
            day = next(self._free_days(mentor, back=status in past))
            self._add_session(mentor, mentee, status, self._starts(mentor, day)[0])

    def _add_sessions_of_weeks(self, mentor: str) -> None:
        """Ten past weeks, and almost two to come with half as many sessions."""
        for number in (*range(-70, 0), *range(1, 14)):
            day = self._day(number)
            starts = self._starts(mentor, day)
            chance = 0.7 if number < 0 else 0.35
            if starts and (mentor, day) not in self._busy and self.random.random() < chance:
                free = [mentee for mentee in self._mentees if (mentee, day) not in self._busy]
                states = PAST if number < -2 else JUST_ENDED if number < 0 else COMING
                choose = self.random.choice
                self._add_session(mentor, choose(free), choose(states), choose(starts))

    def _add_session(self, mentor: str, mentee: str, status: str, start: datetime) -> None:
        self._busy |= {(mentor, start.date()), (mentee, start.date())}
        reviewed = status == "reviewed"
        status = "completed" if reviewed else status
        # Moved by a week, to the same weekday: the first time was within the windows, too.
        asked_for = start - timedelta(days=7) if status == "rescheduled" else start
        request = self._add_request(mentor, mentee, "accepted", asked_for)
        confirmed_at, end = request["updated_at"], start + (request["end_time"] - asked_for)
        steps = {"confirmed": confirmed_at, "in_progress": start, "pending_completion": end}
        before = end if status in ("completed", "disputed") else confirmed_at
        steps.setdefault(status, min(before + self._hours(1, 10), self.now))
        session = request | {
            "id": self._id(f"{status} session {mentor} {mentee}"),
            "request_id": request["id"],
            "status": status,
            "start_time": start,
            "end_time": end,
            "created_at": confirmed_at,
            "updated_at": steps[status],
        }
        request["booking_id"] = session["id"]
        if status == "cancelled":
            session |= {"cancelled_by": mentee, "cancellation_reason": self._text("cancellations")}
        self.rows["bookings"].append(session)
        for event in self._add_history("session", mentor, session, steps):
            event |= {"start_time": start, "end_time": end}
            if event["status"] == "confirmed":
                event |= {"start_time": asked_for, "end_time": request["end_time"]}
        if reviewed:
            rating, _, comment = self._text("reviews").partition(" ")
            self.rows["reviews"].append(
                {
                    "booking_id": session["id"],
                    "mentor_id": session["mentor_id"],
                    "mentee_id": mentee,
                    "rating": int(rating),
                    "comment": comment or None,
                    "created_at": min(session["updated_at"] + self._hours(1, 24), self.now),
                }
            )

    # Requests ------------------------------------------------------------------------------------

    def _add_unaccepted_requests(self, mentors: list[str]) -> None:
        # Three ask for the same time; the mentor can accept one of them.
        start = self._starts(MENTOR, next(self._free_days(MENTOR)))[-1]
        rivals = [MENTEE, "divya-menon", "henrik-aho"]
        for mentee in rivals:
            self._add_request(MENTOR, mentee, "pending", start)
        requests = [
            (MENTOR, MENTEE, "rejected"),
            (MENTOR, MENTEE, "cancelled"),
            ("eleni-papadopoulou", MENTOR, "pending"),
            ("eleni-papadopoulou", MENTOR, "cancelled"),
            ("zoe-vandenberghe", MENTOR, "rejected"),
        ]
        others = [mentee for mentee in self._mentees if mentee not in rivals]
        for mentor in mentors:
            mentees = self.random.sample(others, 5)
            states = ["pending", "pending", "pending", "rejected", "cancelled"]
            requests += zip([mentor] * 5, mentees, states, strict=True)
        for mentor, mentee, status in requests:
            days = [*itertools.islice(self._free_days(mentor), 3)]
            start = self.random.choice(self._starts(mentor, self.random.choice(days)))
            self._add_request(mentor, mentee, status, start)

    def _add_request(self, mentor: str, mentee: str, status: str, start: datetime) -> Row:
        person = self._people[mentor]
        asked_at = min(start, self.now) - self._hours(25, 150)
        request = {
            "id": self._id(f"{status} request {mentor} {mentee}"),
            "mentor_id": person["id"],
            "mentee_id": mentee,
            "topic": self.random.choice(person["topics"]),
            "message": self.random.choice([None, *self._texts["messages"]]),
            "start_time": start,
            "end_time": start + timedelta(minutes=person["session_duration"]),
            "location": person["default_meeting_link"],
            "session_rate": person["session_rate"],
            "session_currency": person["session_currency"],
            "status": status,
            "created_at": asked_at,
            "updated_at": asked_at if status == "pending" else asked_at + self._hours(1, 12),
        }
        if status == "rejected":
            request["rejection_reason"] = self._text("rejections")
        self.rows["requests"].append(request)
        steps = {"pending": asked_at, status: request["updated_at"]}
        self._add_history("request", mentor, request, steps)
        return request

    def _add_history(
        self, kind: str, mentor: str, row: Row, steps: dict[str, datetime]
    ) -> list[Row]:
        """Add the events of the row's states until now. ``steps`` are states with their times."""
        events: list[Row] = []
        for status, changed_at in steps.items():
            if changed_at > row["updated_at"]:
                continue
            state = f"{kind}.{status}"
            event_type, source = EVENTS.get(state, (state, "user"))
            user = mentor if status in BY_MENTOR else row["mentee_id"]
            events.append(
                {
                    "type": event_type,
                    "object_id": row["id"],
                    "mentor_id": row["mentor_id"],
                    "mentee_id": row["mentee_id"],
                    "old_status": events[-1]["status"] if events else None,
                    "status": status,
                    "is_history": True,
                    "user_id": user if source == "user" else None,
                    "source": source,
                    "reason": row.get(REASONS.get(status, "")),
                    "created_at": changed_at,
                }
            )
        self.rows["events"] += events
        return events

    # Values --------------------------------------------------------------------------------------

    def _starts(self, mentor: str, day: date) -> list[datetime]:
        """When the mentor's windows of that day begin."""
        zone = ZoneInfo(self._people[mentor]["availability_timezone"])
        return [
            datetime.combine(day, time.fromisoformat(window["start_time"]), zone).astimezone(UTC)
            for window in self._people[mentor]["windows"]
            if window["day_of_week"] == day.weekday()
        ]

    def _day(self, days_from_now: int) -> date:
        return self.now.date() + timedelta(days=days_from_now)

    def _free_days(self, mentor: str, back: bool = False) -> Iterator[date]:
        """Days with windows and without a session: from tomorrow on, or from yesterday back."""
        for number in itertools.count(1):
            day = self._day(-number if back else number)
            if self._starts(mentor, day) and (mentor, day) not in self._busy:
                yield day

    def _hours(self, least: int, most: int) -> timedelta:
        return timedelta(minutes=self.random.randint(60 * least, 60 * most))

    def _text(self, kind: str) -> str:
        return self.random.choice(self._texts[kind])

    def _id(self, kind: str) -> str:
        return self._ids.pop(kind, None) or str(UUID(int=self.random.getrandbits(128), version=4))
