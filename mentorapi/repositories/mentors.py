"""Public mentors: list, search, facets, those with a free slot, one profile."""

import asyncio
from collections.abc import Awaitable
from datetime import datetime
from typing import Any, TypeVar

import orjson

from mentorapi import errors
from mentorapi.database import statements
from mentorapi.database.page import Page
from mentorapi.database.pool import Database
from mentorapi.schemas.validation import canonical_language

#: Seconds for the statement of a search. asyncpg then cancels it on the server.
MAX_SEARCH_SECONDS = 3

T = TypeVar("T")


def is_search(
    q: str = "", sort: str = "best", page: int = 1, limit: int = 0, **filters: Any
) -> bool:
    """Whether `find` searches, which may take as long as `MAX_SEARCH_SECONDS`.

    ``page`` and ``limit`` are parameters of their own, so that they do not count as filters.
    """
    return bool(q or filters or sort != "best")


async def find(
    db: Database, page: int, limit: int, sort: str = "best", q: str = "", **filters: Any
) -> Page:
    """A page of the mentors that pass the filters and have each word of ``q``, or one like it.

    ``sort`` and the filters are parameters of the API. Raises Unavailable.
    """
    if not is_search(q, sort, **filters):
        return await statements.mentors.list.page(db, page, limit)
    search = statements.mentors.search
    values = {"q": q, "filters": _json(filters), "sort": sort}
    return await _in_time(search.page(db, page, limit, **values))


async def count_facets(db: Database, q: str, **filters: Any) -> str:
    """Count the mentors that `find` returns, by expertise, by language and by currency."""
    return await _in_time(statements.mentors.count_facets.body(db, q=q, filters=_json(filters)))


async def list_available(
    db: Database, start: datetime, end: datetime, limit: int, **filters: Any
) -> tuple[str, float]:
    """The mentors that pass the filters and have a free slot from start to end, soonest first.

    As JSON, with the number of seconds for which it stays true unless there is a write.
    Raises Unavailable.
    """
    # As text: asyncpg reads datetime.max as infinity.
    found = statements.mentors.list_available(
        db,
        filters=_json(filters),
        from_time=start.isoformat(),
        to_time=end.isoformat(),
        limit=limit,
    )
    row = await _in_time(found)
    # A minute, since time alone can add slots, such as when the horizon of a mentor moves.
    return row["items"], min(row["seconds_valid"], 60)


def _json(filters: dict[str, Any]) -> str:
    if "language" in filters:
        filters = filters | {"language": canonical_language(filters["language"])}
    return orjson.dumps(filters).decode()


async def _in_time(found: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(MAX_SEARCH_SECONDS):
            return await found
    except TimeoutError:
        raise errors.Unavailable from None


async def clean_search(db: Database, batch_size: int) -> int:
    """Delete words of the search index that no public profile has; return how many.

    One statement checks ``batch_size`` words. While it runs, no profile's words can change.
    """
    deleted, last = 0, ""
    while last is not None:
        row = await statements.mentors.clean_search(db, after=last, most=batch_size)
        deleted += row["deleted"]
        last = row["last"]
    return deleted


async def show(db: Database, mentor_id: str) -> str:
    return await statements.mentors.show.body(db, errors.MentorNotFound, mentor_id=mentor_id)
