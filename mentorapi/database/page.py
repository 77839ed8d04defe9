"""One page of a list."""

from typing import NamedTuple


class Page(NamedTuple):
    """``items`` is a JSON array as text; ``total`` counts the items of all pages.

    The first page has the number 1.
    """

    items: str
    total: int
    page: int
    limit: int

    @property
    def pages(self) -> int:
        return -(-self.total // self.limit)


def offset(page: int, limit: int) -> int:
    return (page - 1) * limit
