"""The documents of the project as text, and the tables, blocks and links that they contain."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

#: Every document by its path in the project.
DOCUMENTS = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in sorted(
        [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md")]
    )
}
README = DOCUMENTS["README.md"]
API = DOCUMENTS["docs/api.md"]
DATABASE = DOCUMENTS["docs/database.md"]
OPERATIONS = DOCUMENTS["docs/operations.md"]
UPGRADING = DOCUMENTS["docs/upgrading.md"]


def section(document: str, heading: str) -> str:
    """The text below a heading of the second level."""
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", document, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def table(text: str, column: str) -> list[list[str]]:
    """The rows of the table whose first column has this name, without backticks."""
    found = re.search(rf"^\| {column} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert found, column
    return [
        [cell.strip().replace("`", "") for cell in line.strip("|").split(" | ")]
        for line in found[1].replace("| |", "|  |").splitlines()
    ]


def blocks(text: str, language: str) -> list[str]:
    """The blocks of code in a language, without the indentation of a list."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


@cache
def anchors(document: str) -> set[str]:
    """The anchors that GitHub makes from the headings of a document."""
    text = re.sub(r"^```.*?^```$", "", document, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^##+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
