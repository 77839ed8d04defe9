"""Public mentors: list, search, one profile."""

import asyncio

from mentorapi import errors
from mentorapi.database import statements
from mentorapi.database.page import Page, offset
from mentorapi.database.pool import Database

#: Further words of a search are ignored.
MAX_WORDS = 8

#: Seconds for the statement of a search. asyncpg then cancels it on the server.
MAX_SEARCH_SECONDS = 3


async def list_all(db: Database, page: int, limit: int) -> Page:
    row = await statements.mentors.list(db, limit=limit, offset=offset(page, limit))
    return Page.of(row, page, limit)


async def search(db: Database, q: str, page: int, limit: int) -> Page:
    """Find each word, or one like it, in the name, expertise, headline or bio of a mentor.

    Without words, list all mentors. Raises Unavailable.
    """
    words = list(dict.fromkeys(q.split()))[:MAX_WORDS]
    if not words:
        return await list_all(db, page, limit)
    try:
        async with asyncio.timeout(MAX_SEARCH_SECONDS):
            row = await statements.mentors.search(
                db, words=words, phrase=" ".join(words), limit=limit, offset=offset(page, limit)
            )
    except TimeoutError:
        raise errors.Unavailable from None
    return Page.of(row, page, limit)


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
    row = await statements.mentors.show(db, mentor_id=mentor_id)
    if row is None:
        raise errors.MentorNotFound
    return str(row["body"])
