"""The files of sql/ compared with their headers (names, parameters, results) and callers."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from tornado.ioloop import IOLoop

import mentorapi
from mentorapi.database import statements
from mentorapi.database.functions import FUNCTIONS
from mentorapi.database.statements import SQL, Folder, Statement
from tests import starting

FOLDERS = {path.name: path for path in SQL.iterdir() if path.is_dir() and path != FUNCTIONS}
STATEMENTS = [
    Statement(path) for folder in sorted(FOLDERS) for path in sorted(FOLDERS[folder].glob("*.sql"))
]

HEADER = re.compile(
    r"""
    --\ (?P<name>\w+\.\w+):\ .+\.\n     # what it is for, one sentence or more
    (--\ (?!\$|returns\ ).+\n)*
    (--\ \$\d+\ \w+\ +\S.*\n)*          # its parameters
    --\ returns\ (?P<returns>.+(\n--\ .+)*)\n
    """,
    re.VERBOSE,
)

each_file = pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: statement.name)


@pytest.fixture(scope="module")
def connection(shared_database_url: str, io_loop: IOLoop) -> Iterator[asyncpg.Connection]:
    connection = io_loop.run_sync(lambda: asyncpg.connect(shared_database_url))
    yield connection
    io_loop.run_sync(connection.close)


@each_file
def test_read_first_line_of_file_finds_its_name(statement: Statement) -> None:
    header = HEADER.match(statement.sql)
    assert header, "no header, or one that is not like the others"
    assert header["name"] == statement.name


@each_file
async def test_prepare_file_finds_the_types_of_its_header(
    connection: asyncpg.Connection, statement: Statement
) -> None:
    # Fails also if the file has more than one statement.
    prepared = await connection.prepare(statement.sql)
    wanted = [type_.oid for type_ in prepared.get_parameters()]
    promised = [
        await connection.fetchval("SELECT $1::text::regtype::oid", type_)
        for type_ in statement.parameters.values()
    ]
    assert promised == wanted


@each_file
async def test_prepare_file_finds_the_columns_of_its_header(
    connection: asyncpg.Connection, statement: Statement
) -> None:
    header = HEADER.match(statement.sql)
    assert header
    prepared = await connection.prepare(statement.sql)
    columns = [attribute.name for attribute in prepared.get_attributes()]
    if columns:
        assert set(columns) <= set(re.findall(r"\w+", header["returns"]))
    else:
        assert header["returns"] == "nothing"


@each_file
def test_read_file_finds_no_star(statement: Statement) -> None:
    """A star would break prepared statements when a migration adds a column."""
    code = re.sub(r"--.*", "", statement.sql)
    assert not re.search(r"\.\*|\b(SELECT|RETURNING)\s+\*|,\s*\*", code)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "-- users.forget: under another name.\nSELECT 1",
        "-- users.show: without its first parameter.\n-- $2 name text\nSELECT $2",
    ],
)
def test_read_file_with_wrong_header_raises_an_error(tmp_path: Path, text: str) -> None:
    folder = tmp_path / "users"
    folder.mkdir()
    (folder / "show.sql").write_text(text)
    with pytest.raises(ValueError, match=r"show\.sql does not"):
        Folder(folder)


def test_change_files_while_serving_changes_no_response(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has read the files at its start: a checkout before a restart changes nothing."""
    for name in ("mentorapi", "migrations", "sql"):
        shutil.copytree(SQL.parent / name, tmp_path / name)
    shutil.copy(starting.RUN, tmp_path)
    monkeypatch.setattr(starting, "RUN", tmp_path / "run.py")
    with starting.Process(data_dir, LOG_FORMAT="json") as server:
        url = server.listening()
        for path in (tmp_path / "sql").glob("*/*.sql"):
            path.write_text("SELECT to be continued")
        assert starting.responds(url)


def test_compare_files_with_callers_finds_each_other() -> None:
    files = set(Path(mentorapi.__path__[0]).rglob("*.py")) - {Path(statements.__file__)}
    code = "".join(path.read_text() for path in files)
    called = {".".join(names) for names in re.findall(r"\bstatements\.(\w+)\.(\w+)\b", code)}
    assert called == {statement.name for statement in STATEMENTS}


def test_compare_folders_with_statements_finds_each() -> None:
    named = {
        name: value.path for name, value in vars(statements).items() if isinstance(value, Folder)
    }
    assert named == FOLDERS


@pytest.mark.parametrize("path", sorted(FUNCTIONS.glob("*.sql")), ids=lambda path: path.stem)
def test_read_file_of_functions_finds_what_can_be_replaced(path: Path) -> None:
    """A file begins with a description, and can be applied again at any time."""
    text = path.read_text()
    assert re.match(r"-- [A-Z](.|\n-- )+\.\n", text)
    without_bodies = re.sub(r"\$\$.*?\$\$|^\s*--[^\n]*\n", "", text, flags=re.DOTALL | re.MULTILINE)
    for command in without_bodies.strip().removesuffix(";").split(";"):
        assert re.match(r"\s*CREATE OR REPLACE (AGGREGATE|FUNCTION|VIEW|TRIGGER) ", command), (
            command
        )
