"""A mentor's weekly windows and booking settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mentorapi import errors, queries
from mentorapi.pool import Database
from mentorapi.repositories import profiles

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


async def show(db: Database, user_id: str) -> str:
    row = await queries.availability.show(db, user_id=user_id)
    if row is None:
        raise errors.ProfileNotFound
    return str(row["body"])


async def replace(
    db: Database,
    user_id: str,
    windows: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
) -> str:
    """Replace all windows and merge the settings into the profile, which is made if need be."""
    check(windows)
    async with queries.transaction(db) as connection:
        profile = await profiles.open_own(connection, user_id)
        await profiles.merge(connection, profile["mentor_id"], settings)
        await queries.availability.clear(connection, mentor_id=profile["mentor_id"])
        await queries.availability.fill(
            connection,
            mentor_id=profile["mentor_id"],
            days_of_week=[window["dayOfWeek"] for window in windows],
            start_times=[window["startTime"] for window in windows],
            end_times=[window["endTime"] for window in windows],
        )
        return await show(connection, user_id)


async def delete(db: Database, user_id: str, window_id: str) -> None:
    row = await queries.availability.delete(db, user_id=user_id, window_id=window_id)
    if row is None:
        raise errors.ProfileNotFound
    if not row["found"]:
        raise errors.WindowNotFound


def check(windows: Sequence[Mapping[str, Any]]) -> None:
    """The rules that the schema of the body can't say: order within a window, no two overlap.

    Times are HH:mm, so they compare as text.
    """
    details = [
        {
            "field": f"slots.{place}.startTime",
            "code": "order",
            "message": "must be before endTime",
        }
        for place, window in enumerate(windows)
        if window["startTime"] >= window["endTime"]
    ]
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


def name(window: Mapping[str, Any]) -> str:
    return f"{DAYS[window['dayOfWeek']]} {window['startTime']}-{window['endTime']}"
