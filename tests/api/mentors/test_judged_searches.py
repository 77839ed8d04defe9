"""GET /mentors/search: judged.md says which mentors come first for each of some 80 queries."""

from __future__ import annotations

import re
from pathlib import Path

from mentorapi.demo import fill
from tests.api.mentors.test_mentors_search import found
from tests.client import Api

JUDGED = Path(__file__).with_name("judged.md").read_text(encoding="utf-8")

INSERT = """
INSERT INTO mentors (user_id, own_name, full_name, expertise, headline, bio)
VALUES ($1, TRUE, $2, $3, $4, $5)
"""


def table(first_column: str) -> list[list[str]]:
    rows = re.search(rf"^\| {first_column} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", JUDGED, re.MULTILINE)
    assert rows
    return [[cell.strip() for cell in row[1:-1].split("|")] for row in rows[1].splitlines()]


async def test_search_judged_queries_returns_the_expected_first(api: Api) -> None:
    await fill.fill(api.services.db, api.services.settings)
    for sub, name, expertise, headline, bio in table("mentor"):
        await api.db.execute("INSERT INTO users (id) VALUES ($1)", sub)
        skills = [skill for skill in expertise.split(", ") if skill]
        await api.db.execute(INSERT, sub, name, skills, headline or None, bio or None)
    await api.services.listener.wait_until_current()
    judged = table("query")
    wrong = []
    for q, first in judged:
        expected = first.split(", ")
        got = (await found(api, q, limit=50))[: len(expected)]
        if got != expected:
            wrong.append(f"{q}: {got} instead of {expected}")
    print(f"{len(judged) - len(wrong)} of {len(judged)} judged searches are right")
    assert not wrong, "\n".join(wrong)
