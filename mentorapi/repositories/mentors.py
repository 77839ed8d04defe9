"""Discovery: the public mentors, their reviews and the times they can be booked."""

from __future__ import annotations

from datetime import date

from pypika import CustomFunction, Order, Table
from pypika.enums import Comparator
from pypika.terms import BasicCriterion, Criterion

from mentorapi import errors, queries
from mentorapi.queries import Database
from mentorapi.repositories import listing
from mentorapi.repositories.page import Page, offset

#: Words of a search beyond these are not looked at.
MOST_WORDS = 8

fold = CustomFunction("fold", ["words"])
containing = CustomFunction("containing", ["words"])
search_rank = CustomFunction("search_rank", ["phrase", "mentor"])


class Like(Comparator):
    """PyPika has these two only with a value or not at all."""

    contains = " LIKE "
    similar = "<%"


async def list_all(db: Database, page: int, limit: int) -> Page:
    row = await queries.mentors.list(db, limit=limit, offset=offset(page, limit))
    return Page.of(row, page, limit)


async def find(db: Database, q: str, page: int, limit: int) -> Page:
    """The mentors in whose name, expertise, headline or bio each word stands, or one like it.

    Without a word to look for, all of them.
    """
    words = list(dict.fromkeys(q.split()))[:MOST_WORDS]
    if not words:
        return await list_all(db, page, limit)
    arguments = listing.Arguments()
    places = [arguments.add(word) for word in words]
    phrase = arguments.add(" ".join(words))

    def where(mentors: Table) -> Criterion:
        return Criterion.all(
            [mentors.visibility == "public"]
            + [
                BasicCriterion(Like.contains, mentors.search_text, containing(place))
                | BasicCriterion(Like.similar, fold(place), mentors.search_text)
                for place in places
            ]
        )

    return await listing.fetch_page(
        db,
        table="mentors",
        view="mentor_list",
        where=where,
        order=lambda mentors: [
            (search_rank(phrase, mentors), Order.desc),
            (mentors.rating, Order.desc),
            (mentors.id, Order.asc),
        ],
        arguments=arguments,
        page=page,
        limit=limit,
    )


async def show(db: Database, mentor_id: str) -> str:
    row = await queries.mentors.show(db, mentor_id=mentor_id)
    if row is None:
        raise errors.MentorNotFound
    return str(row["body"])


async def list_reviews(db: Database, mentor_id: str, page: int, limit: int) -> Page:
    row = await queries.mentors.reviews(
        db, mentor_id=mentor_id, limit=limit, offset=offset(page, limit)
    )
    if row is None:
        raise errors.MentorNotFound
    return Page.of(row, page, limit)


async def list_slots(db: Database, mentor_id: str, start: date, end: date) -> str:
    """The free slots from one date to another, both inclusive (UTC)."""
    row = await queries.mentors.slots(db, mentor_id=mentor_id, start_date=start, end_date=end)
    if row is None:
        raise errors.MentorNotFound
    return str(row["body"])
