"""The starts of slots: a second implementation of the contract's rule, minute by minute.

Windows, sessions and times off are in minutes from some Monday 00:00 UTC. Windows are (opens,
closes), sessions (start, minutes), everything else (begin, end).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

DAY = 24 * 60
WEEK = 7 * DAY

#: Minutes. Clocks and windows change at multiples of it.
QUARTER = 15

Times = list[tuple[int, int]]


class Window(NamedTuple):
    opens: int
    closes: int
    #: Whether it begins with the day.
    from_midnight: bool
    #: Whether it begins with a Monday, and the whole week before is open.
    after_open_week: bool


def utc_windows(windows: Iterable[tuple[int, int]]) -> tuple[Window, ...]:
    windows = sorted(windows)
    always = {minute for opens, closes in windows for minute in range(opens, closes)}
    return tuple(
        Window(
            opens,
            closes,
            opens % DAY == 0,
            opens % WEEK == 0 and always.issuperset(range(opens - WEEK, opens)),
        )
        for opens, closes in windows
    )


# The model often asks for the same windows.
@lru_cache(maxsize=64)
def local_windows(
    zone: str,
    weekly: tuple[tuple[int, int, int], ...],
    overridden: tuple[tuple[date, tuple[tuple[int, int], ...]], ...],
    monday: datetime,
) -> tuple[Window, ...]:
    """Return the windows from two weeks before a Monday in UTC to three weeks after it.

    Looks up the local time every 15 minutes. Weekly windows are (day, opens, closes) in local
    time, those of overrides (opens, closes).
    """
    overrides = dict(overridden)
    by_day: dict[int, Times] = {day: [] for day in range(7)}
    for day, opens, closes in weekly:
        by_day[day].append((opens, closes))
    local_zone = ZoneInfo(zone)
    pieces: list[tuple[int, int, tuple[date, int]]] = []
    quarters: dict[date, list[bool]] = {}
    for minute in range(-2 * WEEK, 3 * WEEK, QUARTER):
        local = (monday + timedelta(minutes=minute)).astimezone(local_zone)
        day, of_day = local.date(), local.hour * 60 + local.minute
        found = [
            (day, opens)
            for opens, closes in overrides.get(day, by_day[day.weekday()])
            if opens <= of_day < closes
        ]
        quarters.setdefault(day, []).append(bool(found))
        if found and pieces and pieces[-1][1:] == (minute, found[0]):
            pieces[-1] = pieces[-1][0], minute + QUARTER, found[0]
        elif found:
            pieces.append((minute, minute + QUARTER, found[0]))

    def is_open_week(before: date) -> bool:
        days = [quarters.get(before - timedelta(days=back), []) for back in range(1, 8)]
        return sum(map(len, days)) >= 6 * DAY // QUARTER and all(map(all, days))

    return tuple(
        Window(
            opens,
            closes,
            start == 0,
            start == 0 and day.weekday() == 0 and is_open_week(day),
        )
        for opens, closes, (day, start) in pieces
    )


@lru_cache(maxsize=256)
def starts_of_windows(windows: tuple[Window, ...], duration: int, buffer: int) -> tuple[int, ...]:
    """Return the starts that follow from the windows alone, which must not overlap."""
    groups: list[list[Window]] = []
    for window in windows:
        last = groups[-1][-1] if groups else None
        touches = last is not None and last.closes == window.opens
        short = touches and (min(window.closes - window.opens, last.closes - last.opens) < duration)
        if touches and (short or window.from_midnight) and not window.after_open_week:
            groups[-1].append(window)
        else:
            groups.append([window])
    return tuple(start for group in groups for start in _starts_of_group(group, duration, buffer))


def _starts_of_group(group: list[Window], duration: int, buffer: int) -> list[int]:
    beginnings = {window.opens for window in group}
    starts: list[int] = []
    for minute in range(group[0].opens, group[-1].closes - duration + 1):
        since = minute - starts[-1] if starts else None
        if (
            since is None
            or since == duration + buffer
            or (minute in beginnings and since >= duration)
        ):
            starts.append(minute)
    return starts


@lru_cache(maxsize=256)
def free_stretches(
    windows: tuple[Window, ...],
    sessions: tuple[tuple[int, int], ...],
    buffer: int,
    off: tuple[tuple[int, int], ...] = (),
) -> Times:
    """Return the longest spans of open minutes without time off and with the buffer to sessions."""
    free = {minute for window in windows for minute in range(window.opens, window.closes)}
    for start, minutes in sessions:
        free.difference_update(range(start - buffer, start + minutes + buffer))
    for begin, end in off:
        free.difference_update(range(begin, end))
    stretches: Times = []
    for minute in sorted(free):
        if stretches and stretches[-1][1] == minute:
            stretches[-1] = stretches[-1][0], minute + 1
        else:
            stretches.append((minute, minute + 1))
    return stretches


#: Any start.
ALWAYS = ((-100 * WEEK, 100 * WEEK),)


def offered(
    windows: tuple[Window, ...],
    sessions: Iterable[tuple[int, int]],
    duration: int,
    buffer: int,
    off: Iterable[tuple[int, int]] = (),
    allowed: Iterable[tuple[int, int]] = ALWAYS,
) -> list[int]:
    """Return the starts of all slots. ``allowed`` are the times in which a session may start."""
    starts = starts_of_windows(windows, duration, buffer)
    found = []
    for begins, ends in free_stretches(windows, tuple(sessions), buffer, tuple(off)):
        for first, last in allowed:
            low, high = max(begins, first), min(ends - duration + 1, last)
            if low < high:
                found += [s for s in starts if low <= s < high] or [high - 1]
    return sorted(found)
