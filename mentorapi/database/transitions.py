"""Reading and changing requests and sessions: the errors if a statement finds no row."""

from typing import Any

from mentorapi import errors
from mentorapi.database import statements
from mentorapi.database.pool import Database
from mentorapi.database.statements import Statement
from mentorapi.transitions import Resource, Transition


def ids(resource: Resource, row_id: str) -> dict[str, str | None]:
    """Return the arguments of a statement that takes a request's id or a session's."""
    return {"request_id": None, "session_id": None, f"{resource.name}_id": row_id}


def require_party(row: Any, resource: Resource) -> Any:
    """Return the row if it exists and its ``is_party`` is true, else raise the resource's error."""
    if row is None:
        raise resource.not_found
    if not row["is_party"]:
        raise resource.not_party
    return row


async def change(
    db: Database, transition: Transition, sql: Statement, row_id: str, user_id: str, **values: Any
) -> Any:
    """Run the statement of a transition; return its row. Raises the errors of the transition."""
    row = await sql(db, **{f"{transition.resource.name}_id": row_id}, user_id=user_id, **values)
    if row is None:
        raise await refusal(db, transition, row_id, user_id)
    return row


async def refusal(
    db: Database, transition: Transition, row_id: str, user_id: str
) -> errors.ApiError:
    """Return the error for a transition that changed no row.

    This is a second statement because the first one would still see its old snapshot.
    """
    resource, refusals = transition.resource, transition.refusals
    row = await statements.transitions.explain_refusal(db, **ids(resource, row_id), user_id=user_id)
    if row is None:
        return resource.not_found()
    if not any(row[f"is_{party}"] for party in transition.by):
        return refusals.wrong_party()
    if row["status"] in transition.states:
        if refusals.too_late is not None and row["before_start"] and not row["is_mentor"]:
            return refusals.too_late()
        if refusals.wrong_time is not None:
            return refusals.wrong_time()
    return refusals.wrong_state()
