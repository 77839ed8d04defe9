"""Requests: a mentee asks for a time, the mentor answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from pypika import CustomFunction, Order, Table
from pypika.terms import Criterion

from mentorapi import errors
from mentorapi.database import listing, statements
from mentorapi.database.page import Page, offset
from mentorapi.database.pool import Database


async def create(
    db: Database, mentee_id: str, mentor_id: str, body: Mapping[str, Any]
) -> tuple[str, str]:
    """Ask for a session; returns the request's id and the request as JSON.

    The first statement admits only what it may; when it does not, a second one finds out why.
    """
    start_time = datetime.combine(
        date.fromisoformat(body["scheduledDate"]),
        time.fromisoformat(body["scheduledTime"]),
        tzinfo=UTC,
    )
    asked = {"mentor_id": mentor_id, "mentee_id": mentee_id, "start_time": start_time}
    location = body.get("location")
    if location is not None and not location.strip():
        # A form sends an empty text for what was left out.
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
    why = await statements.requests.why_not_created(db, **asked)
    if why is None:
        raise errors.MentorNotFound
    if why["to_self"]:
        raise errors.RequestToSelf
    if why["past"]:
        raise errors.RequestInPast
    if why["pending"]:
        raise errors.DuplicateRequest
    raise errors.SlotTaken


async def list_own(
    db: Database, user_id: str, role: str | None, status: str | None, page: int, limit: int
) -> Page:
    """Sent, received, or both; newest first."""
    arguments = listing.Arguments()
    user = arguments.add(user_id)
    wanted = None if status is None else arguments.add(status)
    shown_status = CustomFunction("request_status", ["status", "start_time"])

    def where(requests: Table) -> Criterion:
        sides = {
            "sent": requests.mentee_id == user,
            "received": listing.mentored_by(requests, user),
        }
        criterion = Criterion.any([sides[role]] if role else sides.values())
        if wanted is None:
            return criterion
        return criterion & (shown_status(requests.status, requests.start_time) == wanted)

    return await listing.fetch_page(
        db,
        table="requests",
        view="request_list",
        variant=(role, wanted is not None),
        where=where,
        order=lambda requests: [(requests.created_at, Order.desc), (requests.id, Order.desc)],
        arguments=arguments,
        page=page,
        limit=limit,
    )


async def list_active(db: Database, user_id: str, mentor_id: str, page: int, limit: int) -> Page:
    """The mentee's requests that hold a mentor's time or may come to, soonest first."""
    row = await statements.requests.active(
        db, mentor_id=mentor_id, mentee_id=user_id, limit=limit, offset=offset(page, limit)
    )
    if row is None:
        raise errors.MentorNotFound
    return Page.of(row, page, limit)


async def count_pending(db: Database, user_id: str) -> int:
    row = await statements.requests.count_pending(db, user_id=user_id)
    return int(row["pending"])


async def show(db: Database, request_id: str, user_id: str) -> str:
    row = await statements.requests.show(db, request_id=request_id, user_id=user_id)
    if row is None:
        raise errors.RequestNotFound
    if not row["is_party"]:
        raise errors.NotPartyToRequest
    return str(row["body"])


async def accept(db: Database, request_id: str, user_id: str) -> tuple[str, str]:
    """Returns the request and its booking as JSON."""
    row = await statements.requests.accept(db, request_id=request_id, user_id=user_id)
    if row is None:
        raise await why_not(db, request_id, user_id, ACCEPT)
    return row["body"], row["booking"]


async def reject(db: Database, request_id: str, user_id: str, reason: str | None) -> str:
    row = await statements.requests.reject(
        db, request_id=request_id, user_id=user_id, reason=reason
    )
    if row is None:
        raise await why_not(db, request_id, user_id, REJECT)
    return str(row["body"])


async def cancel(db: Database, request_id: str, user_id: str) -> str:
    row = await statements.requests.cancel(db, request_id=request_id, user_id=user_id)
    if row is None:
        raise await why_not(db, request_id, user_id, CANCEL)
    return str(row["body"])


@dataclass(frozen=True, slots=True)
class Action:
    """What an action on a pending request refuses with: the wrong person, the wrong state, and
    where neither is to blame, the wrong time."""

    by: str
    others: type[errors.ApiError]
    not_pending: type[errors.ApiError]
    otherwise: type[errors.ApiError]


ACCEPT = Action("is_mentor", errors.OnlyMentorAccepts, errors.NotAcceptable, errors.SlotTaken)
REJECT = Action("is_mentor", errors.OnlyMentorRejects, errors.NotRejectable, errors.NotRejectable)
CANCEL = Action(
    "is_mentee",
    errors.OnlyMenteeCancelsRequest,
    errors.RequestNotCancellable,
    errors.RequestNotCancellable,
)


async def why_not(db: Database, request_id: str, user_id: str, action: Action) -> errors.ApiError:
    """The error for an action that changed no row.

    A second statement, since the first one would still see its old snapshot.
    """
    row = await statements.requests.why_not(db, request_id=request_id, user_id=user_id)
    if row is None:
        return errors.RequestNotFound()
    if not row[action.by]:
        return action.others()
    # The sweep may have ended it or not: the answer is the same.
    if row["status"] == "pending" or row["expired"]:
        return action.otherwise()
    return action.not_pending()


async def expire(db: Database, batch_size: int) -> int:
    """End at most so many pending requests whose time has come; returns how many there were."""
    row = await statements.requests.expire(db, batch_size=batch_size)
    return int(row["expired"])


async def _accept(db: Database, request_id: str, user_id: str, reason: str | None) -> str:
    request, _ = await accept(db, request_id, user_id)
    return request


async def _cancel(db: Database, request_id: str, user_id: str, reason: str | None) -> str:
    return await cancel(db, request_id, user_id)


#: What PATCH /requests/:id does for each status.
CHANGES = {"accepted": _accept, "rejected": reject, "cancelled": _cancel}
