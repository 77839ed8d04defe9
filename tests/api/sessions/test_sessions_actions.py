"""Confirming, completing, disputing and cancelling a session: rights, states and figures."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.client import (
    Api,
    Client,
    Mentor,
    Response,
    User,
    coming,
    day_after_tomorrow,
    fields_of,
    instant,
    is_error,
)
from tests.clock import Clock

NOBODY_HAS = ("00000000-0000-7000-8000-000000000000", "session-789", "1", "%00")
STATES = (
    *("pending", "confirmed", "rescheduled", "in_progress"),
    *("pending_completion", "completed", "disputed", "cancelled"),
)


_numbers = itertools.count(20)


@dataclass(frozen=True)
class Action:
    """``leads`` maps states to the next state; ``wrong_state`` is the response in all others."""

    method: str
    verb: str
    by: tuple[str, ...]
    forbidden: str
    leads: dict[str, str]
    wrong_state: tuple[int, str]
    body: Callable[[], Any] = lambda: None

    async def __call__(self, user: Client, session_id: str, body: Any = None) -> Response:
        body = self.body() if body is None else body
        return await user.request(self.method, f"/sessions/{session_id}/{self.verb}", body)


def far_away() -> dict[str, str]:
    start = coming(0, 9) + timedelta(weeks=next(_numbers))
    return {
        "newStartTime": start.isoformat(),
        "newEndTime": (start + timedelta(hours=1)).isoformat(),
    }


ACTIONS = (
    Action(
        *("POST", "confirm", ("mentor",), "Only the mentor can confirm this session"),
        {"pending": "confirmed"},
        (409, "Only pending sessions can be confirmed"),
    ),
    Action(
        *("POST", "complete", ("mentor",), "Only the mentor can complete this session"),
        dict.fromkeys(("confirmed", "rescheduled", "in_progress"), "pending_completion"),
        (400, "Only confirmed, rescheduled, or in-progress bookings can be completed"),
    ),
    Action(
        *("POST", "confirm-completion", ("mentee",)),
        "Only the mentee can confirm session completion",
        {"pending_completion": "completed"},
        (400, "Only sessions pending completion can be confirmed"),
    ),
    Action(
        *("POST", "dispute", ("mentee",), "Only the mentee can dispute a session"),
        {"pending_completion": "disputed"},
        (400, "Only sessions pending completion can be disputed"),
    ),
    Action(
        *("POST", "cancel", ("mentor", "mentee")),
        "Only the mentor or the mentee can cancel this session",
        dict.fromkeys(("pending", "confirmed", "rescheduled"), "cancelled"),
        (409, "Only pending, confirmed or rescheduled sessions can be cancelled"),
    ),
    Action(
        *("PUT", "reschedule", ("mentor",), "Only the mentor can reschedule this session"),
        dict.fromkeys(("confirmed", "rescheduled"), "rescheduled"),
        (409, "Only confirmed or rescheduled sessions can be rescheduled"),
        far_away,
    ),
    Action(
        *("POST", "review", ("mentee",), "Only the mentee can review this session"),
        {"completed": "completed"},
        (400, "Can only review completed sessions"),
        lambda: {"rating": 5},
    ),
)
CONFIRM, COMPLETE, CONFIRM_COMPLETION, DISPUTE, CANCEL, RESCHEDULE, REVIEW = ACTIONS
each_action = pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.verb)


#: Actions before the start of a session. All others come after its end.
BEFORE_THE_START = (CANCEL, RESCHEDULE)


async def sessions_for(api: Api, action: Action, mentor: Mentor, mentee: User) -> dict[str, str]:
    """Insert a session in each state, all in the past or all in the future, for this action."""
    if action not in BEFORE_THE_START:
        return await ended_sessions(api, mentor, mentee)
    now = datetime.now(UTC)
    return {
        state: await api.by_hand(mentee, mentor, state, now + timedelta(hours=2 + 2 * place))
        for place, state in enumerate(STATES)
    }


async def ended_sessions(api: Api, mentor: Mentor, mentee: User) -> dict[str, str]:
    """Insert a session in each state, all in the past."""
    now = datetime.now(UTC)
    return {
        state: await api.by_hand(mentee, mentor, state, now - timedelta(hours=2 + 2 * place))
        for place, state in enumerate(STATES)
    }


# Rights and states, each action in each state -----------------------------------------------------


@each_action
async def test_act_in_each_state_follows_the_transitions(api: Api, action: Action) -> None:
    for party in action.by:
        mentor, ann = await api.mentor(f"mia-{party}"), api.user(f"ann-{party}")
        actor = mentor if party == "mentor" else ann
        for state, session_id in (await sessions_for(api, action, mentor, ann)).items():
            before = await ann.ok("GET", f"/sessions/{session_id}")
            response = await action(actor, session_id)
            after = await ann.ok("GET", f"/sessions/{session_id}")
            if state in action.leads:
                assert response.status == (201 if action is REVIEW else 200), (state, response)
                assert response.json == after
                assert after["status"] == action.leads[state]
                if action is not REVIEW:
                    assert instant(after["updatedAt"]) > instant(before["updatedAt"])
            else:
                assert is_error(response, *action.wrong_state), state
                assert after == before


@each_action
async def test_act_as_wrong_party_is_forbidden_in_every_state(api: Api, action: Action) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    others: list[User] = [api.user("eve"), await api.mentor("max")]
    others += [
        user for user, party in ((mentor, "mentor"), (ann, "mentee")) if party not in action.by
    ]
    for session_id in (await ended_sessions(api, mentor, ann)).values():
        before = await ann.ok("GET", f"/sessions/{session_id}")
        for other in others:
            assert is_error(await action(other, session_id), 403, action.forbidden)
        assert await ann.ok("GET", f"/sessions/{session_id}") == before


async def test_act_with_several_errors_reports_them_in_order(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    bad_body = {"colour": "red"}
    session_id = await api.by_hand(ann, mentor)
    request = await api.request(ann, mentor, day_after_tomorrow(15))
    for action in ACTIONS:
        for each in (session_id, *NOBODY_HAS):
            response = await action(api.nobody, each, bad_body)
            assert is_error(response, 401, "Missing or invalid token")
            response = await action(api.user("eve"), each, bad_body)
            assert "colour" in fields_of(response)
        for each in (*NOBODY_HAS, request["id"]):
            assert is_error(await action(mentor, each), 404, "Session not found")


async def test_act_without_body_or_with_empty_object_succeeds(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    for action in (CONFIRM, COMPLETE, CONFIRM_COMPLETION, DISPUTE, CANCEL):
        actor = mentor if "mentor" in action.by else ann
        state = next(iter(action.leads))
        for sent in (
            {},
            {"body": b""},
            {"body": b"{}"},
            {"body": b"", "headers": {"Content-Type": "text/plain"}},
        ):
            sign = 1 if action in BEFORE_THE_START else -1
            at = datetime.now(UTC) + sign * timedelta(hours=next(_numbers) * 2)
            path = f"/sessions/{await api.by_hand(ann, mentor, state, at)}/{action.verb}"
            for body in (b"[]", b"null", b"{", b'{"status": "completed"}', b'"reason"'):
                assert (await actor.post(path, body=body)).status == 400, body
            assert (await actor.post(path, **sent)).json["status"] == action.leads[state]


async def test_send_other_methods_is_not_allowed(api: Api) -> None:
    for action in ACTIONS:
        for method in {"GET", "DELETE", "PATCH", "PUT", "POST"} - {action.method}:
            response = await api.user("ann").request(
                method, f"/sessions/{NOBODY_HAS[0]}/{action.verb}"
            )
            assert response.status == 405
            assert action.method in response.headers["Allow"].split(", ")


# Completing ---------------------------------------------------------------------------------------


async def test_complete_session_before_its_end_is_refused(api: Api, clock: Clock) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    end = day_after_tomorrow(10)
    hours = {"confirmed": 1, "rescheduled": 3, "in_progress": 5}
    sessions = {
        state: await api.by_hand(ann, mentor, state, end - timedelta(minutes=60 * number))
        for state, number in hours.items()
    }
    early = "Cannot complete a session before it ends"
    for session_id in sessions.values():
        assert is_error(await COMPLETE(mentor, session_id), 400, early)
    await clock.stop_at(end - timedelta(microseconds=1))
    assert is_error(await COMPLETE(mentor, sessions["confirmed"]), 400, early)
    await clock.stop_at(end)
    assert (await COMPLETE(mentor, sessions["confirmed"])).json["status"] == "pending_completion"


async def test_complete_session_in_wrong_state_precedes_the_time(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    for place, state in enumerate(STATES):
        if state in COMPLETE.leads:
            continue
        session_id = await api.by_hand(ann, mentor, state, day_after_tomorrow(place * 2))
        assert is_error(await COMPLETE(mentor, session_id), *COMPLETE.wrong_state)


async def test_complete_session_as_stranger_precedes_the_time(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    session = await api.session(ann, mentor)
    for user in (ann, api.user("eve")):
        assert is_error(await COMPLETE(user, session["id"]), 403, COMPLETE.forbidden)


# Figures ------------------------------------------------------------------------------------------


async def figures(mentor: Mentor) -> tuple[int, int, float]:
    """Return the mentor's sessions, mentees and earnings. All pages show the same number."""
    dashboard = await mentor.ok("GET", "/mentor/dashboard")
    public = await mentor.ok("GET", f"/mentors/{mentor.id}")
    (card,) = (one for one in await mentor.ok("GET", "/mentors") if one["id"] == mentor.id)
    assert public["totalSessions"] == card["totalSessions"] == dashboard["totalSessions"]
    return dashboard["totalSessions"], dashboard["totalMentees"], dashboard["totalEarnings"]


