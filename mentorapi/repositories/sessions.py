"""Sessions: from confirmed to settled, and the review."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pypika import CustomFunction, Order, Table
from pypika.terms import Criterion

from mentorapi import errors
from mentorapi.calendar import Entry
from mentorapi.database import listing, statements
from mentorapi.database.page import Page
from mentorapi.database.pool import Database

now = CustomFunction("now", [])


async def list_own(
    db: Database,
    user_id: str,
    role: str | None,
    status: str | None,
    upcoming: bool,
    past: bool,
    page: int,
    limit: int,
) -> Page:
    """As mentor, as mentee, or both; ``upcoming`` soonest first, everything else latest first."""
    arguments = listing.Arguments()
    user = arguments.add(user_id)
    wanted = None if status is None else arguments.add(status)

    def where(sessions: Table) -> Criterion:
        sides = {
            "mentee": sessions.mentee_id == user,
            "mentor": listing.mentored_by(sessions, user),
        }
        criteria = [Criterion.any([sides[role]] if role else sides.values())]
        if wanted is not None:
            criteria.append(sessions.status == wanted)
        if upcoming:
            criteria.append(sessions.start_time >= now())
        if past:
            criteria.append(sessions.start_time < now())
        return Criterion.all(criteria)

    direction = Order.asc if upcoming else Order.desc
    return await listing.fetch_page(
        db,
        table="bookings",
        view="session_list",
        variant=(role, wanted is not None, upcoming, past),
        where=where,
        order=lambda sessions: [(sessions.start_time, direction), (sessions.id, direction)],
        arguments=arguments,
        page=page,
        limit=limit,
    )


async def show(db: Database, session_id: str, user_id: str) -> str:
    row = await statements.sessions.show(db, session_id=session_id, user_id=user_id)
    if row is None:
        raise errors.SessionNotFound
    if not row["is_party"]:
        raise errors.NotPartyToSession
    return str(row["body"])


async def calendar_entry(db: Database, session_id: str, user_id: str) -> Entry:
    row = await statements.sessions.calendar(db, session_id=session_id, user_id=user_id)
    if row is None:
        raise errors.SessionNotFound
    entry = dict(row)
    if not entry.pop("is_party"):
        raise errors.NotPartyToSession
    return Entry(**entry)


@dataclass(frozen=True, slots=True)
class Action:
    """Who may do it in which states, and what the others are told. ``otherwise`` is the refusal
    that neither person nor state explains: the time."""

    by: tuple[str, ...]
    others: type[errors.ApiError]
    states: tuple[str, ...]
    elsewhere: type[errors.ApiError]
    otherwise: type[errors.ApiError] | None = None


CONFIRM = Action(("is_mentor",), errors.OnlyMentorConfirms, ("pending",), errors.NotConfirmable)
COMPLETE = Action(
    ("is_mentor",),
    errors.OnlyMentorCompletes,
    ("confirmed", "rescheduled", "in_progress"),
    errors.NotCompletable,
    errors.NotEnded,
)
CONFIRM_COMPLETION = Action(
    ("is_mentee",),
    errors.OnlyMenteeConfirmsCompletion,
    ("pending_completion",),
    errors.CompletionNotConfirmable,
)
DISPUTE = Action(
    ("is_mentee",), errors.OnlyMenteeDisputes, ("pending_completion",), errors.NotDisputable
)
CANCEL = Action(
    ("is_mentor", "is_mentee"),
    errors.OnlyPartiesCancelSession,
    ("pending", "confirmed", "rescheduled"),
    errors.SessionNotCancellable,
)
RESCHEDULE = Action(
    ("is_mentor",),
    errors.OnlyMentorReschedules,
    ("confirmed", "rescheduled"),
    errors.NotReschedulable,
)
REVIEW = Action(("is_mentee",), errors.OnlyMenteeReviews, ("completed",), errors.NotReviewable)


async def confirm(db: Database, session_id: str, user_id: str) -> str:
    row = await statements.sessions.confirm(db, session_id=session_id, user_id=user_id)
    return await answer(db, row, session_id, user_id, CONFIRM)


async def complete(db: Database, session_id: str, user_id: str) -> str:
    row = await statements.sessions.complete(db, session_id=session_id, user_id=user_id)
    return await answer(db, row, session_id, user_id, COMPLETE)


async def confirm_completion(db: Database, session_id: str, user_id: str) -> str:
    row = await statements.sessions.confirm_completion(db, session_id=session_id, user_id=user_id)
    return await answer(db, row, session_id, user_id, CONFIRM_COMPLETION)


async def dispute(db: Database, session_id: str, user_id: str) -> str:
    row = await statements.sessions.dispute(db, session_id=session_id, user_id=user_id)
    return await answer(db, row, session_id, user_id, DISPUTE)


async def cancel(db: Database, session_id: str, user_id: str, reason: str | None) -> str:
    row = await statements.sessions.cancel(
        db, session_id=session_id, user_id=user_id, reason=reason
    )
    return await answer(db, row, session_id, user_id, CANCEL)


async def reschedule(
    db: Database, session_id: str, user_id: str, start_time: datetime, end_time: datetime
) -> str:
    row = await statements.sessions.reschedule(
        db, session_id=session_id, user_id=user_id, start_time=start_time, end_time=end_time
    )
    if row is None and (await statements.sessions.is_past(db, instant=start_time))["past"]:
        raise errors.ValidationFailed.of("newStartTime", "must be in the future", "past")
    return await answer(db, row, session_id, user_id, RESCHEDULE)


async def answer(db: Database, row: Any, session_id: str, user_id: str, action: Action) -> str:
    """The session as JSON, or the error for an action that changed no row.

    A second statement finds that out, since the first one would still see its old snapshot.
    """
    if row is not None:
        return str(row["body"])
    why = await statements.sessions.why_not(db, session_id=session_id, user_id=user_id)
    if why is None:
        raise errors.SessionNotFound
    if not any(why[party] for party in action.by):
        raise action.others
    if why["status"] in action.states and action.otherwise is not None:
        raise action.otherwise
    raise action.elsewhere


async def sweep(db: Database, batch_size: int) -> int:
    """Move at most so many due sessions on; returns how many there were."""
    row = await statements.sessions.sweep(db, batch_size=batch_size)
    return int(row["moved"])


async def lag(db: Database) -> float:
    """Seconds for which the sweep has owed the oldest due session or request its next state."""
    row = await statements.sessions.lag(db)
    return float(row["seconds"])
