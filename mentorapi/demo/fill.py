"""``run.py demo``: fill an empty database with people and sessions, and print what to try."""

import orjson

from mentorapi.auth.development import make_token
from mentorapi.config import Settings
from mentorapi.database import statements
from mentorapi.database.pool import Connection, Database
from mentorapi.demo.story import MENTEE, MENTOR, Row, Story
from mentorapi.errors import StartupError
from mentorapi.schemas import examples
from mentorapi.schemas.common import PREFIX

TOKEN_DAYS = 30


async def fill(pool: Database, settings: Settings) -> str:
    """Return the text for the terminal. Raises StartupError if the database is not empty."""
    async with statements.transaction(pool) as connection:
        # No other transaction can add a user until this one ends.
        await connection.execute("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE")
        if await connection.fetchval("SELECT EXISTS (SELECT FROM users)"):
            raise StartupError(
                "the database has data in it, and demo fills an empty one only"
                " (MENTORAPI_DATA_DIR may name a new folder)"
            )
        story = Story(await connection.fetchval("SELECT now()"))
        await _insert(connection, users=story.users)
        await _insert(connection, mentors=story.mentors)
        await _insert(connection, availability_windows=story.availability_windows)
        await _insert(connection, availability_overrides=story.availability_overrides)
        await _insert(connection, time_off=story.time_off)
        # In one statement, since accepted requests and their sessions refer to each other.
        await _insert(connection, requests=story.requests, bookings=story.bookings)
        await _insert(connection, reviews=story.reviews)
        # The triggers have recorded that all of it happened now.
        await connection.execute("DELETE FROM events WHERE is_history")
        await _insert(connection, events=story.events)
    return _next_steps(story, settings)


async def _insert(connection: Connection, **tables: list[Row]) -> None:
    """Insert rows into one or more tables with one statement."""
    inserts = []
    for number, (table, rows) in enumerate(tables.items(), 1):
        columns = ", ".join(dict.fromkeys(column for row in rows for column in row))
        inserts.append(
            f"INSERT INTO {table} ({columns})"
            f" SELECT {columns} FROM jsonb_populate_recordset(NULL::{table}, ${number}::jsonb)"
        )
    *others, last = inserts
    with_others = ", ".join(f"inserted_{n} AS ({insert})" for n, insert in enumerate(others))
    sql = f"WITH {with_others} {last}" if others else last
    await connection.execute(sql, *(orjson.dumps(rows).decode() for rows in tables.values()))


def _next_steps(story: Story, settings: Settings) -> str:
    api = f"{settings.public_url or _own_url(settings)}{PREFIX}"
    if settings.jwt_secret is None:
        tokens = [f"Let your issuer make tokens for {MENTOR} and {MENTEE}, and set:", ""]
        tokens += ["MENTOR=…", "MENTEE=…"]
    else:
        tokens = [f"Tokens of {MENTOR} and {MENTEE}, for {TOKEN_DAYS} days:", ""]
        tokens += [f"MENTOR={_token(settings, MENTOR)}", f"MENTEE={_token(settings, MENTEE)}"]
    return "\n".join(
        [
            f"In the database: {len(story.mentors)} mentors,"
            f" {len({request['mentee_id'] for request in story.requests})} mentees,"
            f" {len(story.bookings)} sessions, {len(story.reviews)} reviews.",
            *tokens,
            "",
            "While run.py serves: free times, the mentee's coming sessions, accepting a request:",
            "",
            f"curl -s {api}/mentors/{examples.MENTOR_ID}/availability",
            f"curl -s -H \"Authorization: Bearer $MENTEE\" '{api}/sessions?upcoming=true'",
            'curl -s -X POST -H "Authorization: Bearer $MENTOR"'
            f" {api}/requests/{examples.REQUEST_ID}/accept",
        ]
    )


def _token(settings: Settings, sub: str) -> str:
    return make_token(
        settings.jwt_secret or "",
        sub=sub,
        ttl_seconds=TOKEN_DAYS * 86_400,
        iss=settings.jwt_issuer,
        aud=settings.jwt_audience,
    )


def _own_url(settings: Settings) -> str:
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
