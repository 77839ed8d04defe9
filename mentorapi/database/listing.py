"""Lists whose filters vary, composed by PyPika. Other statements are files of ``sql/``.

Values are bound, never put into the text, so each combination of filters is one prepared statement.
"""

from collections.abc import Sequence

from pypika import CustomFunction, Field, Order, Parameter, PostgreSQLQuery
from pypika import functions as fn
from pypika.terms import Criterion

from mentorapi.database import statements
from mentorapi.database.page import Page, offset
from mentorapi.database.pool import Database

#: The parameters of each list. Only a list that is filtered by status has the last one.
USER, LIMIT, OFFSET, STATUS = (Parameter(f"${number}") for number in range(1, 5))

AS_MENTEE = Field("mentee_id") == USER
AS_MENTOR = Field("mentor_id") == (
    PostgreSQLQuery.from_("mentors").select("id").where(Field("user_id") == USER)
)

json_agg = CustomFunction("json_agg", ["rows"])


def compose(
    table: str, view: str, where: Criterion, order_by: Sequence[str], direction: Order
) -> str:
    """Return a statement for a page of ``view``, and the number of rows of its ``table``."""
    page = PostgreSQLQuery.from_(view).select("body").where(where)
    page = page.orderby(*order_by, order=direction).limit(LIMIT).offset(OFFSET).as_("page")
    statement = PostgreSQLQuery.select(
        PostgreSQLQuery.from_(table).select(fn.Count("*")).where(where).as_("total"),
        PostgreSQLQuery.from_(page).select(fn.Coalesce(json_agg(page.body), "[]")).as_("items"),
    )
    return f"-- {view}\n{statement.get_sql()}"


async def fetch_page(
    db: Database, sql: str, user_id: str, status: str | None, page: int, limit: int
) -> Page:
    filters = () if status is None else (status,)
    row = await statements.fetch_row(db, sql, user_id, limit, offset(page, limit), *filters)
    return Page(row["items"], row["total"], page, limit)
