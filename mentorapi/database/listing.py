"""Statements for lists with filters, composed by PyPika. All others are files of ``sql/``.

Values are bound, never put into the text, so each combination of filters is one prepared statement.
"""

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
    """The values of a statement; `add` returns the parameter to write in its place."""

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
    """Fetch a page of ``view``, and the number of rows of its ``table``, in one statement.

    ``variant`` is everything that the text of the statement depends on: each text is composed once.
    """
    bounds = arguments.add(limit), arguments.add(offset(page, limit))
    key = (view, *variant)
    if key not in _composed:
        _composed[key] = _compose(table, view, where, order, bounds)
    return Page.of(await statements.fetch_row(db, _composed[key], *arguments.values), page, limit)


#: One text for each combination of filters: some dozens.
_composed: dict[tuple[object, ...], str] = {}


def _compose(
    table: str,
    view: str,
    where: Callable[[Table], Criterion],
    order: Callable[[Table], Ordering],
    bounds: tuple[Parameter, Parameter],
) -> str:
    counted, listed = Table(table), Table(view)
    items = PostgreSQLQuery.from_(listed).select(listed.body).where(where(listed))
    for term, direction in order(listed):
        items = items.orderby(term, order=direction)
    items = items.limit(bounds[0]).offset(bounds[1]).as_("page")
    statement = PostgreSQLQuery.select(
        PostgreSQLQuery.from_(counted).select(fn.Count("*")).where(where(counted)).as_("total"),
        PostgreSQLQuery.from_(items)
        .select(fn.Coalesce(json_agg(Field("body", table=items)), "[]"))
        .as_("items"),
    )
    return f"-- {view}\n{statement.get_sql()}"


def mentored_by(table: Table, user: Parameter) -> Criterion:
    """Rows that belong to the mentor profile of this user."""
    mentors = Table("mentors")
    profile = PostgreSQLQuery.from_(mentors).select(mentors.id).where(mentors.user_id == user)
    return table.mentor_id == profile
