"""The API compared with the model: random allowed and forbidden actions while time passes.

After each step, the API must show what the model shows.

``pytest tests/rules/test_model.py --model-examples=200 --model-steps=100`` runs longer, with other
random histories each time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from tornado.ioloop import IOLoop

from tests.client import Api, Response, User, is_error
from tests.clock import Clock
from tests.conftest import tried
from tests.rules.model import (
    ACTIONS,
    ANSWERS,
    DAY,
    MINUTE,
    POLICY,
    Mentor,
    Person,
    Refused,
    Request,
    Session,
    World,
    iso,
)
from tests.serving import WorkerDatabase

EXAMPLES = 5
STEPS = 60


MENTORS = ("mia", "noa")
MENTEES = ("ann", "ben", "cem")
STRANGER = "sly"

DAYS_SHOWN = 4

#: When a history begins: shortly before the clocks change in New York, and later than now, since
#: tokens and memories use the real clock.
DAWNS = [datetime(2030, 3, 9, 8, tzinfo=UTC), datetime(2030, 11, 2, 8, tzinfo=UTC)]

#: None: no change. In New York the clocks change soon after the beginning of each history.
ZONES = [None, None, "UTC", "America/New_York", "America/New_York", "Asia/Kathmandu"]

REQUEST_STATES = ("pending", "accepted", "rejected", "cancelled")
SESSION_STATES = (
    "pending",
    "confirmed",
    "rescheduled",
    "in_progress",
    "pending_completion",
    "completed",
    "disputed",
    "cancelled",
)

REASONS = st.sampled_from([None, "", "Something came up"])
DAYS = st.sets(st.integers(0, 6), min_size=1)
QUARTERS = st.lists(st.integers(0, 96), min_size=2, max_size=8, unique=True)


def test_run_random_history_agrees_with_the_model(
    api: Api,
    clock: Clock,
    emptied: WorkerDatabase,
    io_loop: IOLoop,
    request: pytest.FixtureRequest,
) -> None:
    examples = request.config.getoption("--model-examples")
    steps = request.config.getoption("--model-steps")
    bounded = examples is None and steps is None
    run = io_loop.run_sync
    run_state_machine_as_test(
        lambda: Mentorship(api, clock, run, emptied),
        settings=settings(
            max_examples=examples or EXAMPLES,
            stateful_step_count=steps or STEPS,
            derandomize=bounded,
            database=None,
            deadline=None,
            print_blob=not bounded,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )


class Mentorship(RuleBasedStateMachine):
    def __init__(
        self, api: Api, clock: Clock, run: Callable[[Any], Any], database: WorkerDatabase
    ) -> None:
        super().__init__()
        self.api = api
        self.clock = clock
        self.run = run
        self.database = database
        self.step = 0
        #: The last response to each user.
        self.last: dict[str, Any] = {}
        self.world = World(
            DAWNS[0],
            [Mentor(sub) for sub in MENTORS] + [Person(sub) for sub in (*MENTEES, STRANGER)],
        )
        *_, ann, ben, cem, self.stranger = self.world.people.values()
        self.mentees = [ann, ben, cem]
        self.clients = {sub: api.user(sub) for sub in self.world.people}

    # Draws ---------------------------------------------------------------------------------

    def person(self, data: st.DataObject, *likely: Person) -> Person:
        """Draw a person: usually one of those with the right to act."""
        return data.draw(st.sampled_from([*likely * 6, *self.world.people.values()]), "by")

    def mentor(self, data: st.DataObject) -> Mentor:
        return data.draw(st.sampled_from(self.world.mentors), "mentor")

    def latest(self, data: st.DataObject, things: list[Any], settled: tuple[str, ...]) -> Any:
        """Draw one of the last few, usually one that is not in these states."""
        open_ones = [one for one in things if one.status not in settled]
        return data.draw(st.sampled_from(open_ones[-6:] * 4 + things[-4:]), "which")

    def time(self, data: st.DataObject, mentor: Mentor, minutes: int) -> datetime:
        """Draw a time on the mentor's grid, beside a live session, or any time."""
        world = self.world
        grid = [start for start, _ in world.grid(mentor, world.now.date(), DAYS_SHOWN)]
        touching = [
            edge
            for one in world.sessions
            if one.mentor is mentor and one.live
            for edge in (
                one.end + mentor.buffer * MINUTE,
                one.start - (mentor.buffer + minutes) * MINUTE,
                one.start,
            )
        ]
        some = data.draw(st.integers(-4, 200), "quarters from now")
        any_time = world.now + some * 15 * MINUTE
        kinds = [st.just(any_time)]
        if grid:
            kinds += [st.sampled_from(grid)] * 2
        if touching:
            off = st.sampled_from([0, 0, 0, -1, 1])
            kinds += [
                st.builds(lambda edge, by: edge + by * MINUTE, st.sampled_from(touching), off)
            ] * 2
        return data.draw(st.one_of(kinds), "at")

    # Calls ---------------------------------------------------------------------------------

    def call(
        self,
        by: Person,
        method: str,
        path: str,
        body: Any,
        expected: Callable[[], Any],
        status: int = 200,
    ) -> tuple[Response, Any]:
        """Return the responses of the API and of the model. Both must refuse alike, or neither."""
        response = self.run(lambda: self.clients[by.sub].request(method, f"/{path}", body))
        try:
            result = expected()
        except Refused as refused:
            tried["refusals that the model foretold"] += 1
            is_error(response, refused.status, refused.message)
            return response, None
        assert response.status == status, (response, "where the model has no objection")
        return response, result

    # What happens --------------------------------------------------------------------------

    @rule(data=st.data())
    def something_happens(self, data: st.DataObject) -> None:
        """Run a random action.

        One rule for all: of several rules, Hypothesis leaves out some in each history, and a
        session needs many steps.
        """
        requests, sessions = self.world.requests, self.world.sessions
        some_pending = any(one.status == "pending" for one in requests)
        some_completed = any(one.status == "completed" for one in sessions)
        likely = {
            self.time_passes: 6 if sessions else 1,
            self.the_sweep_runs: 3 if sessions else 0,
            self.both_settle_what_is_over: 5 if sessions else 0,
            self.somebody_asks: 3 if some_pending else 8,
            self.somebody_answers: 8 if some_pending else bool(requests),
            self.somebody_acts_on_a_session: 6 if sessions else 0,
            self.somebody_reschedules: 3 if sessions else 0,
            self.somebody_reviews: 3 if some_completed else bool(sessions),
            self.somebody_inserts_a_session_by_hand: 1,
            self.what_is_offered_is_admitted_and_what_is_not_is_not: 2,
            self.somebody_tries_what_is_forbidden: 2,
            self.mentor_sets_availability: 2,
            self.mentor_changes_profile: 2,
            self.mentor_overrides_a_day: 2,
            self.mentor_takes_time_off: 2,
            self.mentor_sets_policy: 2,
            self.somebody_filters: 2,
        }
        happens = data.draw(
            st.sampled_from([what for what, weight in likely.items() for _ in range(weight)]),
            "what",
        )
        happens(data)

    # Mentors -------------------------------------------------------------------------------

    @initialize(dawn=st.sampled_from(DAWNS))
    def mentors_set_up(self, dawn: datetime) -> None:
        self.world.now = dawn
        self.run(self.wake)
        for mentor in self.world.mentors:
            self.put_availability(mentor, [(day, 0, 24 * 60) for day in range(7)], {})
            mentor.id = self.patch_profile(mentor, {"sessionRate": 5000})

        mia = self.world.mentors[0]
        for mentee, hours in zip(self.mentees, (1, 3, 6), strict=True):
            request = self.ask(mentee, mia, self.world.now + timedelta(hours=hours), None)
            self.answer(request, "accept", mia, None, as_patch=False)

    async def wake(self) -> None:
        # What a history sees must depend on its draws alone: Hypothesis runs it again.
        await self.database.empty()
        await self.set_clock()

    def mentor_sets_availability(self, data: st.DataObject) -> None:
        if data.draw(st.booleans(), "always open"):
            days, edges = range(7), [0, 32, 36, 40, 64, 96]
        else:
            days = sorted(data.draw(DAYS, "days"))
            edges = sorted(data.draw(QUARTERS, "edges"))
        side_by_side = data.draw(st.booleans(), "side by side")
        windows = [
            (day, first * 15, last * 15)
            for day in days
            for first, last in list(pairwise(edges))[:: 1 if side_by_side else 2]
        ]
        settings = {
            "sessionDuration": data.draw(st.sampled_from([None, 30, 60, 90, 120]), "duration"),
            "bufferTime": data.draw(st.sampled_from([None, 0, 15, 30, 45]), "buffer"),
            "availabilityTimezone": data.draw(st.sampled_from(ZONES), "zone"),
        }
        self.put_availability(self.mentor(data), windows, given(settings))

    def put_availability(
        self, mentor: Mentor, windows: list[tuple[int, int, int]], settings: dict[str, Any]
    ) -> None:
        slots = [
            {"dayOfWeek": day, "startTime": clock_time(first), "endTime": clock_time(last)}
            for day, first, last in windows
        ]
        body = {"slots": slots, **settings}
        response, _ = self.call(mentor, "PUT", "mentor/availability", body, lambda: None)
        mentor.windows = windows
        mentor.duration = settings.get("sessionDuration", mentor.duration)
        mentor.buffer = settings.get("bufferTime", mentor.buffer)
        mentor.zone = settings.get("availabilityTimezone", mentor.zone)
        shown = response.json
        ids = [slot.pop("id") for slot in shown["slots"]]
        assert len(set(ids)) == len(ids)
        names = ("slots", "sessionDuration", "bufferTime", "availabilityTimezone")
        assert [shown[name] for name in names] == [
            slots,
            mentor.duration,
            mentor.buffer,
            mentor.zone,
        ]

    def mentor_overrides_a_day(self, data: st.DataObject) -> None:
        world, mentor = self.world, self.mentor(data)
        day = mentor.local(world.now).date() + data.draw(st.integers(-1, 4), "days") * DAY
        path = f"mentor/overrides/{day}"
        if day in mentor.overrides and data.draw(st.booleans(), "delete"):
            self.call(mentor, "DELETE", path, None, lambda: world.override(mentor, day, None))
            return
        edges = sorted(data.draw(st.sampled_from([[], [0, 96]]) | QUARTERS, "edges"))
        windows = [(first * 15, last * 15) for first, last in list(pairwise(edges))[::2]]
        slots = [{"startTime": clock_time(a), "endTime": clock_time(b)} for a, b in windows]
        response, _ = self.call(
            mentor, "PUT", path, {"slots": slots}, lambda: world.override(mentor, day, windows)
        )
        if response.status == 200:
            assert response.json == {"date": f"{day}", "slots": slots}

    def mentor_takes_time_off(self, data: st.DataObject) -> None:
        mentor = self.mentor(data)
        if mentor.time_off and data.draw(st.booleans(), "delete"):
            time_off_id = data.draw(st.sampled_from(sorted(mentor.time_off)), "which")
            path = f"mentor/time-off/{time_off_id}"
            self.call(mentor, "DELETE", path, None, lambda: mentor.time_off.pop(time_off_id))
            return
        start = self.time(data, mentor, 30)
        end = start + data.draw(st.sampled_from([-60, 15, 100, 1000, 5000]), "minutes") * MINUTE
        body = {"startsAt": iso(start), "endsAt": iso(end)}
        if end <= start or end <= self.world.now:
            response = self.run(lambda: self.clients[mentor.sub].post("/mentor/time-off", body))
            assert is_error(response, 400, "Validation failed")
            return
        response, _ = self.call(mentor, "POST", "mentor/time-off", body, lambda: None, status=201)
        mentor.time_off[response.json["id"]] = start, end
        assert [one["id"] for one in response.json["conflicts"]] == self.world.within(
            mentor, start, end
        )

    def mentor_sets_policy(self, data: st.DataObject) -> None:
        mentor = self.mentor(data)
        policy = {
            "minimumNoticeMinutes": data.draw(st.sampled_from([0, 0, 30, 100, 1500]), "notice"),
            "horizonDays": data.draw(st.sampled_from([None, None, 1, 2]), "horizon"),
            "maxSessionsPerDay": data.draw(st.sampled_from([None, None, 1, 3]), "a day"),
            "maxSessionsPerWeek": data.draw(st.sampled_from([None, None, 2, 5]), "a week"),
            "cancelCutoffHours": data.draw(st.sampled_from([0, 1, 24]), "cutoff"),
            "acceptingRequests": data.draw(st.sampled_from([True] * 5 + [False]), "accepting"),
        }
        sent = data.draw(st.sets(st.sampled_from(sorted(policy)), min_size=2), "sent")
        body = {name: policy[name] for name in sorted(sent)}
        response, _ = self.call(mentor, "PUT", "mentor/policy", body, lambda: None)
        mentor.policy = POLICY | body
        assert response.json == mentor.policy

    def mentor_changes_profile(self, data: st.DataObject) -> None:
        rate = data.draw(st.sampled_from([None, "0", "5000", "99.99", "0.1"]), "rate")
        changes = {
            "sessionRate": None if rate is None else float(rate),
            "sessionCurrency": data.draw(st.sampled_from([None, None, "NGN", "USD"]), "currency"),
            "visibility": data.draw(
                st.sampled_from([None, "public", "public", "private"]), "visibility"
            ),
        }
        self.patch_profile(self.mentor(data), given(changes))

    def patch_profile(self, mentor: Mentor, changes: dict[str, Any]) -> str:
        response, _ = self.call(mentor, "PATCH", "mentor/me", changes, lambda: None)
        shown = response.json
        mentor.rate = Decimal(str(changes.get("sessionRate", mentor.rate)))
        mentor.currency = changes.get("sessionCurrency", mentor.currency)
        mentor.visibility = changes.get("visibility", mentor.visibility)
        assert (shown["sessionRate"], shown["sessionCurrency"], shown["visibility"]) == (
            float(mentor.rate),
            mentor.currency,
            mentor.visibility,
        )
        return shown["id"]

    # Requests ------------------------------------------------------------------------------

    def ask(
        self, mentee: Person, mentor: Mentor, start: datetime, minutes: int | None
    ) -> Request | None:
        body = {
            "mentorId": mentor.id,
            "topic": "Career advice",
            "scheduledDate": f"{start:%Y-%m-%d}",
            "scheduledTime": f"{start:%H:%M}",
        } | ({"duration": minutes} if minutes else {})
        response, request = self.call(
            mentee,
            "POST",
            "requests",
            body,
            lambda: self.world.ask(mentor, mentee, start, minutes),
            status=201,
        )
        if request is not None:
            request.id = response.json["id"]
            assert same(response.json, request.shown())
        return request

    def somebody_asks(self, data: st.DataObject) -> None:
        minutes = data.draw(st.sampled_from([None, None, 15, 30, 45, 60, 180]), "minutes")
        mentor = self.mentor(data)
        mentee = self.person(data, *self.mentees)
        start = self.time(data, mentor, minutes or mentor.duration)
        self.ask(mentee, mentor, start, minutes)

    def what_is_offered_is_admitted_and_what_is_not_is_not(self, data: st.DataObject) -> None:
        """Request times as a user without other requests, and cancel the request afterwards."""
        world, mentor = self.world, self.mentor(data)
        if mentor.visibility != "public":
            return
        offered = self.run(lambda: self.offered(mentor))
        grid = [start for start, _ in world.grid(mentor, world.now.date(), DAYS_SHOWN)]
        missing = [start for start in grid if start not in offered]
        asker = self.stranger
        if any(
            (one.mentor, one.mentee, one.status) == (mentor, asker, "pending")
            for one in world.requests
        ):
            return
        for starts, is_offered in ((offered, True), (missing, False)):
            if not starts:
                continue
            start = data.draw(st.sampled_from(starts), "offered" if is_offered else "missing")
            request = self.ask(asker, mentor, start, None)
            assert (request is not None) == is_offered
            if request is not None:
                self.answer(request, "cancel", asker, None, as_patch=False)

    async def offered(self, mentor: Mentor) -> list[datetime]:
        first = self.world.now.date()
        response = await self.api.nobody.get(
            f"/mentors/{mentor.id}/availability",
            startDate=first,
            endDate=first + (DAYS_SHOWN - 1) * DAY,
        )
        return [
            datetime.fromisoformat(f"{slot['date']}T{slot['startTime']}Z")
            for slot in response.json["slots"]
        ]

    def somebody_answers(self, data: st.DataObject) -> None:
        answer = data.draw(st.sampled_from(["accept"] * 4 + ["reject", "cancel"]), "answer")
        settled = ("accepted", "rejected", "cancelled")
        request = self.latest(data, self.world.requests, settled)
        reason = data.draw(REASONS, "reason")
        as_patch = data.draw(st.booleans(), "as a patch")
        by = getattr(request, ANSWERS[answer][0])
        for somebody in (self.person(data), by):
            self.answer(request, answer, somebody, reason, as_patch)

    def answer(
        self, request: Request, answer: str, by: Person, reason: str | None, as_patch: bool
    ) -> None:
        path = f"requests/{request.id}"
        takes_reason = as_patch or answer == "reject"
        body = {"reason": reason} if takes_reason and reason is not None else {}
        if as_patch:
            method, body = "PATCH", body | {"status": ANSWERS[answer][-1]}
        else:
            method, path = ("PATCH" if answer == "cancel" else "POST"), f"{path}/{answer}"
        got, _ = self.call(
            by,
            method,
            path,
            body or None,
            lambda: self.world.answer(request, answer, by, body.get("reason")),
        )
        if got.status != 200:
            return
        shown = got.json
        if answer == "accept":
            if not as_patch:
                shown, booking = shown["request"], shown["booking"]
                assert shown["bookingId"] == booking["id"]
            request.session.id = shown["bookingId"]
            if not as_patch:
                assert same(booking, request.session.shown())
        assert same(shown, request.shown())

    # Sessions ------------------------------------------------------------------------------

    def somebody_inserts_a_session_by_hand(self, data: st.DataObject) -> None:
        minutes = data.draw(st.sampled_from([15, 60, 120]), "minutes")
        world, mentor = self.world, self.mentor(data)
        mentee = data.draw(st.sampled_from(self.mentees), "mentee")
        start = self.time(data, mentor, minutes)
        end = start + minutes * MINUTE
        try:
            made = self.run(
                lambda: self.api.by_hand(
                    self.clients[mentee.sub], mentor, at=start, minutes=minutes
                )
            )
        except asyncpg.ExclusionViolationError:
            assert not world.keeps_clear(mentor, start, end)
            return
        assert world.keeps_clear(mentor, start, end)
        world.sessions.append(Session(made, mentor, mentee, "By hand", start, end, "pending"))

    def somebody_acts_on_a_session(self, data: st.DataObject) -> None:
        session = self.which_session(data)
        plain = [action for action in ACTIONS if action != "reschedule"]
        # Cancelling comes last among the possible actions: it ends most histories.
        possible = [action for action in plain if session.status in ACTIONS[action][2]][:1]
        action = data.draw(st.sampled_from(possible * 8 + plain), "action")
        reason = data.draw(REASONS, "reason") if action == "cancel" else None
        rightful = [getattr(session, side) for side in ACTIONS[action][0]]
        for by in (self.person(data), data.draw(st.sampled_from(rightful), "by")):
            self.act(session, action, by, reason)

    def act(self, session: Session, action: str, by: Person, reason: str | None = None) -> None:
        response, _ = self.call(
            by,
            "POST",
            f"sessions/{session.id}/{action}",
            None if reason is None else {"reason": reason},
            lambda: self.world.act(session, action, by, reason),
        )
        if response.status == 200:
            assert same(response.json, session.shown())

    def somebody_tries_what_is_forbidden(self, data: st.DataObject) -> None:
        """Try every action that is forbidden to one person."""
        by = data.draw(st.sampled_from([self.stranger, *self.world.people.values()]), "by")
        if self.world.requests:
            request = self.latest(data, self.world.requests, ("accepted", "rejected", "cancelled"))
            for answer, (side, *_) in ANSWERS.items():
                if by is not getattr(request, side):
                    self.answer(request, answer, by, None, as_patch=False)
        if self.world.sessions:
            session = self.which_session(data)
            for action, (sides, *_) in ACTIONS.items():
                if session.side(by) not in sides and action != "reschedule":
                    self.act(session, action, by)

    def which_session(self, data: st.DataObject) -> Session:
        return self.latest(data, self.world.sessions, ("cancelled", "disputed", "completed"))

    def somebody_reschedules(self, data: st.DataObject) -> None:
        minutes = data.draw(st.sampled_from([60, 60, 30, 15, 180, 14, 181, -60]), "minutes")
        session = self.which_session(data)
        start = self.time(data, session.mentor, minutes)
        end = start + minutes * MINUTE
        for by in (self.person(data), session.mentor):
            response, _ = self.call(
                by,
                "PUT",
                f"sessions/{session.id}/reschedule",
                {"newStartTime": iso(start), "newEndTime": iso(end)},
                lambda by=by: self.world.reschedule(session, by, start, end),
            )
            if response.status == 200:
                assert same(response.json, session.shown())

    def somebody_reviews(self, data: st.DataObject) -> None:
        completed = [one for one in self.world.sessions if one.status == "completed"]
        session = data.draw(st.sampled_from(completed * 4 + self.world.sessions[-4:]), "which")
        rating = data.draw(st.integers(1, 5), "rating")
        comment = data.draw(REASONS, "comment")
        for by in (self.person(data), session.mentee):
            self.review(session, by, rating, comment)

    def review(self, session: Session, by: Person, rating: int, comment: str | None) -> None:
        response, _ = self.call(
            by,
            "POST",
            f"sessions/{session.id}/review",
            given({"rating": rating, "comment": comment}),
            lambda: self.world.review(session, by, rating, comment),
            status=201,
        )
        if response.status == 201:
            assert same(response.json, session.shown())

    def both_settle_what_is_over(self, data: st.DataObject) -> None:
        """Take all steps to the last state, each twice: random actions rarely reach it."""
        over = [
            one
            for one in self.world.sessions
            if one.end <= self.world.now and one.live and one.status != "pending"
        ]
        if not over:
            return
        session = data.draw(st.sampled_from(over), "which")
        outcome = data.draw(st.sampled_from(["confirm-completion"] * 3 + ["dispute"]), "outcome")
        for action in ("complete", "complete", outcome, "confirm-completion", "dispute"):
            self.act(session, action, getattr(session, ACTIONS[action][0][0]))
        for rating in data.draw(st.lists(st.integers(1, 5), max_size=2), "ratings"):
            self.review(session, session.mentee, rating, None)

    # Time ----------------------------------------------------------------------------------

    def time_passes(self, data: st.DataObject) -> None:
        """Move the clock, usually to a time at which something is due, or a minute beside it."""
        now, off = self.world.now, data.draw(st.sampled_from([0, 0, 0, -1, 1]), "off")
        due = sorted(
            {
                instant + off * MINUTE
                for one in self.world.sessions + self.world.requests
                if one.status not in ("cancelled", "rejected", "completed", "disputed")
                for instant in (one.start, one.end, one.end + 15 * MINUTE)
                if instant + off * MINUTE > now
            }
        )
        some = now + data.draw(st.sampled_from([1, 30, 60, 600, 1440])) * MINUTE
        self.world.move_to(data.draw(st.sampled_from(due[:6] * 3 + [some]), "to"))
        self.run(self.set_clock)

    async def set_clock(self) -> None:
        await self.clock.stop_at(self.world.now)
        # The cache uses another clock.
        self.api.services.cache.close()
        self.api.services.cache.open()

    def the_sweep_runs(self, data: st.DataObject) -> None:
        assert self.run(self.api.sweep) == self.world.sweep()
        self.run(self.api.services.listener.wait_until_current)

    # What everybody is shown ---------------------------------------------------------------

    def somebody_filters(self, data: st.DataObject) -> None:
        side = data.draw(st.sampled_from([None, 0, 1]), "side")
        request_status = data.draw(st.sampled_from([None, *REQUEST_STATES]), "requests")
        status = data.draw(st.sampled_from([None, *SESSION_STATES]), "sessions")
        upcoming = data.draw(st.booleans(), "upcoming")
        past = data.draw(st.booleans(), "past")
        world = self.world
        who = self.person(data)
        mentor = self.mentor(data)
        role = None if side is None else ("mentee", "mentor")[side]
        sent = None if side is None else ("sent", "received")[side]
        client = self.clients[who.sub]
        asked: list[tuple[Awaitable[Response], list[dict[str, Any]]]] = [
            (
                client.get("/requests", role=sent, status=request_status),
                world.requests_of(who, sent, request_status),
            ),
            (
                client.get(
                    "/sessions",
                    role=role,
                    status=status,
                    upcoming="true" if upcoming else None,
                    past="true" if past else "false",
                ),
                world.sessions_of(who, role, status, upcoming, past),
            ),
        ]
        if mentor.visibility == "public" or any(
            (one.mentor, one.mentee) == (mentor, who) for one in world.requests
        ):
            path = f"/requests/my-requests/{mentor.id}"
            asked.append((client.get(path), world.active(who, mentor)))
        for response, expected in asked:
            assert same(self.run(lambda response=response: as_coroutine(response)).json, expected)

    @invariant()
    def everybody_sees_what_the_model_says(self) -> None:
        self.step += 1
        tried["steps of the model"] += 1
        self.run(self.compare)

    async def compare(self) -> None:
        world, api = self.world, self.api
        expected: list[Any] = []
        asked: list[Awaitable[Any]] = []

        def expect(call: Awaitable[Response], what: Any) -> None:
            asked.append(call)
            expected.append(what)

        # The mentors compare everything; of the others one in turn, and those with a change.
        for place, (sub, person) in enumerate(world.people.items()):
            lists = world.requests_of(person), world.sessions_of(person)
            turn = isinstance(person, Mentor) or self.step % len(world.people) == place
            if turn or self.last.get(sub) != lists:
                client: User = self.clients[sub]
                expect(client.get("/requests"), lists[0])
                expect(client.get("/sessions"), lists[1])
                self.last[sub] = lists
        for mentor in world.mentors:
            client = self.clients[mentor.sub]
            expect(client.get("/mentor/dashboard"), world.dashboard(mentor))
            expect(client.get("/requests/pending-count"), world.pending(mentor))
        for response, what in zip(await asyncio.gather(*asked), expected, strict=True):
            assert same(response.json, what)
        await self.compare_single_reads()
        await self.compare_public_reads(api)

    async def compare_single_reads(self) -> None:
        """Compare one resource, another one for another reader in each step."""
        people = list(self.world.people.values())
        reader = people[self.step % len(people)]
        for things, path, parties in (
            (self.world.requests, "requests", "this request"),
            (self.world.sessions, "sessions", "this session"),
        ):
            if not things:
                continue
            thing = things[-1 - self.step % min(len(things), 5)]
            response = await self.clients[reader.sub].get(f"/{path}/{thing.id}")
            if reader in (thing.mentor, thing.mentee):
                assert same(response.json, thing.shown())
            else:
                told = f"Only the mentor and the mentee can see {parties}"
                assert is_error(response, 403, told)

    async def compare_public_reads(self, api: Api) -> None:
        world = self.world
        listed = (await api.nobody.get("/mentors")).json
        shown = ("id", "sessionDuration", "rating", "totalReviews", "totalSessions")
        ours = [
            {name: one[name] for name in shown}
            for one in listed
            if one["id"] in [mentor.id for mentor in world.mentors]
        ]
        assert ours == world.directory()
        for mentor in world.mentors:
            response = await api.nobody.get(f"/mentors/{mentor.id}")
            if mentor.visibility != "public":
                assert is_error(response, 404, "Mentor not found")
                continue
            page = response.json
            assert (page["rating"], page["totalReviews"], page["totalSessions"]) == (
                world.rating(mentor),
                len(world.ratings(mentor)),
                len(world.completed(mentor)),
            )
            expected = world.slots(mentor, world.now.date(), DAYS_SHOWN)
            assert await self.offered(mentor) == [start for start, _ in expected]
            await self.compare_explanations(mentor, [start for start, _ in expected])

    async def compare_explanations(self, mentor: Mentor, offered: list[datetime]) -> None:
        """Compare the explanations of one slot, and of one time on the grid or beside it."""
        grid = [start for start, _ in self.world.grid(mentor, self.world.now.date(), DAYS_SHOWN)]
        times = [one[self.step % len(one)] for one in (offered, grid) if one]
        times += [start + 10 * MINUTE for start in times[-1:]]
        for start in times:
            explained = await self.clients[mentor.sub].ok(
                "GET", "/mentor/availability/explain", startsAt=iso(start)
            )
            end = start + mentor.duration * MINUTE
            assert explained["free"] == self.world.admits(mentor, start, end), (start, explained)
            assert explained["free"] == (not explained["reasons"])
            assert explained["free"] or start not in offered

    def teardown(self) -> None:
        tried["histories of the model"] += 1


def same(shown: Any, expected: Any) -> bool:
    """Assert that two responses are equal, except ids of reviews and real times. Returns True."""
    assert without(shown) == expected
    return True


def without(shown: Any) -> Any:
    if isinstance(shown, list):
        return [without(one) for one in shown]
    if not isinstance(shown, dict):
        return shown
    shown = {name: value for name, value in shown.items() if name not in ("createdAt", "updatedAt")}
    if shown.get("review"):
        review = shown["review"]
        shown["review"] = {"rating": review["rating"], "comment": review["comment"]}
    return shown


def given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def clock_time(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


async def as_coroutine(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
