"""``run.py demo``: fill an empty database with people and sessions, and print what to try."""

import orjson

from mentorapi.auth.development import make_token
from mentorapi.config import Settings
from mentorapi.database import statements
from mentorapi.database.pool import Database, DatabaseConnection
from mentorapi.demo.story import MENTEE, MENTOR, Row, Story
from mentorapi.errors import StartupError
from mentorapi.http.sockets import client_url
from mentorapi.schemas import examples
from mentorapi.schemas.common import PREFIX

TOKEN_DAYS = 30


async def fill(pool: Database, settings: Settings) -> str:
    """Fill a database; return the text for the terminal. Raises StartupError if it is not empty."""
    async with statements.transaction(pool) as connection:
        # No other transaction can add a user until this one ends.
        await connection.execute("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE")
        if await connection.fetchval("SELECT EXISTS (SELECT FROM users)"):
            raise StartupError(
                "the database has data in it, and demo fills an empty one only"
                " (MENTORAPI_DATA_DIR may name a new folder)"
            )
        rows = Story(await connection.fetchval("SELECT now()")).rows
        await _insert(connection, rows, "users", "mentors")
        await _insert(
            connection, rows, "availability_windows", "availability_overrides", "time_off"
        )
        # In one statement, since accepted requests and their sessions refer to each other.
        await _insert(connection, rows, "requests", "bookings")
        await _insert(connection, rows, "reviews")
        # The triggers have recorded that all of it happened now.
        await connection.execute("DELETE FROM events WHERE is_history")
        await _insert(connection, rows, "events")
    return _next_steps(rows, settings)


async def _insert(connection: DatabaseConnection, rows: dict[str, list[Row]], *tables: str) -> None:
    """Insert the rows of one or more tables with one statement."""
    inserts = []
    for number, table in enumerate(tables, 1):
        columns = ", ".join(dict.fromkeys(column for row in rows[table] for column in row))
        inserts.append(
            f"inserted_{number} AS (INSERT INTO {table} ({columns})"
            f" SELECT {columns} FROM jsonb_populate_recordset(NULL::{table}, ${number}::jsonb))"
        )
    values = [orjson.dumps(rows[table]).decode() for table in tables]
    await connection.execute(f"WITH {', '.join(inserts)} SELECT", *values)


def _next_steps(rows: dict[str, list[Row]], settings: Settings) -> str:
    api = f"{settings.public_url or client_url(settings.host, settings.port)}{PREFIX}"
    about = f"Let your issuer make tokens for {MENTOR} and {MENTEE}, and set:"
    tokens = {MENTOR: "…", MENTEE: "…"}
    if settings.jwt_secret:
        about = f"Tokens of {MENTOR} and {MENTEE}, for {TOKEN_DAYS} days:"
        for user in tokens:
            tokens[user] = make_token(
                settings.jwt_secret,
                sub=user,
                ttl_seconds=TOKEN_DAYS * 86_400,
                iss=settings.jwt_issuer,
                aud=settings.jwt_audience,
            )
    mentees = {request["mentee_id"] for request in rows["requests"]}
    return f"""\
In the database: {len(rows["mentors"])} mentors, {len(mentees)} mentees, \
{len(rows["bookings"])} sessions, {len(rows["reviews"])} reviews.
{about}

MENTOR={tokens[MENTOR]}
MENTEE={tokens[MENTEE]}

While run.py serves: free times, the mentee's coming sessions, accepting a request:

curl -s {api}/mentors/{examples.MENTOR_ID}/availability
curl -s -H "Authorization: Bearer $MENTEE" '{api}/sessions?upcoming=true'
curl -s -X POST -H "Authorization: Bearer $MENTOR" {api}/requests/{examples.REQUEST_ID}/accept"""
