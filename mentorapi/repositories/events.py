"""How the state of a request or a session has changed."""

from __future__ import annotations

from mentorapi import errors
from mentorapi.database import statements
from mentorapi.database.page import Page, offset
from mentorapi.database.pool import Database


async def list_of_request(
    db: Database, request_id: str, user_id: str, page: int, limit: int
) -> Page:
    """Return the changes of a request, oldest first."""
    row = await statements.events.list(
        db,
        request_id=request_id,
        session_id=None,
        user_id=user_id,
        limit=limit,
        offset=offset(page, limit),
    )
    if row is None:
        raise errors.RequestNotFound
    if not row["is_party"]:
        raise errors.NotPartyToRequest
    return Page.of(row, page, limit)


async def list_of_session(
    db: Database, session_id: str, user_id: str, page: int, limit: int
) -> Page:
    """Return the changes of a session, oldest first."""
    row = await statements.events.list(
        db,
        request_id=None,
        session_id=session_id,
        user_id=user_id,
        limit=limit,
        offset=offset(page, limit),
    )
    if row is None:
        raise errors.SessionNotFound
    if not row["is_party"]:
        raise errors.NotPartyToSession
    return Page.of(row, page, limit)
