"""Weekly windows, booking settings, and the free slots that follow from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from mentorapi import errors
from mentorapi.database import statements
from mentorapi.database.pool import Database
from mentorapi.repositories import profile

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

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
    """Replace all windows and merge the settings into the profile, which is made if need be.

    A window that comes with the id of one of the mentor's windows keeps that id. So does a window
    without an id that has the day and times of one. Other ids are ignored: they belong to windows
    that are gone, and a client may send back what it read earlier.
    """
    check(windows)
    async with statements.transaction(db) as connection:
        opened = await profile.open_own(connection, user_id)
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
    """``body`` is JSON, true for so many seconds unless somebody writes."""

    body: str
    seconds_valid: float


async def list_slots(db: Database, mentor_id: str, start: date | None, end: date | None) -> Slots:
    """The free slots from one date to another, both inclusive (UTC).

    Without a start from the database's today on, without an end until 14 days later. Raises
    ValidationFailed, MentorNotFound.
    """
    # As text: asyncpg takes the first and the last date of Python's for infinity.
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


def check(windows: Sequence[Mapping[str, Any]]) -> None:
    """Rules beyond the schema: a window's order, no two windows with one id, no two that overlap.

    Times are HH:mm, so they compare as text.
    """
    details = [
        {
            "field": f"slots.{place}.startTime",
            "code": "order",
            "message": "must be before endTime"
            + ("; the end of the day is 24:00" if window["endTime"] == "00:00" else ""),
        }
        for place, window in enumerate(windows)
        if window["startTime"] >= window["endTime"]
    ]
    places: dict[str, int] = {}
    for place, window in enumerate(windows):
        window_id = (window.get("id") or "").lower()
        first = places.setdefault(window_id, place)
        if window_id and first != place:
            details.append(
                {
                    "field": f"slots.{place}.id",
                    "code": "repeated",
                    "message": f"is the id of slots.{first}, too",
                }
            )
    by_time = sorted(
        enumerate(windows), key=lambda entry: (entry[1]["dayOfWeek"], entry[1]["startTime"])
    )
    widest: tuple[int, Mapping[str, Any]] | None = None
    for place, window in by_time:
        if widest is not None:
            other_place, other = widest
            if other["dayOfWeek"] == window["dayOfWeek"] and window["startTime"] < other["endTime"]:
                details.append(
                    {
                        "field": f"slots.{place}",
                        "code": "overlap",
                        "message": f"{name(window)} overlaps slots.{other_place}, {name(other)}",
                    }
                )
                if window["endTime"] <= other["endTime"]:
                    continue
        widest = place, window
    if details:
        raise errors.ValidationFailed(details)


def ids_to_keep(
    windows: Sequence[Mapping[str, Any]], removed: Sequence[Mapping[str, Any]]
) -> list[str | None]:
    """The ids of these windows, None for each that needs a new one."""
    known = {window["id"] for window in removed}
    unchanged = {when(window): window["id"] for window in removed}
    sent = [(window.get("id") or "").lower() for window in windows]
    claimed = known.intersection(sent)
    ids = []
    for window, window_id in zip(windows, sent, strict=True):
        same = unchanged.get(when(window))
        ids.append(window_id if window_id in known else None if same in claimed else same)
    return ids


def when(window: Mapping[str, Any]) -> tuple[int, str, str]:
    return window["dayOfWeek"], window["startTime"], window["endTime"]


def name(window: Mapping[str, Any]) -> str:
    return f"{DAYS[window['dayOfWeek']]} {window['startTime']}-{window['endTime']}"
