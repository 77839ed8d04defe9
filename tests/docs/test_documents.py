"""The documents are true: tables are compared with the code, commands and SQL are run."""

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
from mentorapi.database import connections
from mentorapi.database.errors import CONSTRAINTS
from mentorapi.demo import fill
from mentorapi.events import listener
from mentorapi.http import docs
from mentorapi.schemas.validation import DETAIL_CODES
from tests.client import Api
from tests.docs.documents import (
    API,
    DATABASE,
    DOCUMENTS,
    OPERATIONS,
    README,
    ROOT,
    anchors,
    blocks,
    section,
    table,
)
from tests.starting import RUN, Process, environment

SCHEMA = (ROOT / "sql" / "schema.sql").read_text().replace("public.", "")

# Tables ------------------------------------------------------------------------------------------


def test_compare_endpoints_table_with_routes() -> None:
    served = {
        (method, path.removeprefix(PREFIX), spec.public)
        for path, handler in ROUTES
        for method, spec in handler.operations().items()
    }
    served |= {("GET", path.removeprefix(PREFIX), True) for path, _ in docs.routes}
    rows = table(section(API, "Endpoints"), "Method")
    documented = [(row[0], row[1], row[2] == "everybody") for row in rows]
    assert set(documented) == served
    assert len(documented) == len(served)


def test_compare_errors_table_with_error_classes() -> None:
    def leaves(of: type[errors.ApiError]) -> set[type[errors.ApiError]]:
        narrower = of.__subclasses__()
        return set().union(*map(leaves, narrower)) if narrower else {of}

    raised = {(str(int(kind.status)), kind.message, kind.code) for kind in leaves(errors.ApiError)}
    documented = [(row[0], row[1], row[2]) for row in table(section(API, "Errors"), "Status")]
    assert set(documented) == raised
    assert len(documented) == len(raised)
    assert errors.ApiError.message in section(API, "Errors")


def test_find_every_error_code_in_the_document() -> None:
    never_sent = {errors.Conflict.code, errors.Forbidden.code}
    documented = set(re.findall(r"`(\w+)`", section(API, "Errors")))
    assert set(errors.CODES) - never_sent <= documented


def test_compare_table_of_detail_codes_with_validation() -> None:
    rows = table(section(API, "Errors"), "Code")
    documented = [code for row in rows for code in row[0].split(", ")]
    assert sorted(documented) == sorted(DETAIL_CODES)


def test_compare_example_of_an_error_with_its_body() -> None:
    (example,) = blocks(section(API, "Errors"), "json")
    shown = json.loads(example)
    assert shown == errors.ValidationFailed(shown["details"]).body()


def test_compare_settings_table_with_fields_and_defaults() -> None:
    def shown(default: Any) -> str:
        if default is None or default == ():
            return ""
        if isinstance(default, float):
            return f"{default:g}"
        return str(default).lower() if isinstance(default, bool) else str(default)

    known = {f"MENTORAPI_{field.name.upper()}": shown(field.default) for field in fields(Settings)}
    documented = [(row[0], row[1]) for row in table(section(OPERATIONS, "Settings"), "Variable")]
    assert dict(documented) == known
    assert len(documented) == len(known)