async def test_confirm_session_counts_it_once(api: Api) -> None:
    mentor, ann = await api.mentor(sessionRate=5000), api.user("ann")
    session = await api.session(ann, mentor)
    await api.make_past(session["id"])
    assert await figures(mentor) == (0, 0, 0)
    await COMPLETE(mentor, session["id"])
    assert await figures(mentor) == (0, 0, 0)
    await CONFIRM_COMPLETION(ann, session["id"])
    assert await figures(mentor) == (1, 1, 5000)
    for action in (CONFIRM_COMPLETION, DISPUTE, CANCEL):
        assert is_error(await action(ann, session["id"]), *action.wrong_state)
    assert await figures(mentor) == (1, 1, 5000)


async def test_dispute_session_counts_nothing_and_is_final(api: Api) -> None:
    mentor, ann = await api.mentor(sessionRate=5000), api.user("ann")
    session = await api.session(ann, mentor)
    await api.make_past(session["id"])
    await COMPLETE(mentor, session["id"])
    assert (await DISPUTE(ann, session["id"])).json["status"] == "disputed"
    assert is_error(await CONFIRM_COMPLETION(ann, session["id"]), *CONFIRM_COMPLETION.wrong_state)
    assert is_error(await REVIEW(ann, session["id"]), *REVIEW.wrong_state)
    assert await figures(mentor) == (0, 0, 0)


