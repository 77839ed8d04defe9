"""Rows of the demo: people, requests and sessions around a given instant.

The people are in ``people.toml``. What they do is random, but the same instant always gives the
same rows.
"""

import tomllib
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from mentorapi.schemas import examples

#: Two users with fixed ids, and with something in every list.
MENTOR, MENTEE = examples.MENTOR_USER, examples.MENTEE_USER

#: These mentors have sessions and requests in every state of the lists below with these mentees.
PARTNERS = {MENTOR: MENTEE, "joao-goncalves": MENTOR}

#: Ids of the first rows of these kinds: the examples of the OpenAPI document name them.
FIXED_IDS = {
    MENTOR: examples.MENTOR_ID,
    examples.FREE_MENTOR_USER: examples.FREE_MENTOR_ID,
    "window": examples.WINDOW_ID,
    "time off": examples.TIME_OFF_ID,
    f"pending request of {MENTEE}": examples.REQUEST_ID,
    f"confirmed session of {MENTEE}": examples.SESSION_ID,
}

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

#: States of past sessions, of coming ones, and of requests without a session, as often as they
#: occur. A reviewed session is completed, and has a review.
PAST = [*["reviewed"] * 9, *["completed"] * 3, *["cancelled"] * 2, "disputed", "pending_completion"]
COMING = [*["confirmed"] * 7, *["rescheduled"] * 2, "cancelled", "pending"]
NO_SESSION = [*["pending"] * 6, "rejected", "cancelled"]

Row = dict[str, Any]


