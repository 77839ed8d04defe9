"""Public mentors: list, search, one profile."""

from __future__ import annotations

import asyncio

from mentorapi import errors
from mentorapi.database import statements
from mentorapi.database.page import Page, offset
from mentorapi.database.pool import Database

#: Words of a search beyond these are not looked at.
MOST_WORDS = 8

#: Seconds for the statement of a search. asyncpg cancels it on the server, too.
MAX_SEARCH_SECONDS = 3


async def list_all(db: Database, page: int, limit: int) -> Page:
    row = await statements.mentors.list(db, limit=limit, offset=offset(page, limit))
    return Page.of(row, page, limit)


async def find(db: Database, q: str, page: int, limit: int) -> Page:
    """The mentors in whose name, expertise, headline or bio each word stands, or one like it.

    Without a word to look for, all of them.
    """
    words = list(dict.fromkeys(q.split()))[:MOST_WORDS]
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
    """Delete the words of the search that no public profile has; returns how many there were.

    Each statement looks at so many words. Meanwhile nobody can change a profile's words.
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
