"""A mentor's calendar: weekly windows, overrides of days, time off, policy, and the free slots."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from mentorapi import errors
from mentorapi.database import statements
from mentorapi.database.page import Page
from mentorapi.database.pool import Database
from mentorapi.repositories import profile
from mentorapi.schemas.validation import parse_instant

#: From the first to the last date of a list of slots, both counted.
MAX_DATES = 92


async def show(db: Database, user_id: str) -> str:
    return await statements.availability.show.body(db, errors.ProfileNotFound, user_id=user_id)


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
        mentor_id = (await profile.ensure(connection, user_id))["mentor_id"]
        await profile.merge(connection, mentor_id, settings)
        removed = await statements.availability.clear(connection, mentor_id=mentor_id)
        await statements.availability.fill(
            connection,
            mentor_id=mentor_id,
            ids=ids_to_keep(windows, orjson.loads(removed["windows"])),
            days_of_week=[window["dayOfWeek"] for window in windows],
            start_times=[window["startTime"] for window in windows],
            end_times=[window["endTime"] for window in windows],
        )
        return await show(connection, user_id)


async def delete_window(db: Database, user_id: str, window_id: str) -> None:
    row = await statements.availability.delete_window(
        db, errors.ProfileNotFound, user_id=user_id, window_id=window_id
    )
    if not row["found"]:
        raise errors.WindowNotFound


async def list_slots(
    db: Database, mentor_id: str, start: str | None, end: str | None
) -> tuple[str, float]:
    """Return the free slots from one date to another, both inclusive (UTC), as JSON.

    Also returns for how many seconds they stay true unless there is a write. ``start`` defaults to
    the database's today, ``end`` to 14 days after the start.
    Raises ValidationFailed, MentorNotFound.
    """
    row = await statements.availability.list_slots(
        db, mentor_id=mentor_id, start_date=start, end_date=end, max_dates=MAX_DATES
    )
    if row["dates"] < 1:
        raise errors.ValidationFailed.of("endDate", "must not be before startDate", "order")
    if row["dates"] > MAX_DATES:
        message = f"must be at most {MAX_DATES - 1} days after startDate"
        raise errors.ValidationFailed.of("endDate", message, "out_of_range")
    if row["body"] is None:
        raise errors.MentorNotFound
    return row["body"], row["seconds_valid"]


def ids_to_keep(
    windows: Sequence[Mapping[str, Any]], removed: Sequence[Mapping[str, Any]]
) -> list[str | None]:
    """Return the id of each window; None for a window that needs a new one."""
    sent = [(window.get("id") or "").lower() for window in windows]
    known, claimed = {window["id"] for window in removed}, set(sent)
    unclaimed = {day_and_times(one): one["id"] for one in removed if one["id"] not in claimed}
    return [
        window_id if window_id in known else unclaimed.get(day_and_times(window))
        for window, window_id in zip(windows, sent, strict=True)
    ]


def day_and_times(window: Mapping[str, Any]) -> tuple[int, str, str]:
    return window["dayOfWeek"], window["startTime"], window["endTime"]


async def list_overrides(db: Database, user_id: str, page: int, limit: int) -> Page:
    return await statements.availability.list_overrides.page(
        db, page, limit, errors.ProfileNotFound, user_id=user_id
    )


async def set_override(
    db: Database, user_id: str, day: str, windows: Sequence[Mapping[str, str]]
) -> str:
    """Replace the windows of a day. Raises ProfileNotFound, ValidationFailed for a past day."""
    windows = sorted(windows, key=lambda window: window["startTime"])
    row = await statements.availability.set_override(
        db,
        errors.ProfileNotFound,
        user_id=user_id,
        day=day,
        start_times=[window["startTime"] for window in windows],
        end_times=[window["endTime"] for window in windows],
    )
    if row["body"] is None:
        raise past_day()
    return str(row["body"])


async def delete_override(db: Database, user_id: str, day: str) -> None:
    row = await statements.availability.delete_override(
        db, errors.ProfileNotFound, user_id=user_id, day=day
    )
    if row["is_past"]:
        raise past_day()
    if not row["found"]:
        raise errors.OverrideNotFound


def past_day() -> errors.ValidationFailed:
    return errors.ValidationFailed.of("date", "must be today or later", "past")


async def list_time_off(db: Database, user_id: str, page: int, limit: int) -> Page:
    return await statements.availability.list_time_off.page(
        db, page, limit, errors.ProfileNotFound, user_id=user_id
    )


async def add_time_off(db: Database, user_id: str, body: Mapping[str, Any]) -> tuple[str, str]:
    """Return the id and the JSON of the time off, with the sessions and requests in it.

    Raises ProfileNotFound, ValidationFailed.
    """
    row = await statements.availability.add_time_off(
        db,
        errors.ProfileNotFound,
        user_id=user_id,
        starts_at=parse_instant(body["startsAt"]) if body.get("startsAt") else None,
        ends_at=parse_instant(body["endsAt"]) if body.get("endsAt") else None,
        start_date=body.get("startDate"),
        end_date=body.get("endDate"),
        note=body.get("note"),
    )
    first, last = ("startDate", "endDate") if body.get("startDate") else ("startsAt", "endsAt")
    if row["is_past"]:
        raise errors.ValidationFailed.of(last, "must be in the future", "past")
    if row["is_far"]:
        raise errors.ValidationFailed.of(first, "must be within two years", "out_of_range")
    return str(row["time_off_id"]), row["body"]


async def delete_time_off(db: Database, user_id: str, time_off_id: str) -> None:
    row = await statements.availability.delete_time_off(
        db, errors.ProfileNotFound, user_id=user_id, time_off_id=time_off_id
    )
    if not row["found"]:
        raise errors.TimeOffNotFound


async def show_policy(db: Database, user_id: str) -> str:
    return await statements.availability.show_policy.body(
        db, errors.ProfileNotFound, user_id=user_id
    )


async def set_policy(db: Database, user_id: str, policy: Mapping[str, Any]) -> str:
    """Replace the policy. What is left out gets its default."""
    return await statements.availability.set_policy.body(
        db,
        errors.ProfileNotFound,
        user_id=user_id,
        minimum_notice_minutes=policy.get("minimumNoticeMinutes", 0),
        horizon_days=policy.get("horizonDays"),
        max_sessions_per_day=policy.get("maxSessionsPerDay"),
        max_sessions_per_week=policy.get("maxSessionsPerWeek"),
        cancel_cutoff_hours=policy.get("cancelCutoffHours", 0),
        accepting_requests=policy.get("acceptingRequests", True),
    )


async def explain(db: Database, user_id: str, starts_at: str, duration: int | None) -> str:
    """Return as JSON whether this time is free for a mentee, and the reasons why not."""
    # As text: asyncpg reads datetime.min and datetime.max as infinity.
    return await statements.availability.explain.body(
        db, errors.ProfileNotFound, user_id=user_id, starts_at=starts_at, duration=duration
    )
