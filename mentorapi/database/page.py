"""One page of a list."""

from __future__ import annotations

from typing import Any, NamedTuple


class Page(NamedTuple):
    """``items`` is a JSON array as text; ``total`` counts the items of all pages.

    The first page has the number 1.
    """

    items: str
    total: int
    page: int
    limit: int

    @classmethod
    def of(cls, row: Any, page: int, limit: int) -> Page:
        return cls(row["items"], row["total"], page, limit)

    @property
    def pages(self) -> int:
        return -(-self.total // self.limit)


def offset(page: int, limit: int) -> int:
    return (page - 1) * limit