def commands() -> dict[str, argparse.ArgumentParser]:
    (action,) = (
        action
        for action in cli._parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    return dict(action.choices)


def test_compare_pgbouncer_settings_with_those_of_connections() -> None:
    (ini,), statements = blocks(OPERATIONS, "ini"), "".join(blocks(OPERATIONS, "sql"))
    settings = dict(re.findall(r"ALTER ROLE mentorapi SET (\S+) = '(.*)';", statements))
    # PgBouncer passes these on.
    passed = {"application_name", "timezone", "datestyle"}
    own = connections.SESSION.keys() - passed | {"mentorapi.public_url"}
    assert settings.keys() == own
    ignored = ini.removeprefix("ignore_startup_parameters = ").strip().split(", ")
    assert {*ignored} == {"options", *own, *listener.SESSION}
    # The tests' own connections have longer limits.
    source = Path(connections.__file__).read_text()
    del settings["mentorapi.public_url"]
    assert [name for name, value in settings.items() if f'"{name}": "{value}"' not in source] == []


def test_compare_commands_table_with_options_of_each_command() -> None:
    rows = table(section(OPERATIONS, "Commands"), "Command")
    assert sorted(row[0].removeprefix("run.py ") for row in rows) == sorted(commands())
    for row in rows:
        command = commands()[row[0].removeprefix("run.py ")]
        offered = [action for action in command._actions if action.help != argparse.SUPPRESS]
        options = {option for action in offered for option in action.option_strings}
        assert set(re.findall(r"--\w+", row[1])) == options - {"-h", "--help"}


def test_run_help_of_every_command_that_a_document_mentions() -> None:
    mentioned = set(re.findall(r"run\.py (\w+)", "\n".join(DOCUMENTS.values())))
    assert mentioned <= commands().keys()
    for command in commands():
        with pytest.raises(SystemExit) as end:
            cli.main([command, "--help"])
        assert end.value.code == 0


def test_compare_table_of_tables_with_the_migrations() -> None:
    created = set(re.findall(r"^CREATE TABLE (?!_?yoyo)(\w+)", SCHEMA, re.MULTILINE))
    assert sorted(row[0] for row in table(section(DATABASE, "Tables"), "Table")) == sorted(created)


def test_compare_table_of_constraints_with_the_migrations() -> None:
    documented = {row[0] for row in table(section(DATABASE, "Tables"), "Name")}
    assert documented <= set(re.findall(r"(?:CONSTRAINT|UNIQUE INDEX) (\w+)", SCHEMA))
    assert documented >= CONSTRAINTS.keys()


# Text --------------------------------------------------------------------------------------------


def test_count_lines_of_the_readme() -> None:
    assert len(README.splitlines()) <= 170


@pytest.mark.parametrize("name", DOCUMENTS)
def test_follow_every_link_of_a_document(name: str) -> None:
    folder = (ROOT / name).parent
    for link in re.findall(r"\]\(([^)\s]+)\)", DOCUMENTS[name]):
        path, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = (folder / path).resolve() if path else ROOT / name
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        if anchor:
            assert anchor in anchors(DOCUMENTS[str(target.relative_to(ROOT))]), link


#: Names files of examples that do not exist. test_recipes.py follows it.
EXAMPLES = "docs/contributing.md"
#: Names files of earlier versions.
HISTORY = "CHANGELOG.md"


@pytest.mark.parametrize("name", sorted(DOCUMENTS.keys() - {EXAMPLES, HISTORY}))
def test_find_every_file_that_a_document_names(name: str) -> None:
    text = DOCUMENTS[name]
    there = {path.name for path in [*ROOT.glob("*/**/*.py"), RUN]}
    assert set(re.findall(r"(?<![\w>])\w+\.py\b", text)) <= there
    below = r"(?<![\w/.-])(?:\.ci|sql|migrations|mentorapi|tests|deploy|docs)/[\w/.-]*[\w/]"
    for path in re.findall(below, text):
        assert (ROOT / path).exists() or path.endswith("/"), path


def test_find_every_module_on_the_maps() -> None:
    """The README and docs/architecture.md name every module and package directly in mentorapi/."""
    modules = {path.name for path in ROOT.glob("mentorapi/[a-z]*.py")}
    packages = {f"{path.parent.name}/" for path in ROOT.glob("mentorapi/*/__init__.py")}
    assert modules | packages <= set(re.findall(r"\w+\.py|\w+/", section(README, "Map")))
    tree = blocks(DOCUMENTS["docs/architecture.md"], "")[1]
    assert modules | packages <= set(re.findall(r"\w+\.py|\w+/", tree))


def test_compare_endpoint_in_the_readme_with_its_files() -> None:
    shown = section(README, "One endpoint, whole")
    (statement,) = blocks(shown, "sql")
    assert statement == (ROOT / "sql/requests/reject.sql").read_text()
    repository, handler = blocks(shown, "python")
    assert f"\n\n{repository}\n" in (ROOT / "mentorapi/repositories/requests.py").read_text()
    assert f"\n\n{handler}\n" in (ROOT / "mentorapi/handlers/requests.py").read_text()


def test_compare_header_in_the_architecture_with_its_file() -> None:
    (header,) = blocks(DOCUMENTS["docs/architecture.md"], "sql")
    assert (ROOT / "sql/requests/accept.sql").read_text().startswith(header)


@pytest.mark.parametrize(
    ("document", "name"),
    [
        ("docs/architecture.md", "AcceptRequest"),
        ("docs/architecture.md", "CONSTRAINTS"),
        ("docs/architecture.md", "SlotTaken"),
        ("docs/architecture.md", "mentor_page"),
        ("docs/contributing.md", "Operation"),
        ("docs/contributing.md", "_number_from"),
    ],
)
def test_find_names_of_the_code_that_a_document_uses(document: str, name: str) -> None:
    sources = [*ROOT.glob("mentorapi/**/*.py"), *ROOT.glob("sql/**/*.sql")]
    assert name in DOCUMENTS[document]
    assert re.search(rf"\b{name}\b", "\n".join(path.read_text() for path in sources))


# Commands and SQL to paste -----------------------------------------------------------------------


@pytest.mark.skipif(not shutil.which("curl"), reason="the tour calls with curl")
def test_paste_the_tour_with_demo_data_and_see_a_booking(tmp_path: Path) -> None:
    tour = "".join(blocks(section(README, "A tour"), "sh"))
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
    responses = [json.loads(line) for line in seen.stdout.splitlines() if line[:1] in ("[", "{")]
    found, slots, duplicate, accepted, slots_left, sessions = responses
    assert "Amara Okafor" in {mentor["fullName"] for mentor in found}
    assert duplicate["message"] == errors.DuplicateRequest.message
    assert accepted["booking"]["status"] == "confirmed"
    assert slots["slots"][0] not in slots_left["slots"]
    assert [session["id"] for session in sessions] == [accepted["booking"]["id"]]


async def test_paste_the_statements_for_a_dba(api: Api, settings: Settings) -> None:
    await fill.fill(api.services.db, settings)
    pasted = blocks(DATABASE, "sql")
    assert len(pasted) == 7
    for block in pasted:
        session = await api.db.fetchval("SELECT id FROM bookings WHERE status = 'disputed'")
        await api.db.execute(block.replace("'…'", f"'{session}'"))
    assert await api.db.fetchval("SELECT count(*) FROM bookings WHERE topic = 'By hand'") == 1
