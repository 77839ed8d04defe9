"""Requests: a mentee requests a time, the mentor answers."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from pypika import CustomFunction, Field, Order
from pypika.terms import Criterion

from mentorapi import errors
from mentorapi.database import listing, statements
from mentorapi.database.page import Page
from mentorapi.database.pool import Database
from mentorapi.database.transitions import change, require_party
from mentorapi.transitions import ACCEPT, CANCEL_REQUEST, REJECT, REQUEST

shown_status = CustomFunction("request_status", ["status", "start_time"])


async def create(
    db: Database, mentee_id: str, mentor_id: str, body: Mapping[str, Any]
) -> tuple[str, str]:
    """Create a request; return its id and the request as JSON.

    If the statement creates none, a second one finds the reason.
    """
    start_time = datetime.fromisoformat(f"{body['scheduledDate']}T{body['scheduledTime']}Z")
    asked = {"mentor_id": mentor_id, "mentee_id": mentee_id, "start_time": start_time}
    location = body.get("location")
    if location is not None and not location.strip():
        # Forms send blank text for an empty field.
        location = None
    row = await statements.requests.create(
        db,
        **asked,
        topic=body["topic"],
        message=body.get("message"),
        duration=body.get("duration"),
        location=location,
    )
    if row is not None:
        return str(row["request_id"]), row["body"]
    why = await statements.requests.explain_refusal(db, errors.MentorNotFound, **asked)
    if why["to_self"]:
        raise errors.RequestToSelf
    if why["past"]:
        raise errors.RequestInPast
    if why["pending"]:
        raise errors.DuplicateRequest
    raise errors.NotTakingRequests if why["paused"] else errors.SlotTaken


async def list_own(
    db: Database,
    user_id: str,
    page: int,
    limit: int,
    role: str | None = None,
    status: str | None = None,
) -> Page:
    """List requests sent, received, or both; newest first."""
    sql = compose_list(role, by_status=status is not None)
    return await listing.fetch_page(db, sql, user_id, status, page, limit)


@cache
def compose_list(role: str | None, by_status: bool) -> str:
    sides = {"sent": listing.AS_MENTEE, "received": listing.AS_MENTOR}
    where = Criterion.any([sides[role]] if role else sides.values())
    if by_status:
        where &= shown_status(Field("status"), Field("start_time")) == listing.STATUS
    return listing.compose("requests", "request_list", where, ("created_at", "id"), Order.desc)


async def list_active(db: Database, user_id: str, mentor_id: str, page: int, limit: int) -> Page:
    """List pending requests to the mentor, and accepted ones with a live session; soonest first."""
    return await statements.requests.list_active.page(
        db, page, limit, errors.MentorNotFound, mentor_id=mentor_id, mentee_id=user_id
    )


async def count_pending(db: Database, user_id: str) -> int:
    row = await statements.requests.count_pending(db, user_id=user_id)
    return int(row["pending"])


async def show(db: Database, request_id: str, user_id: str) -> str:
    row = await statements.requests.show(db, request_id=request_id, user_id=user_id)
    return str(require_party(row, REQUEST)["body"])


async def accept(db: Database, request_id: str, user_id: str) -> tuple[str, str]:
    """Accept a request; return it and its booking as JSON."""
    row = await change(db, ACCEPT, statements.requests.accept, request_id, user_id)
    return row["body"], row["booking"]


async def reject(db: Database, request_id: str, user_id: str, reason: str | None = None) -> str:
    row = await change(db, REJECT, statements.requests.reject, request_id, user_id, reason=reason)
    return str(row["body"])


async def cancel(db: Database, request_id: str, user_id: str) -> str:
    row = await change(db, CANCEL_REQUEST, statements.requests.cancel, request_id, user_id)
    return str(row["body"])


async def update(
    db: Database, request_id: str, user_id: str, status: str, reason: str | None = None
) -> str:
    """Do the action that leads to ``status``."""
    if status == ACCEPT.to:
        request, _ = await accept(db, request_id, user_id)
        return request
    if status == REJECT.to:
        return await reject(db, request_id, user_id, reason)
    return await cancel(db, request_id, user_id)
