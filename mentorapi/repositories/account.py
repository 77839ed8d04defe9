"""Users, as their tokens describe them."""

from __future__ import annotations

from typing import NamedTuple

from mentorapi.database import statements
from mentorapi.database.pool import Database


class Claims(NamedTuple):
    """The claims of a token about its user, or the stored ones. None means not known."""

    name: str | None
    email: str | None
    picture: str | None
    #: Seconds since 1970. None counts as older than any other.
    issued_at: int | None

    def change(self, stored: Claims) -> bool:
        """Return whether a token with these claims may change the stored ones."""
        if stored.issued_at is not None and (
            self.issued_at is None or self.issued_at < stored.issued_at
        ):
            return False
        return any(
            claim is not None and claim != kept
            for claim, kept in zip(self[:3], stored[:3], strict=True)
        )


async def remember(db: Database, user_id: str, claims: Claims) -> Claims | None:
    """Store the claims; return what is stored then.

    Returns None if another transaction stores the same user at this moment.
    """
    row = await statements.account.remember(db, user_id=user_id, **claims._asdict())
    return row and Claims(*row)
