"""The event log: the history of a request or a session, all events in order."""

from mentorapi.database import statements
from mentorapi.database.page import Page, offset
from mentorapi.database.pool import Database
from mentorapi.database.transitions import ids, require_party
from mentorapi.transitions import Resource


async def list_changes(
    db: Database, resource: Resource, row_id: str, user_id: str, page: int, limit: int
) -> Page:
    """Return the changes of one request or session, oldest first."""
    row = await statements.events.list_changes(
        db, **ids(resource, row_id), user_id=user_id, limit=limit, offset=offset(page, limit)
    )
    require_party(row, resource)
    return Page(row["items"], row["total"], page, limit)


async def follow(db: Database, after: str, limit: int) -> str:
    """Return the events after the one with this id as a JSON array; ``0-0`` is before the first.

    A reader that continues after the last id that it has seen misses no event, however late its
    transaction commits.
    """
    xid, number = after.split("-")
    row = await statements.events.follow(db, after_xid=xid, after_id=int(number), limit=limit)
    return str(row["items"])
