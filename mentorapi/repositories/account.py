"""People, as their tokens describe them."""

from __future__ import annotations

from typing import NamedTuple

from mentorapi.database import statements
from mentorapi.database.pool import Database


class Claims(NamedTuple):
    """What a token says of its user, or what is stored of it; None where it says nothing."""

    name: str | None
    email: str | None
    picture: str | None
    #: Seconds since 1970. None counts as older than any other.
    issued_at: int | None

    def change(self, stored: Claims) -> bool:
        """Whether a token with these claims may change what is stored."""
        if stored.issued_at is not None and (
            self.issued_at is None or self.issued_at < stored.issued_at
        ):
            return False
        return any(
            said is not None and said != kept
            for said, kept in zip(self[:3], stored[:3], strict=True)
        )


async def remember(db: Database, user_id: str, claims: Claims) -> Claims | None:
    """What is stored then; None where another transaction stores the same user at this moment."""
    row = await statements.account.remember(db, user_id=user_id, **claims._asdict())
    return row and Claims(*row)
