"""Database roles, as a DBA creates them with deploy/database/roles.sql."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg

KIT = Path(__file__).resolve().parents[2] / "deploy" / "database"
ROLES = (KIT / "roles.sql").read_text(encoding="utf-8")
GRANTS = (KIT / "grants.sql").read_text(encoding="utf-8")

#: The statements that the comment at the beginning of roles.sql shows.
LOGINS = re.findall(r"^--   (.+;)$", ROLES, re.MULTILINE)


def logged_in_as(url: str, role: str) -> str:
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name != "user"]
    return urlunsplit(parts._replace(netloc=f"{role}@", query=urlencode(query)))


def create_roles(url: str) -> None:
    """Create the roles and the logins. ``url``: the database, as a superuser."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(ROLES)


def create_logins(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in LOGINS:
            connection.execute(statement)


def drop_roles(url: str) -> None:
    """Drop them, after the databases that use them. ``url``: the server, as a superuser."""
    logins = [statement.split()[2] for statement in LOGINS if statement.startswith("CREATE")]
    groups = sorted(set(re.findall(r"\bmentorapi_\w+", ROLES)))
    with psycopg.connect(url, autocommit=True) as connection:
        for role in [*logins, *groups]:
            connection.execute(f"DROP ROLE IF EXISTS {role}")
