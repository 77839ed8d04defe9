"""Reviews of completed sessions."""

from mentorapi import errors
from mentorapi.database import statements
from mentorapi.database.page import Page, offset
from mentorapi.database.pool import Database
from mentorapi.database.transitions import refusal
from mentorapi.transitions import REVIEW


async def list_of_mentor(db: Database, mentor_id: str, page: int, limit: int) -> Page:
    row = await statements.reviews.list(
        db, mentor_id=mentor_id, limit=limit, offset=offset(page, limit)
    )
    if row is None:
        raise errors.MentorNotFound
    return Page.of(row, page, limit)


async def list_own(db: Database, user_id: str, role: str, page: int, limit: int) -> Page:
    """List reviews received (role ``mentor``) or given (role ``mentee``)."""
    statement = statements.reviews.received if role == "mentor" else statements.reviews.given
    row = await statement(db, user_id=user_id, limit=limit, offset=offset(page, limit))
    if row is None:
        raise errors.ProfileNotFound
    return Page.of(row, page, limit)


async def create(
    db: Database, session_id: str, user_id: str, rating: int, comment: str | None
) -> str:
    row = await statements.reviews.create(
        db, session_id=session_id, user_id=user_id, rating=rating, comment=comment
    )
    if row is None:
        raise await refusal(db, REVIEW, session_id, user_id)
    return str(row["body"])
