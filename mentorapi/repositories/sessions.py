"""Sessions, from confirmed to completed."""

from datetime import datetime
from functools import cache
from typing import Any

from pypika import CustomFunction, Field, Order
from pypika.terms import Criterion

from mentorapi import errors
from mentorapi.database import listing, statements
from mentorapi.database.page import Page
from mentorapi.database.pool import Database
from mentorapi.database.transitions import change, refusal, require_party
from mentorapi.transitions import CANCEL_SESSION, RESCHEDULE, SESSION, Transition

now = CustomFunction("now", [])


async def list_own(
    db: Database,
    user_id: str,
    page: int,
    limit: int,
    upcoming: bool,
    past: bool,
    role: str | None = None,
    status: str | None = None,
) -> Page:
    """List sessions as mentor, mentee, or both: ``upcoming`` soonest first, else latest first."""
    sql = compose_list(role, status is not None, upcoming, past)
    return await listing.fetch_page(db, sql, user_id, status, page, limit)


@cache
def compose_list(role: str | None, by_status: bool, upcoming: bool, past: bool) -> str:
    sides = {"mentee": listing.AS_MENTEE, "mentor": listing.AS_MENTOR}
    where = Criterion.any([sides[role]] if role else sides.values())
    if by_status:
        where &= Field("status") == listing.STATUS
    if upcoming:
        where &= Field("start_time") >= now()
    if past:
        where &= Field("start_time") < now()
    direction = Order.asc if upcoming else Order.desc
    return listing.compose("bookings", "session_list", where, ("start_time", "id"), direction)


async def show(db: Database, session_id: str, user_id: str) -> str:
    row = await statements.sessions.show(db, session_id=session_id, user_id=user_id)
    return str(require_party(row, SESSION)["body"])


async def show_calendar_entry(db: Database, session_id: str, user_id: str) -> Any:
    """Return the columns of a session that :mod:`mentorapi.calendar` writes."""
    row = await statements.sessions.show_calendar_entry(db, session_id=session_id, user_id=user_id)
    return require_party(row, SESSION)


async def move(db: Database, session_id: str, user_id: str, transition: Transition) -> str:
    """Confirm, complete or dispute a session, or confirm its completion."""
    (party,) = transition.by
    row = await change(
        db,
        transition,
        statements.sessions.move,
        session_id,
        user_id,
        party=party,
        states=transition.states,
        next_state=transition.to,
        after_end=transition.after_end,
    )
    return str(row["body"])


async def cancel(db: Database, session_id: str, user_id: str, reason: str | None = None) -> str:
    row = await change(
        db, CANCEL_SESSION, statements.sessions.cancel, session_id, user_id, reason=reason
    )
    return str(row["body"])


async def reschedule(
    db: Database, session_id: str, user_id: str, start_time: datetime, end_time: datetime
) -> str:
    row = await statements.sessions.reschedule(
        db, session_id=session_id, user_id=user_id, start_time=start_time, end_time=end_time
    )
    if row is None:
        if (await statements.sessions.is_past(db, instant=start_time))["past"]:
            raise errors.ValidationFailed.of("newStartTime", "must be in the future", "past")
        raise await refusal(db, RESCHEDULE, session_id, user_id)
    return str(row["body"])


async def measure_lag(db: Database) -> float:
    """Return the seconds by which the sweep is late with the oldest due session or request."""
    row = await statements.sessions.measure_lag(db)
    return float(row["seconds"])
