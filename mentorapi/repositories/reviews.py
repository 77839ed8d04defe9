"""Reviews of completed sessions."""

from mentorapi import errors
from mentorapi.database import statements
from mentorapi.database.page import Page
from mentorapi.database.pool import Database
from mentorapi.database.transitions import change
from mentorapi.transitions import REVIEW


async def list_of_mentor(db: Database, mentor_id: str, page: int, limit: int) -> Page:
    return await statements.reviews.list_of_mentor.page(
        db, page, limit, errors.MentorNotFound, mentor_id=mentor_id
    )


async def list_own(db: Database, user_id: str, role: str, page: int, limit: int) -> Page:
    """List reviews received (role ``mentor``) or given (role ``mentee``)."""
    statement = (
        statements.reviews.list_received if role == "mentor" else statements.reviews.list_given
    )
    return await statement.page(db, page, limit, errors.ProfileNotFound, user_id=user_id)


async def create(
    db: Database, session_id: str, user_id: str, rating: int, comment: str | None = None
) -> str:
    row = await change(
        db, REVIEW, statements.reviews.create, session_id, user_id, rating=rating, comment=comment
    )
    return str(row["body"])