class Story:
    """``rows``: the rows of each table, by its name."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.rows: defaultdict[str, list[Row]] = defaultdict(list)
        self._random = Random("mentorapi")
        self._ids = dict(FIXED_IDS)
        people = tomllib.loads(Path(__file__).with_name("people.toml").read_text(encoding="utf-8"))
        self._texts: dict[str, list[str]] = people["texts"]
        self._mentees = list(people["mentees"])
        names = {mentor["user_id"]: mentor["full_name"] for mentor in people["mentors"]}
        for user, name in (names | people["mentees"]).items():
            self.rows["users"].append({"id": user, "name": name, "email": f"{user}@example.com"})
        for mentor in people["mentors"]:
            calendar = mentor.pop("calendar", None)
            mentor = people["defaults"] | mentor | {"id": self._id(mentor["user_id"])}
            self.rows["mentors"].append(mentor)
            if calendar:
                self._add_calendar(mentor, calendar)
                self._add_sessions_and_requests(mentor)

    def _add_calendar(self, mentor: Row, calendar: Row) -> None:
        of_mentor = {"mentor_id": mentor["id"]}
        for text in calendar["hours"]:
            *days, start, end = text.replace("-", " ").split()
            for day in days:
                window = {"id": self._id("window"), "day_of_week": WEEKDAYS.index(day)}
                window |= {"start_time": start, "end_time": end}
                self.rows["availability_windows"].append(of_mentor | window)
        for override in calendar.get("overrides", []):
            day = self._day(override.pop("in_days"))
            self.rows["availability_overrides"].append(of_mentor | override | {"day": day})
        for time_off in calendar.get("time_off", []):
            first, last = map(self._day, time_off.pop("in_days"))
            days_off = {"id": self._id("time off"), "start_date": first, "end_date": last}
            self.rows["time_off"].append(of_mentor | time_off | days_off)

    def _add_sessions_and_requests(self, mentor: Row) -> None:
        partner = PARTNERS.get(mentor["user_id"])
        if partner == MENTEE:
            start = self.now.replace(second=0, microsecond=0) - timedelta(minutes=10)
            self._add_session(mentor, partner, "in_progress", start)
        for days, states, add in (
            (range(-1, -71, -1), PAST, self._add_session),
            (range(1, 8), COMING, self._add_session),
            # Three times: several mentees may ask for the same time.
            ([*range(8, 15)] * 3, NO_SESSION, self._add_request),
        ):
            with_partner = [(partner, status) for status in dict.fromkeys(states) if partner]
            mentees = cycle(self._random.sample(self._mentees, len(self._mentees)))
            for start in self._starts(mentor, days):
                if with_partner:
                    add(mentor, *with_partner.pop(0), start)
                elif self._random.random() < 0.5:
                    add(mentor, next(mentees), self._random.choice(states), start)

    def _add_request(self, mentor: Row, mentee: str, status: str, start: datetime) -> Row:
        asked_at = min(start, self.now) - timedelta(hours=self._random.randint(25, 150))
        request = {
            "id": self._id(f"{status} request of {mentee}"),
            "mentor_id": mentor["id"],
            "mentee_id": mentee,
            "topic": self._random.choice(mentor["expertise"]),
            "message": self._random.choice([None, *self._texts["messages"]]),
            "start_time": start,
            "end_time": start + timedelta(minutes=mentor["session_duration"]),
            "location": mentor["default_meeting_link"],
            "session_rate": mentor["session_rate"],
            "session_currency": mentor["session_currency"],
            "status": None,
            "created_at": asked_at,
        }
        self.rows["requests"].append(request)
        self._move(request, "pending", "request.created", asked_at, mentee)
        if status == "rejected":
            request["rejection_reason"] = self._random.choice(self._texts["rejections"])
        if status != "pending":
            user = mentee if status == "cancelled" else mentor["user_id"]
            self._move(request, status, f"request.{status}", asked_at + timedelta(hours=6), user)
        return request

    def _add_session(self, mentor: Row, mentee: str, status: str, start: datetime) -> None:
        # A rescheduled session was first agreed for the same hour a week earlier.
        moved_by = timedelta(days=7 if status == "rescheduled" else 0)
        request = self._add_request(mentor, mentee, "accepted", start - moved_by)
        session = request | {
            "id": self._id(f"{status} session of {mentee}"),
            "request_id": request["id"],
            "status": None,
            "created_at": request["updated_at"],
        }
        request["booking_id"] = session["id"]
        self.rows["bookings"].append(session)
        user = mentor["user_id"]
        self._move(session, "confirmed", "session.confirmed", request["updated_at"], user)
        if start < self.now and status != "cancelled":
            self._move(session, "in_progress", "session.started", start, "sweep")
        if status in ("pending_completion", "completed", "reviewed", "disputed"):
            end = session["end_time"]
            self._move(session, "pending_completion", "session.ended", end, "sweep")
        later = min(session["updated_at"] + timedelta(hours=4), self.now)
        if status == "rescheduled":
            session |= {"start_time": start, "end_time": session["end_time"] + moved_by}
            self._move(session, status, "session.rescheduled", later, user)
        elif status == "cancelled":
            reason = self._random.choice(self._texts["cancellations"])
            session |= {"cancelled_by": mentee, "cancellation_reason": reason}
            self._move(session, status, "session.cancelled", later, mentee)
        elif status == "pending":
            self._move(session, status, "session.updated", later, "database")
        elif status == "disputed":
            self._move(session, status, "session.disputed", later, mentee)
        elif status in ("completed", "reviewed"):
            self._move(session, "completed", "session.completed", later, mentee)
        if status == "reviewed":
            rating, _, comment = self._random.choice(self._texts["reviews"]).partition(" ")
            review = {"booking_id": session["id"], "mentor_id": mentor["id"], "mentee_id": mentee}
            review |= {"rating": int(rating), "comment": comment or None, "created_at": later}
            self.rows["reviews"].append(review)

    def _move(self, row: Row, status: str, event: str, at: datetime, actor: str) -> None:
        """Bring a request or a session into a state, and record it in its history."""
        is_session = "request_id" in row
        by_user = actor not in ("sweep", "database")
        self.rows["events"].append(
            {
                "type": event,
                "object_id": row["id"],
                "mentor_id": row["mentor_id"],
                "mentee_id": row["mentee_id"],
                "old_status": row["status"],
                "status": status,
                "start_time": row["start_time"] if is_session else None,
                "end_time": row["end_time"] if is_session else None,
                "is_history": True,
                "source": "user" if by_user else actor,
                "user_id": actor if by_user else None,
                "reason": row.get("rejection_reason") or row.get("cancellation_reason"),
                "created_at": at,
            }
        )
        row |= {"status": status, "updated_at": at}

    def _starts(self, mentor: Row, days: Iterable[int]) -> list[datetime]:
        """The starts of the mentor's windows on these days."""
        zone = ZoneInfo(mentor["availability_timezone"])
        return [
            datetime.combine(day, time.fromisoformat(window["start_time"]), zone).astimezone(UTC)
            for day in map(self._day, days)
            for window in self.rows["availability_windows"]
            if (window["mentor_id"], window["day_of_week"]) == (mentor["id"], day.weekday())
        ]

    def _day(self, days_from_now: int) -> date:
        return self.now.date() + timedelta(days=days_from_now)

    def _id(self, kind: str) -> str:
        return self._ids.pop(kind, None) or str(UUID(int=self._random.getrandbits(128), version=4))
