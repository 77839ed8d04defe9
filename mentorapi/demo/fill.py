"""People and sessions to look around in: what ``run.py demo`` fills an empty database with.

Who they are stands in ``demo.toml``; here they get times, relative to the database's clock. The
same clock makes the same story.
"""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import orjson

from mentorapi.auth.development import make_token
from mentorapi.config import Settings
from mentorapi.database import statements
from mentorapi.database.pool import Database
from mentorapi.errors import StartupError
from mentorapi.schemas import examples

#: Two people whose ids never change, with something in every list.
MENTOR, MENTEE = examples.MENTOR_USER, examples.MENTEE_USER

TOKEN_DAYS = 30
DAYS_BACK, DAYS_AHEAD = 70, 13


async def fill(pool: Database, settings: Settings) -> str:
    """Returns what to do next, for the terminal. Raises StartupError if anybody is in there."""
    async with statements.transaction(pool) as connection:
        await statements.demo.lock(connection)
        database = await statements.demo.look(connection)
        if not database["is_empty"]:
            raise StartupError(
                "the database has data in it, and demo fills an empty one only"
                " (MENTORAPI_DATA_DIR may name a new folder)"
            )
        story = Story(database["now"])
        await statements.demo.people(connection, people=_json(story.people))
        await statements.demo.mentors(
            connection, mentors=_json(story.profiles), windows=_json(story.windows)
        )
        await statements.demo.sessions(connection, sessions=_json(story.sessions))
        await statements.demo.requests(connection, requests=_json(story.requests))
        await statements.demo.history(connection)
        landmarks = await statements.demo.landmarks(connection, mentor=MENTOR, mentee=MENTEE)
    return _signpost(landmarks, settings)


def _json(rows: list[dict[str, Any]]) -> str:
    return orjson.dumps(rows).decode()


# What happened ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mentor:
    sub: str
    duration: timedelta
    buffer: timedelta
    topics: list[str]
    demand: int
    windows: list[dict[str, Any]]

    def slots(self, day: date) -> list[datetime]:
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        return [
            midnight + start
            for window in self.windows
            if window["day"] == day.weekday()
            for start in self._starts(
                _since_midnight(window["start_time"]), _since_midnight(window["end_time"])
            )
        ]

    def _starts(self, start: timedelta, end: timedelta) -> Iterator[timedelta]:
        while start + self.duration <= end:
            yield start
            start += self.duration + self.buffer


