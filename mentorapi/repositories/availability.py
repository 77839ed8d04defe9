"""Weekly windows, booking settings, and the free slots that follow from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from mentorapi import errors
from mentorapi.database import statements
from mentorapi.database.pool import Database
from mentorapi.repositories import profile

#: Days from the first to the last date of a list of slots.
MAX_DAYS = 92


async def show(db: Database, user_id: str) -> str:
    row = await statements.availability.show(db, user_id=user_id)
    if row is None:
        raise errors.ProfileNotFound
    return str(row["body"])


async def replace(
    db: Database,
    user_id: str,
    windows: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
) -> str:
    """Replace all windows and merge the settings into the profile, which is created if missing.

    A window sent with the id of one of the mentor's windows keeps that id. A window without an id
    gets the id of the old window with the same day and times. Other ids are ignored: their windows
    were deleted, and a client may send back what it read earlier.
    """
    async with statements.transaction(db) as connection:
        opened = await profile.ensure(connection, user_id)
        await profile.merge(connection, opened["mentor_id"], settings)
        removed = await statements.availability.clear(connection, mentor_id=opened["mentor_id"])
        await statements.availability.fill(
            connection,
            mentor_id=opened["mentor_id"],
            ids=ids_to_keep(windows, orjson.loads(removed["windows"])),
            days_of_week=[window["dayOfWeek"] for window in windows],
            start_times=[window["startTime"] for window in windows],
            end_times=[window["endTime"] for window in windows],
        )
        return await show(connection, user_id)


async def delete(db: Database, user_id: str, window_id: str) -> None:
    row = await statements.availability.delete(db, user_id=user_id, window_id=window_id)
    if row is None:
        raise errors.ProfileNotFound
    if not row["found"]:
        raise errors.WindowNotFound


@dataclass(frozen=True, slots=True)
class Slots:
    """``body`` is JSON. Without a write it stays true for ``seconds_valid``."""

    body: str
    seconds_valid: float


async def list_slots(db: Database, mentor_id: str, start: date | None, end: date | None) -> Slots:
    """Return the free slots from one date to another, both inclusive (UTC).

    ``start`` defaults to the database's today, ``end`` to 14 days after the start.
    Raises ValidationFailed, MentorNotFound.
    """
    # As text: asyncpg reads date.min and date.max as infinity.
    row = await statements.availability.slots(
        db,
        mentor_id=mentor_id,
        start_date=start and start.isoformat(),
        end_date=end and end.isoformat(),
        max_days=MAX_DAYS,
    )
    if row["days"] < 0:
        raise errors.ValidationFailed.of("endDate", "must not be before startDate", "order")
    if row["days"] > MAX_DAYS:
        raise errors.ValidationFailed.of(
            "endDate", f"must be at most {MAX_DAYS} days after startDate", "out_of_range"
        )
    if row["body"] is None:
        raise errors.MentorNotFound
    return Slots(row["body"], row["seconds_valid"])


def ids_to_keep(
    windows: Sequence[Mapping[str, Any]], removed: Sequence[Mapping[str, Any]]
) -> list[str | None]:
    """Return the id of each window; None for a window that needs a new one."""
    known = {window["id"] for window in removed}
    unchanged = {day_and_times(window): window["id"] for window in removed}
    sent = [(window.get("id") or "").lower() for window in windows]
    claimed = known.intersection(sent)
    ids: list[str | None] = []
    for window, window_id in zip(windows, sent, strict=True):
        same = unchanged.get(day_and_times(window))
        if window_id in known:
            ids.append(window_id)
        else:
            ids.append(None if same in claimed else same)
    return ids


def day_and_times(window: Mapping[str, Any]) -> tuple[int, str, str]:
    return window["dayOfWeek"], window["startTime"], window["endTime"]
