"""Rules for the whole project that no linter checks. The import contracts are in setup.cfg."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

import mentorapi
from mentorapi import schemas
from mentorapi.schemas.operation import Operation

ROOT = Path(__file__).resolve().parents[2]

#: Text that belongs to one machine, and secrets.
PRIVATE = {
    "a path of one machine": re.compile(r"(?<![\w.*}])/(?:root|work|home/\w+|Users/\w+)/"),
    "a package registry": re.compile(r"index-url|\"resolved\": *\"http|registry\.\w+\.\w+"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n\w"),
}


def files(*options: str) -> list[Path]:
    """Return the files that git tracks, and those that ``options`` add."""
    command = ["git", "ls-files", "-z", "--cached", *options]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a clone")
    return [ROOT / name for name in listed.stdout.split("\0") if (ROOT / name).is_file()]


@pytest.mark.parametrize("secret", PRIVATE)
def test_search_files_for_private_details_finds_none(secret: str) -> None:
    telling = [
        str(path.relative_to(ROOT))
        for path in files("--others", "--exclude-standard")
        if path != Path(__file__)
        and PRIVATE[secret].search(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert telling == []


def test_search_package_for_environment_finds_the_configuration() -> None:
    package = Path(mentorapi.__path__[0])
    readers = {
        path.name
        for path in package.rglob("*.py")
        if re.search(r"\b(environ|getenv)\b", re.sub(r"#.*", "", path.read_text()))
    }
    # programs passes PATH to PostgreSQL; sockets reads LISTEN_FDS, which systemd sets.
    assert readers == {"config.py", "programs.py", "sockets.py"}


#: Where the private members of Tornado and asyncpg may be used.
FENCE = "mentorapi.http.base"

LIBRARIES = ("asyncpg", "tornado")


def test_search_for_private_members_of_libraries_finds_one_module() -> None:
    names = [
        module.name
        for module in pkgutil.walk_packages(mentorapi.__path__, "mentorapi.")
        if private_members(importlib.import_module(module.name))
    ]
    assert names == [FENCE]


def test_search_the_fence_for_private_members_finds_a_few_of_tornado() -> None:
    found = private_members(importlib.import_module(FENCE))
    assert found == {"_execute", "_headers", "_parse_body", "_write_buffer"}


def test_search_modules_for_exceptions_finds_only_classes() -> None:
    """The traceback of an instance that is raised again keeps the frames of each time."""
    found = [
        f"{module.name}.{name}"
        for module in pkgutil.walk_packages(mentorapi.__path__, "mentorapi.")
        for name, value in vars(importlib.import_module(module.name)).items()
        if isinstance(value, BaseException)
    ]
    assert found == []


def private_members(module: ModuleType) -> set[str]:
    """Return the names with an underscore that a module uses of other objects or base classes."""
    found = {
        node.attr
        for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text()))
        if isinstance(node, ast.Attribute) and re.match("_[a-z]", node.attr)
        if node.attr not in ("_asdict", "_replace")
        if ast.unparse(node.value) not in ("self", "cls")
    }
    for one in vars(module).values():
        if inspect.isclass(one) and one.__module__ == module.__name__:
            libraries = [base for base in one.__mro__ if base.__module__.startswith(LIBRARIES)]
            inherited = {name for base in libraries for name in private_names(base)}
            found |= inherited & private_names(one)
    return found


@cache
def private_names(one: type) -> set[str]:
    """Return the private names that a class has, or that its source contains."""
    try:
        source = inspect.getsource(one)
    except (OSError, TypeError):
        source = ""  # written in C
    names = (*vars(one), *re.findall(r"\b_[a-z]\w+", source))
    return {name for name in names if re.match("_[a-z]", name)}


def test_search_names_of_tests_finds_none_above_70_characters() -> None:
    names = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8"))
    }
    assert len(names) > 900
    assert sorted(name for name in names if len(name) > 70) == []


TOP_LEVEL = {
    *("mentorapi", "sql", "migrations", "tests", "docs", "deploy", ".ci"),
    *("setup.cfg", "pyproject.toml", "requirements.lock", "run.py"),
    *("README.md", "CHANGELOG.md", "LICENSE", ".gitignore", ".pre-commit-config.yaml"),
}


def test_list_top_level_finds_only_what_belongs_there() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in files()} == TOP_LEVEL


def test_count_lines_of_modules_finds_none_above_450() -> None:
    package = Path(mentorapi.__path__[0])
    lines = {path: len(path.read_text().splitlines()) for path in package.rglob("*.py")}
    assert [path.name for path, count in lines.items() if count > 450] == []


def test_list_classes_of_the_package_finds_each_name_once() -> None:
    package = Path(mentorapi.__path__[0])
    code = "".join(path.read_text() for path in package.rglob("*.py"))
    names = re.findall(r"^class (\w+)", code, re.MULTILINE)
    assert sorted(name for name in set(names) if names.count(name) > 1) == []


#: Functions of repositories that serve several operations.
SHARED_FUNCTIONS = {
    "mentors.list": "find",
    "mentors.search": "find",
    "sessions.confirm": "move",
    "sessions.complete": "move",
    "sessions.confirm_completion": "move",
    "sessions.dispute": "move",
    "events.list_request_changes": "list_changes",
    "events.list_session_changes": "list_changes",
}


def test_compare_operations_with_repositories_finds_the_same_names() -> None:
    """``LIST_OWN`` of ``schemas/requests.py`` is ``list_own`` of ``repositories/requests.py``."""
    without_function = []
    # Images are kept as files, not in the database.
    for word in {module.name for module in pkgutil.iter_modules(schemas.__path__)} - {"images"}:
        constants = vars(importlib.import_module(f"mentorapi.schemas.{word}"))
        for constant in [one for one in constants if isinstance(constants[one], Operation)]:
            name = f"{word}.{constant.lower()}"
            repository = importlib.import_module(f"mentorapi.repositories.{word}")
            if not hasattr(repository, SHARED_FUNCTIONS.get(name, constant.lower())):
                without_function.append(name)
    assert without_function == []
