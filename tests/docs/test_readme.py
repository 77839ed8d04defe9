"""The README is held against the code, in both directions: what it says is so, and all is said."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from mentorapi import cli, errors
from mentorapi.app import PREFIX, ROUTES
from mentorapi.config import Settings
from mentorapi.database.errors import CONSTRAINTS
from mentorapi.demo import fill
from tests.client import Api
from tests.starting import RUN, Process, environment, run

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MIGRATIONS = "\n".join(path.read_text() for path in sorted(ROOT.glob("migrations/????.*.sql")))


def section(heading: str) -> str:
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def table(heading: str, column: str) -> list[list[str]]:
    """The rows of the table in a section whose first column has this name, without backticks."""
    found = re.search(
        rf"^\| {column} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", section(heading), re.MULTILINE
    )
    assert found, column
    return [
        [cell.strip().replace("`", "") for cell in line.strip("|").split(" | ")]
        for line in found[1].replace("| |", "|  |").splitlines()
    ]


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


# Tables ------------------------------------------------------------------------------------------


def test_the_table_of_routes() -> None:
    served = {
        (method, path.removeprefix(PREFIX), spec.public)
        for path, handler in ROUTES
        for method, spec in handler.operations().items()
    }
    told = [(row[0], row[1], row[2] == "everybody") for row in table("The API", "Method")]
    assert set(told) == served
    assert len(told) == len(served)


def test_the_table_of_errors() -> None:
    def kinds(of: type[errors.ApiError]) -> set[type[errors.ApiError]]:
        narrower = of.__subclasses__()
        return set().union(*map(kinds, narrower)) if narrower else {of}

    raised = {(str(int(kind.status)), kind.default_message()) for kind in kinds(errors.ApiError)}
    told = [(row[0], row[1]) for row in table("Errors", "Status")]
    assert set(told) == raised
    assert len(told) == len(raised)
    assert errors.ApiError.default_message() in section("Errors")


def test_the_example_of_an_error() -> None:
    (example,) = blocks("json", section("Errors"))
    shown = json.loads(example)
    assert shown == errors.ValidationFailed(shown["details"]).body()


def test_the_table_of_settings() -> None:
    def shown(default: Any) -> str:
        if default is None or default == ():
            return ""
        if isinstance(default, float):
            return f"{default:g}"
        return str(default).lower() if isinstance(default, bool) else str(default)

    known = {f"MENTORAPI_{field.name.upper()}": shown(field.default) for field in fields(Settings)}
    told = [(row[0], row[1]) for row in table("Settings", "Variable")]
    assert dict(told) == known
    assert len(told) == len(known)


def commands() -> dict[str, argparse.ArgumentParser]:
    (action,) = (
        action
        for action in cli._parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    return dict(action.choices)


def test_the_table_of_commands() -> None:
    told = [row[0].removeprefix("run.py ") for row in table("Commands", "Command")]
    assert sorted(told) == sorted(commands())
    for row in table("Commands", "Command"):
        command = commands()[row[0].removeprefix("run.py ")]
        offered = [action for action in command._actions if action.help != argparse.SUPPRESS]
        options = {option for action in offered for option in action.option_strings}
        assert set(re.findall(r"--\w+", row[1])) == options - {"-h", "--help"}


def test_every_command_that_it_mentions() -> None:
    assert set(re.findall(r"run\.py (\w+)", README)) <= commands().keys()
    for command in commands():
        assert run(command, "--help", data_dir=ROOT / "nowhere").returncode == 0


def test_the_tables_of_the_database() -> None:
    made = re.findall(r"^CREATE TABLE (?:IF NOT EXISTS )?(\w+)", MIGRATIONS, re.MULTILINE)
    assert sorted(row[0] for row in table("For the DBA", "Table")) == sorted(made)


def test_the_names_of_constraints() -> None:
    told = {row[0] for row in table("For the DBA", "Name")}
    assert told <= set(re.findall(r"(?:CONSTRAINT|UNIQUE INDEX) (\w+)", MIGRATIONS))
    assert told >= CONSTRAINTS.keys()


# Text --------------------------------------------------------------------------------------------


def test_its_links_into_itself_lead_somewhere() -> None:
    headings = re.findall(r"^##+ (.+)$", README, re.MULTILINE)
    places = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= places


def test_its_map_of_the_house() -> None:
    """Every module of the package is on it, and no file is named that isn't there."""
    there = {path.name for path in ROOT.glob("mentorapi/**/*.py")} | {"run.py", "why_not.sql"}
    there |= {path.name for path in ROOT.glob("tests/**/*.py")}
    named = set(re.findall(r"\b\w+\.py\b", README))
    assert named <= there
    assert {path.name for path in ROOT.glob("mentorapi/[a-z]*.py")} <= named
    for path in re.findall(r"\b(?:sql|migrations|mentorapi|tests)/[\w/.]+\.\w+", README):
        assert (ROOT / path).exists(), path


def test_the_header_that_it_shows_is_the_one_in_the_file() -> None:
    (header,) = (block for block in blocks("sql") if block.startswith("--"))
    assert (ROOT / "sql/requests/accept.sql").read_text().startswith(header)


def test_names_of_the_code_that_it_mentions() -> None:
    code = "\n".join(path.read_text() for path in ROOT.glob("mentorapi/**/*.py")) + MIGRATIONS
    names = ["AcceptRequest", "CONSTRAINTS", "Operation", "SlotTaken", "_PARSERS", "mentor_page"]
    for name in names:
        assert name in README
        assert re.search(rf"\b{name}\b", code)


# It works when it is pasted ----------------------------------------------------------------------


@pytest.mark.skipif(not shutil.which("curl"), reason="the tour calls with curl")
def test_the_tour(tmp_path: Path) -> None:
    tour = "".join(blocks("sh", section("A tour")))
    data_dir = tmp_path / "var"
    with Process(data_dir) as server:
        tour = tour.replace("http://127.0.0.1:8000/api", server.listening())
        tour = tour.replace(".venv/bin/python run.py", f"'{sys.executable}' '{RUN}'")
        tour = tour.replace("python3 -c", f"'{sys.executable}' -c")
        seen = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", tour],
            env=environment(data_dir),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert (seen.returncode, seen.stderr) == (0, "")
    answers = [json.loads(line) for line in seen.stdout.splitlines() if line[:1] in ("[", "{")]
    found, slots, duplicate, accepted, slots_left, sessions = answers
    assert "Amara Okafor" in {mentor["fullName"] for mentor in found}
    assert duplicate["message"] == errors.DuplicateRequest.default_message()
    assert accepted["booking"]["status"] == "confirmed"
    assert slots["slots"][0] not in slots_left["slots"]
    assert [session["id"] for session in sessions] == [accepted["booking"]["id"]]


async def test_what_a_dba_is_told_to_paste(api: Api, settings: Settings) -> None:
    await fill.fill(api.services.db, settings)
    pasted = blocks("sql", section("For the DBA"))
    assert len(pasted) == 4
    for block in pasted:
        session = await api.db.fetchval("SELECT id FROM bookings WHERE status = 'disputed'")
        await api.db.execute(block.replace("'…'", f"'{session}'"))
    assert await api.db.fetchval("SELECT count(*) FROM bookings WHERE topic = 'By hand'") == 1
