"""The recipes of docs/contributing.md, followed word by word in a copy of the project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.docs.documents import DOCUMENTS, ROOT

RECIPES = (1, 2, 3, 4, 5)

#: The tests that the recipes add, and those that find a missing step. Without test_plans.py, which
#: takes 20 s.
FILES = (
    "tests/api/mentees",
    "tests/api/events/test_review_changed.py",
    "tests/api/availability/test_horizon.py",
    "tests/operations/test_job_time_off.py",
    "tests/operations/test_starting_misconfigured.py",
    "tests/rules/test_sql_files.py",
    "tests/docs/test_documents.py",
    "tests/docs/test_openapi.py",
)
SELECTED = (
    "mentees",
    "time_off",
    "correct_a_review",
    "beyond_the_horizon",
    "MAX_HEAD_BYTES",
    "table",
    "unique_ids_and_descriptions",
)

NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv*", ".*_cache", ".hypothesis", "*.egg-info", "__pycache__", "node_modules", "var"
)


def steps(recipe: int) -> Iterator[tuple[Path, str, list[tuple[str, str]]]]:
    """Yield for each step of a recipe its file, its text, and its blocks of code by language."""
    found = re.search(
        rf"^### {recipe}\. .*?(?=^##)",
        DOCUMENTS["docs/contributing.md"],
        re.MULTILINE | re.DOTALL,
    )
    assert found
    for text in re.split(r"^(?=\d+\. )", found[0], flags=re.MULTILINE)[1:]:
        file = re.match(r"\d+\. `([\w./]+)`", text)
        code = re.findall(r"^ +```(\w+)\n(.*?)^ +```$", text, re.MULTILINE | re.DOTALL)
        if file:
            dedented = [(kind, re.sub(r"^   ", "", block, flags=re.M)) for kind, block in code]
            yield Path(file[1]), text, dedented


def change(text: str, diff: str) -> str:
    """Apply a change that has lines of context instead of line numbers."""
    lines = [line if line.strip("\n") else f" {line}" for line in diff.splitlines(keepends=True)]
    before = "".join(line[1:] for line in lines if line[0] != "+")
    after = "".join(line[1:] for line in lines if line[0] != "-")
    assert text.count(before) == 1, f"{text.count(before)} times in the file:\n{before}"
    return text.replace(before, after)


def follow(recipe: int, folder: Path) -> None:
    for file, text, code in steps(recipe):
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        if "is an empty file" in text:
            path.touch(exist_ok=False)
        for kind, block in code:
            if kind == "diff":
                path.write_text(change(path.read_text(), block))
            else:
                assert not path.exists(), file
                path.write_text(block)


def test_follow_the_recipes_in_a_copy_and_run_their_tests(postgres: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ROOT, copy, ignore=NOT_COPIED)
    for recipe in RECIPES:
        follow(recipe, copy)
    surroundings = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    surroundings |= {"MENTORAPI_TEST_SERVER": postgres, "PYTHONPATH": str(copy)}
    options = ["-n0", "-v", f"--basetemp={tmp_path / 'inner'}", "-p", "no:cacheprovider"]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *FILES, "-k", " or ".join(SELECTED)],
        cwd=copy,
        env=surroundings,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for name in SELECTED:
        assert re.search(rf"{name}.* PASSED", ran.stdout), ran.stdout
