"""How the state of a request or a session has changed."""

from __future__ import annotations

from mentorapi.database import statements
from mentorapi.database.page import Page, offset
from mentorapi.database.pool import Database
from mentorapi.database.transitions import ids, require_party
from mentorapi.transitions import Resource


async def list_changes(
    db: Database, resource: Resource, row_id: str, user_id: str, page: int, limit: int
) -> Page:
    """Return the changes of one request or session, oldest first."""
    row = await statements.events.list(
        db, **ids(resource, row_id), user_id=user_id, limit=limit, offset=offset(page, limit)
    )
    return Page.of(require_party(row, resource), page, limit)
