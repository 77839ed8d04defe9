"""Six operations of the API, as a user of FastAPI and asyncpg would write them over the same SQL.

``DATABASE_URL=… JWT_SECRET=… POOL_SIZE=10 uvicorn tests.load.peers.fastapi_app:app``
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated
from uuid import UUID

import asyncpg
import jwt
from fastapi import Depends, FastAPI, HTTPException, Query, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field

SQL = Path(__file__).parents[3] / "sql"
LIST = (SQL / "mentors/list.sql").read_text()
SHOW = (SQL / "mentors/show.sql").read_text()
SLOTS = (SQL / "availability/list_slots.sql").read_text()
COUNT_PENDING = (SQL / "requests/count_pending.sql").read_text()
CREATE = (SQL / "requests/create.sql").read_text()
ACCEPT = (SQL / "requests/accept.sql").read_text()

SECRET = os.environ["JWT_SECRET"]
POOL_SIZE = int(os.environ["POOL_SIZE"])
MAX_DAYS = 92


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    url = os.environ["DATABASE_URL"]
    async with asyncpg.create_pool(url, min_size=POOL_SIZE, max_size=POOL_SIZE) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


async def caller(
    credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())],
) -> str:
    try:
        return jwt.decode(credentials.credentials, SECRET, algorithms=["HS256"])["sub"]
    except jwt.PyJWTError as error:
        raise HTTPException(401) from error


Caller = Annotated[str, Depends(caller)]


async def fetch(otherwise: int, sql: str, *arguments: object) -> asyncpg.Record:
    """The row of a statement; without one, an error of the status ``otherwise``."""
    row = await app.state.pool.fetchrow(sql, *arguments)
    if row is None:
        raise HTTPException(otherwise)
    return row


def json(text: str, status: int = 200) -> Response:
    return Response(text, status, media_type="application/json")


@app.get("/api/mentors")
async def list_mentors(
    page: Annotated[int, Query(ge=1)] = 1, limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> Response:
    return json((await fetch(404, LIST, limit, (page - 1) * limit))["items"])


@app.get("/api/mentors/{mentor_id}")
async def show_mentor(mentor_id: UUID) -> Response:
    return json((await fetch(404, SHOW, mentor_id))["body"])


@app.get("/api/mentors/{mentor_id}/availability")
async def list_slots(
    mentor_id: UUID,
    start: Annotated[date, Query(alias="startDate")],
    end: Annotated[date, Query(alias="endDate")],
) -> Response:
    row = await fetch(404, SLOTS, mentor_id, start.isoformat(), end.isoformat(), MAX_DAYS)
    return json(row["body"])


@app.get("/api/requests/pending-count")
async def count_pending(user_id: Caller) -> Response:
    return json(str((await fetch(404, COUNT_PENDING, user_id))["pending"]))


class Asked(BaseModel):
    mentor_id: UUID = Field(alias="mentorId")
    topic: str = Field(min_length=1, max_length=200)
    message: str | None = Field(None, max_length=2000)
    scheduled_date: date = Field(alias="scheduledDate")
    scheduled_time: time = Field(alias="scheduledTime")
    duration: int | None = Field(None, ge=15, le=480)
    location: str | None = Field(None, max_length=200)


@app.post("/api/requests")
async def create_request(asked: Asked, user_id: Caller) -> Response:
    row = await fetch(
        409,
        CREATE,
        asked.mentor_id,
        user_id,
        asked.topic,
        asked.message,
        datetime.combine(asked.scheduled_date, asked.scheduled_time, tzinfo=UTC),
        asked.duration,
        asked.location,
    )
    return json(row["body"], 201)


@app.post("/api/requests/{request_id}/accept")
async def accept_request(request_id: UUID, user_id: Caller) -> Response:
    row = await fetch(409, ACCEPT, request_id, user_id)
    return json(f'{{"request":{row["body"]},"booking":{row["booking"]}}}')
