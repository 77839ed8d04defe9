"""Statements composed from what a client asks for: filters vary, everything else is in ``sql/``.

Only parameters are put in, never values, so each combination of filters is one prepared statement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pypika import CustomFunction, Field, Order, Parameter, PostgreSQLQuery, Table
from pypika import functions as fn
from pypika.terms import Criterion, Term

from mentorapi.database import statements
from mentorapi.database.page import Page, offset
from mentorapi.database.pool import Database

json_agg = CustomFunction("json_agg", ["rows"])

Ordering = Sequence[tuple[Term, Order]]


class Arguments:
    """Collects the values of a statement and hands out their places in it."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def add(self, value: Any) -> Parameter:
        self.values.append(value)
        return Parameter(f"${len(self.values)}")


async def fetch_page(
    db: Database,
    *,
    table: str,
    view: str,
    variant: tuple[object, ...],
    where: Callable[[Table], Criterion],
    order: Callable[[Table], Ordering],
    arguments: Arguments,
    page: int,
    limit: int,
) -> Page:
    """One page of ``view``, counted on the ``table`` beneath it, in one statement.

    ``variant`` is all that the text of the statement depends on: each is composed once.
    """
    places = arguments.add(limit), arguments.add(offset(page, limit))
    key = (view, *variant)
    if key not in _composed:
        _composed[key] = _compose(table, view, where, order, places)
    return Page.of(await statements.fetch_row(db, _composed[key], *arguments.values), page, limit)


#: There are as many as combinations of filters, some dozens.
_composed: dict[tuple[object, ...], str] = {}


def _compose(
    table: str,
    view: str,
    where: Callable[[Table], Criterion],
    order: Callable[[Table], Ordering],
    places: tuple[Parameter, Parameter],
) -> str:
    counted, listed = Table(table), Table(view)
    items = PostgreSQLQuery.from_(listed).select(listed.body).where(where(listed))
    for term, direction in order(listed):
        items = items.orderby(term, order=direction)
    items = items.limit(places[0]).offset(places[1]).as_("page")
    statement = PostgreSQLQuery.select(
        PostgreSQLQuery.from_(counted).select(fn.Count("*")).where(where(counted)).as_("total"),
        PostgreSQLQuery.from_(items)
        .select(fn.Coalesce(json_agg(Field("body", table=items)), "[]"))
        .as_("items"),
    )
    return f"-- {view}\n{statement.get_sql()}"


def mentored_by(table: Table, user: Parameter) -> Criterion:
    """Rows of the mentor profile that this user has, if any."""
    mentors = Table("mentors")
    profile = PostgreSQLQuery.from_(mentors).select(mentors.id).where(mentors.user_id == user)
    return table.mentor_id == profile