async def test_confirm_sessions_counts_mentees_once(api: Api) -> None:
    mentor, max_ = await api.mentor(sessionRate=10.25), await api.mentor("max", sessionRate=7)
    for name in ("ann", "bob", "ann", "ann"):
        await api.completed(api.user(name), mentor)
    await api.completed(api.user("ann"), max_)
    await api.session(api.user("cem"), mentor)
    assert await figures(mentor) == (4, 2, 41)
    assert await figures(max_) == (1, 1, 7)


async def test_confirm_sessions_sums_the_current_currency_only(api: Api) -> None:
    mentor, ann = await api.mentor(sessionRate=5000), api.user("ann")
    session = await api.session(ann, mentor)
    await mentor.ok("PATCH", "/mentor/me", {"sessionRate": 9.99, "sessionCurrency": "USD"})
    await api.make_past(session["id"])
    await COMPLETE(mentor, session["id"])
    await CONFIRM_COMPLETION(ann, session["id"])
    assert await figures(mentor) == (1, 1, 0)
    await api.completed(ann, mentor)
    assert await figures(mentor) == (2, 1, 9.99)
    await mentor.ok("PATCH", "/mentor/me", {"sessionCurrency": "NGN"})
    assert await figures(mentor) == (2, 1, 5000)


async def test_settle_session_by_hand_succeeds(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    session_id = await api.by_hand(ann, mentor)
    assert (await CONFIRM(mentor, session_id)).json["status"] == "confirmed"
    assert is_error(await CONFIRM(mentor, session_id), *CONFIRM.wrong_state)
    await api.make_past(session_id)
    await COMPLETE(mentor, session_id)
    assert (await CONFIRM_COMPLETION(ann, session_id)).json["requestId"] is None
    assert (await REVIEW(ann, session_id)).json["review"]["rating"] == 5
    assert await figures(mentor) == (1, 1, 0)


# Cancelling ---------------------------------------------------------------------------------------


async def test_cancel_session_shows_who_and_why(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    reason = "💡" * 500
    for actor in (mentor, ann):
        session = await api.session(ann, mentor)
        cancelled = (await CANCEL(actor, session["id"], {"reason": reason})).json
        assert cancelled == session | {
            "status": "cancelled",
            "cancellationReason": reason,
            "cancelledBy": actor.sub,
            "updatedAt": cancelled["updatedAt"],
        }
        for user in (mentor, ann):
            assert await user.ok("GET", f"/sessions/{session['id']}") == cancelled


async def test_cancel_session_without_reason_succeeds(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    session = await api.session(ann, mentor)
    cancelled = (await CANCEL(ann, session["id"])).json
    assert (cancelled["cancellationReason"], cancelled["cancelledBy"]) == (None, "ann")


async def test_cancel_session_with_too_long_reason_is_refused(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    session = await api.session(ann, mentor)
    for reason in ("x" * 501, 5, ["x"], True):
        assert fields_of(await CANCEL(ann, session["id"], {"reason": reason})) == ["reason"]
    assert (await ann.ok("GET", f"/sessions/{session['id']}"))["status"] == "confirmed"


async def test_cancel_session_twice_keeps_the_first(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    session = await api.session(ann, mentor)
    await CANCEL(mentor, session["id"], {"reason": "Ill"})
    assert is_error(await CANCEL(ann, session["id"], {"reason": "Also"}), *CANCEL.wrong_state)
    cancelled = await ann.ok("GET", f"/sessions/{session['id']}")
    assert (cancelled["cancelledBy"], cancelled["cancellationReason"]) == ("mia", "Ill")


async def test_show_dashboard_after_cancelling_leaves_it_out(api: Api) -> None:
    mentor, ann = await api.mentor(), api.user("ann")
    session = await api.session(ann, mentor)
    assert (await mentor.ok("GET", "/mentor/dashboard"))["upcomingBookings"] == 1
    await CANCEL(ann, session["id"])
    assert (await mentor.ok("GET", "/mentor/dashboard"))["upcomingBookings"] == 0