class Story:
    """Rows for the statements of ``sql/demo``. One session of a mentor a day, at most."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.random = Random("mentorapi")
        told = tomllib.loads(Path(__file__).with_name("people.toml").read_text(encoding="utf-8"))
        self.texts: dict[str, list[str]] = told["texts"]
        self.reviews: list[dict[str, Any]] = told["reviews"]
        self.mentees: list[str] = list(told["mentees"])
        names: dict[str, str] = told["mentees"] | {m["sub"]: m["name"] for m in told["mentors"]}
        pictures = {m["sub"]: m.get("picture") for m in told["mentors"]}
        joined = {sub: now - timedelta(days=self.random.randint(100, 300)) for sub in names}

        self.people = [
            {"sub": sub, "name": name, "picture": pictures.get(sub), "joined_at": joined[sub]}
            for sub, name in names.items()
        ]
        self.profiles = [
            {name: value for name, value in m.items() if name not in ("hours", "demand", "topics")}
            | {"private": m.get("private", False), "joined_at": joined[m["sub"]]}
            for m in told["mentors"]
        ]
        self.windows: list[dict[str, Any]] = []
        self.sessions: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []
        self._busy: set[tuple[str, date]] = set()
        # The example of POST /requests asks this mentor for a session.
        self._pending = {(examples.FREE_MENTOR_USER, MENTEE)}

        mentors = {m["sub"]: self._mentor(m) for m in told["mentors"]}
        self._tell_of_sessions(mentors)
        self._tell_of_requests(mentors)
        self._use_ids_of_examples()

    def _mentor(self, told: dict[str, Any]) -> Mentor:
        windows = [
            {"mentor": told["sub"], **window} for text in told["hours"] for window in _windows(text)
        ]
        self.windows += windows
        return Mentor(
            told["sub"],
            timedelta(minutes=told["duration"]),
            timedelta(minutes=told["buffer"]),
            told["topics"],
            told["demand"],
            windows,
        )

    def _tell_of_sessions(self, mentors: dict[str, Mentor]) -> None:
        amara = mentors[MENTOR]
        self._now(amara, MENTEE)
        self._now(mentors["nokuthula-dlamini"], "grace-wanjiru")
        past = ["pending_completion", "completed", "disputed", "cancelled", "reviewed", "reviewed"]
        for status, day in zip(past, self._days(amara, back=True), strict=False):
            self._session(amara, MENTEE, status, amara.slots(day)[0])
        coming = ["confirmed", "rescheduled", "pending", "cancelled"]
        for status, day in zip(coming, self._days(amara), strict=False):
            self._session(amara, MENTEE, status, amara.slots(day)[0])
        # A mentor may have a mentor, too.
        soren = mentors["soren-kjaer"]
        for status, back in ("reviewed", True), ("confirmed", False):
            self._session(soren, MENTOR, status, soren.slots(next(self._days(soren, back)))[0])
        for mentor in mentors.values():
            self._rest(mentor)

    def _now(self, mentor: Mentor, mentee: str) -> None:
        minutes = timedelta(minutes=10 + self.now.minute % 5)
        start = (self.now - minutes).replace(second=0, microsecond=0)
        self._session(mentor, mentee, "in_progress", start)

    def _rest(self, mentor: Mentor) -> None:
        """Ten busy weeks behind, two filling up ahead."""
        open_days = len({window["day"] for window in mentor.windows})
        for number in itertools.chain(range(-DAYS_BACK, 0), range(1, DAYS_AHEAD + 1)):
            day = self._today + timedelta(days=number)
            slots = mentor.slots(day)
            demand = mentor.demand if number < 0 else mentor.demand / 2
            if slots and self._is_free(mentor.sub, day) and self._chance(demand / open_days):
                mentee = self._somebody(mentor, day)
                self._session(mentor, mentee, self._status(number), self.random.choice(slots))

    def _status(self, days_from_now: int) -> str:
        if days_from_now > 0:
            return self.random.choice([*["confirmed"] * 7, *["rescheduled"] * 2, "cancelled"])
        if days_from_now >= -2 and self._chance(0.5):
            return "pending_completion"
        return self.random.choice(
            [*["reviewed"] * 12, *["completed"] * 4, *["cancelled"] * 3, "disputed"]
        )

    def _session(self, mentor: Mentor, mentee: str, status: str, start: datetime) -> None:
        """``status`` is that of the session, or ``reviewed``: completed and reviewed."""
        self._busy |= {(mentor.sub, start.date()), (mentee, start.date())}
        # Moved by a week, to the same weekday: what was asked for lay within the windows as well.
        asked_for = start - timedelta(days=7) if status == "rescheduled" else start
        asked_at, answered_at = self._asked_and_answered(asked_for)
        settled_at = answered_at + timedelta(minutes=50)
        if status in ("completed", "reviewed", "disputed"):
            settled_at = start + mentor.duration + self._hours(1, 10)
        elif status in ("in_progress", "pending_completion"):
            over = mentor.duration + timedelta(minutes=15)
            settled_at = start if status == "in_progress" else start + over
        row = {
            "mentor": mentor.sub,
            "mentee": mentee,
            "topic": self.random.choice(mentor.topics),
            "message": self.random.choice([None, *self.texts["messages"]]),
            # A pending session is one that somebody made by hand.
            "asked_for": None if status == "pending" else asked_for,
            "start_time": start,
            "status": "completed" if status == "reviewed" else status,
            "asked_at": asked_at,
            "answered_at": answered_at,
            "settled_at": min(settled_at, self.now),
        }
        if status == "cancelled":
            row["cancelled_by"] = self.random.choice([mentor.sub, mentee])
            row["reason"] = self.random.choice(self.texts["cancellations"])
        if status == "reviewed":
            row["reviewed_at"] = min(settled_at + self._hours(1, 24), self.now)
            row |= self.random.choice(self.reviews)
        self.sessions.append(row)

    def _tell_of_requests(self, mentors: dict[str, Mentor]) -> None:
        amara = mentors[MENTOR]
        day = next(self._days(amara))
        # Three ask for one time: the first whom she accepts gets it.
        for mentee in (MENTEE, "divya-menon", "henrik-aho"):
            self._request(amara, mentee, "pending", amara.slots(day)[-1])
        eleni, zoe = mentors["eleni-papadopoulou"], mentors["zoe-vandenberghe"]
        for mentor, mentee, statuses in (
            (amara, MENTEE, ["rejected", "cancelled"]),
            (eleni, MENTOR, ["pending", "cancelled"]),
            (zoe, MENTOR, ["rejected"]),
        ):
            for status in statuses:
                self._request(mentor, mentee, status, self._slot(mentor, status))
        for mentor in mentors.values():
            for mentee in self.random.sample(self.mentees, 4 if mentor.demand else 0):
                status = self.random.choice(["pending", "pending", "rejected", "cancelled"])
                if (mentor.sub, mentee) not in self._pending:
                    self._request(mentor, mentee, status, self._slot(mentor, status))

    def _slot(self, mentor: Mentor, status: str) -> datetime:
        """A free one to come for a request that waits, any of the last weeks for an old one."""
        if status == "pending":
            days = list(itertools.islice(self._days(mentor), 3))
        else:
            weeks = [self._today - timedelta(days=number) for number in range(1, 36)]
            days = [day for day in weeks if mentor.slots(day)]
        return self.random.choice(mentor.slots(self.random.choice(days)))

    def _request(self, mentor: Mentor, mentee: str, status: str, start: datetime) -> None:
        asked_at, answered_at = self._asked_and_answered(start)
        reason = self.random.choice(self.texts["rejections"])
        if status == "pending":
            self._pending.add((mentor.sub, mentee))
        self.requests.append(
            {
                "mentor": mentor.sub,
                "mentee": mentee,
                "topic": self.random.choice(mentor.topics),
                "message": self.random.choice(self.texts["messages"]),
                "start_time": start,
                "status": status,
                "reason": reason if status == "rejected" else None,
                "asked_at": asked_at,
                "answered_at": asked_at if status == "pending" else answered_at,
            }
        )

    def _use_ids_of_examples(self) -> None:
        """So that the examples in the API's description work as they stand."""
        both = {"mentor": MENTOR, "mentee": MENTEE}
        for rows, id_, wanted in (
            (self.profiles, examples.MENTOR_ID, {"sub": MENTOR}),
            (self.profiles, examples.FREE_MENTOR_ID, {"sub": examples.FREE_MENTOR_USER}),
            (self.windows, examples.WINDOW_ID, {"mentor": MENTOR}),
            (self.requests, examples.REQUEST_ID, {**both, "status": "pending"}),
            (self.sessions, examples.SESSION_ID, {**both, "status": "confirmed"}),
        ):
            row = next(row for row in rows if wanted.items() <= row.items())
            row["id"] = id_

    # Who and when ------------------------------------------------------------------------------

    @property
    def _today(self) -> date:
        return self.now.date()

    def _days(self, mentor: Mentor, back: bool = False) -> Iterator[date]:
        """Days with windows and without a session, from tomorrow on or from yesterday back."""
        for number in itertools.count(1):
            day = self._today + timedelta(days=-number if back else number)
            if mentor.slots(day) and self._is_free(mentor.sub, day):
                yield day

    def _is_free(self, sub: str, day: date) -> bool:
        return (sub, day) not in self._busy

    def _somebody(self, mentor: Mentor, day: date) -> str:
        return self.random.choice([sub for sub in self.mentees if self._is_free(sub, day)])

    def _asked_and_answered(self, asked_for: datetime) -> tuple[datetime, datetime]:
        asked_at = min(asked_for, self.now) - self._hours(25, 150)
        return asked_at, asked_at + self._hours(1, 20)

    def _hours(self, least: int, most: int) -> timedelta:
        return timedelta(minutes=self.random.randint(60 * least, 60 * most))

    def _chance(self, probability: float) -> bool:
        return self.random.random() < probability


DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def _windows(text: str) -> Iterator[dict[str, Any]]:
    """Of a text such as ``Tue Thu 14:00-18:00``."""
    *days, hours = text.split()
    start, _, end = hours.partition("-")
    for day in days:
        yield {"day": DAYS.index(day), "start_time": start, "end_time": end}


def _since_midnight(time_of_day: str) -> timedelta:
    hours, minutes = time_of_day.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))


# What next -------------------------------------------------------------------------------------


def _signpost(landmarks: Any, settings: Settings) -> str:
    api = f"{settings.public_url or _own_url(settings)}/api"
    people = (
        f"In the database: {landmarks['mentors']} mentors, {landmarks['mentees']} mentees,"
        f" {landmarks['sessions']} sessions, {landmarks['reviews']} reviews."
    )
    if settings.jwt_secret is None:
        tokens = [f"Let your issuer make tokens for {MENTOR} and {MENTEE}, and set:", ""]
        tokens += ["MENTOR=…", "MENTEE=…"]
    else:
        tokens = [f"Tokens of {MENTOR} and {MENTEE}, for {TOKEN_DAYS} days:", ""]
        tokens += [f"MENTOR={_token(settings, MENTOR)}", f"MENTEE={_token(settings, MENTEE)}"]
    return "\n".join(
        [
            people,
            *tokens,
            "",
            "While run.py serves: free times, the mentee's coming sessions, the mentor's yes:",
            "",
            f"curl -s {api}/mentors/{landmarks['mentor_id']}/availability",
            f"curl -s -H \"Authorization: Bearer $MENTEE\" '{api}/sessions?upcoming=true'",
            'curl -s -X POST -H "Authorization: Bearer $MENTOR"'
            f" {api}/requests/{landmarks['request_id']}/accept",
        ]
    )


def _token(settings: Settings, sub: str) -> str:
    return make_token(
        settings.jwt_secret or "",
        sub=sub,
        ttl_seconds=TOKEN_DAYS * 86_400,
        iss=settings.jwt_issuer,
        aud=settings.jwt_audience,
    )


def _own_url(settings: Settings) -> str:
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
