"""The schema as SQL: ``python -m tests.schema_dump`` writes sql/schema.sql."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from mentorapi.database import embedded, programs
from mentorapi.database.migrate import migrate

SCHEMA = Path(__file__).parent.parent / "sql" / "schema.sql"

# Functions are in the order of their names, so one may call another that follows.
_HEADER = "SET check_function_bodies = false;\n"
_UUIDV7 = re.compile(
    r"^CREATE FUNCTION public\.uuidv7\(\).*?\n\n(?=[A-Z])", re.MULTILINE | re.DOTALL
)


def dumped(url: str) -> str:
    """Return the schema of a migrated database on the embedded PostgreSQL.

    Without owners and rights, and in an order in which PostgreSQL 15 to 18 load it. Without the
    comments on extensions, which only the owner of an extension may make.
    """
    options = ["--schema-only", "--no-owner", "--no-privileges"]
    dump = subprocess.run(
        [programs.binaries() / "pg_dump", *options, url],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    kept = [
        line
        for line in dump.splitlines()
        if not line.startswith(
            ("--", "SET ", "SELECT pg_catalog.set_config", "COMMENT ON EXTENSION", "\\")
        )
    ]
    schema = re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip() + "\n"
    return f"{_HEADER}\n{_uuidv7_before_its_callers(schema)}"


def _uuidv7_before_its_callers(schema: str) -> str:
    """Move our uuidv7() before the tables, which need it in PostgreSQL 15 to 17.

    PostgreSQL 18 has a uuidv7() of its own, so its pg_dump does not know this dependency.
    """
    function = _UUIDV7.search(schema)
    assert function
    rest = schema.replace(function[0], "")
    first = re.search(r"^CREATE (?!EXTENSION)", rest, re.MULTILINE)
    assert first
    return rest[: first.start()] + function[0] + rest[first.start() :]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, embedded.running(Path(folder)) as url:
        migrate(url)
        SCHEMA.write_text(dumped(url))
