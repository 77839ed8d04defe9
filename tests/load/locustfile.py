"""Users for soak tests: they browse, search, read slots, request, accept, move and review.

``python -m tests.load.soak`` runs them against a seeded server. By hand, beside a server with the
same ``MENTORAPI_JWT_SECRET``:
``locust -f tests/load/locustfile.py --host http://127.0.0.1:8000 --headless -u 50 -r 10 -t 10m``.
Refusals that a user can meet (409) are no failures.
"""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from typing import Any

from locust import HttpUser, between, task

from mentorapi.auth.development import make_token

SECRET = os.environ["MENTORAPI_JWT_SECRET"]

#: Mentees who review in turns. The server keeps something about each user and each token: with new
#: ones without end its memory would grow for as long as a soak takes.
REVIEWERS = 2000

WORDS = [
    "design",
    "python",
    "career",
    "desing",
    "leadership",
    "react",
    "zoe",
    "amara",
    "negotiation",
    "data",
    "rust",
]

numbers = count(1)


@cache
def token_of(sub: str, name: str | None) -> str:
    return make_token(SECRET, sub=sub, ttl_seconds=86_400, name=name)


class Person(HttpUser):
    """Somebody with a token of their own."""

    abstract = True
    wait_time = between(0.05, 0.5)

    def on_start(self) -> None:
        sub = f"{type(self).__name__.lower()}-{os.getpid()}-{next(numbers)}"
        self.become(sub, name=sub.title())

    def become(self, sub: str, name: str | None = None) -> None:
        self.client.headers["Authorization"] = f"Bearer {token_of(sub, name)}"

    def call(self, method: str, path: str, name: str, **more: Any) -> Any:
        with self.client.request(
            method, f"/api{path}", name=f"{method} {name}", catch_response=True, **more
        ) as response:
            if response.status_code == 409:
                response.success()
            return response.json() if response.status_code < 300 else None


class Mentee(Person):
    weight = 5

    @task(10)
    def browse(self) -> None:
        page = random.randint(1, 5)
        for mentor in (self.call("GET", f"/mentors?limit=20&page={page}", "/mentors") or [])[:3]:
            self.call("GET", f"/mentors/{mentor['id']}", "/mentors/:id")
            self.call("GET", f"/mentors/{mentor['id']}/reviews", "/mentors/:id/reviews")

    @task(5)
    def search(self) -> None:
        word = random.choice(WORDS)
        self.call("GET", f"/mentors/search?q={word}&limit=20", "/mentors/search")

    @task(5)
    def ask(self) -> None:
        mentors = self.call("GET", "/mentors?limit=100", "/mentors")
        if not mentors:
            return
        mentor = random.choice(mentors)["id"]
        free = self.call("GET", f"/mentors/{mentor}/availability", "/mentors/:id/availability")
        if not free or not free["slots"]:
            return
        slot = random.choice(free["slots"])
        body = {
            "mentorId": mentor,
            "topic": "Career advice",
            "scheduledDate": slot["date"],
            "scheduledTime": slot["startTime"],
        }
        self.call("POST", "/requests", "/requests", json=body)

    @task(3)
    def look_after_mine(self) -> None:
        self.call("GET", "/requests?role=sent&limit=20", "/requests")
        sessions = self.call("GET", "/sessions?role=mentee&upcoming=true", "/sessions") or []
        if len(sessions) > 5:
            self.call("POST", f"/sessions/{sessions[0]['id']}/cancel", "/sessions/:id/cancel")


class Reviewer(Person):
    """One of the mentees of ``seed.sql``, with old sessions that nobody has reviewed."""

    weight = 1

    def on_start(self) -> None:
        self.become(f"mentee-{random.randint(2, REVIEWERS)}")

    @task
    def review(self) -> None:
        query = "role=mentee&status=completed&limit=20"
        for session in self.call("GET", f"/sessions?{query}", "/sessions") or []:
            if session["review"] is None:
                review = {"rating": random.randint(3, 5), "comment": "Clear and to the point."}
                self.call(
                    "POST", f"/sessions/{session['id']}/review", "/sessions/:id/review", json=review
                )
                return
        self.on_start()


class MentorAtWork(Person):
    weight = 1

    def on_start(self) -> None:
        """One of the best mentors, whom the other users see and ask first."""
        best = self.call("GET", "/mentors?limit=100", "/mentors")
        self.become(random.choice(best)["userId"])
        windows = [{"dayOfWeek": day, "startTime": "08:00", "endTime": "20:00"} for day in range(7)]
        self.call("PUT", "/mentor/availability", "/mentor/availability", json={"slots": windows})
        self.call(
            "PATCH",
            "/mentor/me",
            "/mentor/me",
            json={"headline": f"{random.choice(WORDS)} lead", "expertise": random.sample(WORDS, 3)},
        )

    @task(5)
    def answer(self) -> None:
        self.call("GET", "/requests/pending-count", "/requests/pending-count")
        pending = self.call("GET", "/requests?role=received&status=pending", "/requests") or []
        for request in pending[:3]:
            action = random.choice(["accept", "accept", "reject"])
            self.call("POST", f"/requests/{request['id']}/{action}", f"/requests/:id/{action}")

    @task(2)
    def move(self) -> None:
        sessions = self.call("GET", "/sessions?role=mentor&upcoming=true", "/sessions") or []
        if sessions:
            start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
            start += timedelta(days=random.randint(1, 60), hours=random.randint(0, 23))
            times = {
                "newStartTime": start.isoformat(),
                "newEndTime": (start + timedelta(hours=1)).isoformat(),
            }
            path = f"/sessions/{random.choice(sessions)['id']}/reschedule"
            self.call("PUT", path, "/sessions/:id/reschedule", json=times)

    @task(1)
    def look_at_the_figures(self) -> None:
        self.call("GET", "/mentor/dashboard", "/mentor/dashboard")
        self.call("GET", "/mentor/me", "/mentor/me")
