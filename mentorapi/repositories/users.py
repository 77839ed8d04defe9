"""People, as their tokens describe them."""

from __future__ import annotations

from mentorapi import queries
from mentorapi.queries import Database


async def remember(
    db: Database, user_id: str, name: str | None, email: str | None, picture: str | None
) -> None:
    await queries.users.remember(db, user_id=user_id, name=name, email=email, picture=picture)
