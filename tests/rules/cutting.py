"""Start times of slots: a second implementation of the contract's rule, minute by minute.

Windows and sessions are in minutes from some Monday 00:00. Windows are (opens, closes), sessions
(start, minutes).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

DAY = 24 * 60
WEEK = 7 * DAY

Times = list[tuple[int, int]]


def starts_of_windows(windows: Iterable[tuple[int, int]], duration: int, buffer: int) -> list[int]:
    """The start times given by the windows alone, which must not overlap."""
    return list(_starts_of_windows(tuple(sorted(windows)), duration, buffer))


# Windows rarely change: the model asks for the same ones again and again.
@lru_cache(maxsize=256)
def _starts_of_windows(
    windows: tuple[tuple[int, int], ...], duration: int, buffer: int
) -> tuple[int, ...]:
    groups: list[Times] = []
    always = {minute for opens, closes in windows for minute in range(opens, closes)}
    for opens, closes in windows:
        last = groups[-1][-1] if groups else None
        touches = last is not None and last[1] == opens
        short = touches and min(closes - opens, last[1] - last[0]) < duration
        new_week = opens % WEEK == 0 and always.issuperset(range(opens - WEEK, opens))
        if touches and (short or opens % DAY == 0) and not new_week:
            groups[-1].append((opens, closes))
        else:
            groups.append([(opens, closes)])
    return tuple(start for group in groups for start in _starts_of_group(group, duration, buffer))


def _starts_of_group(group: Times, duration: int, buffer: int) -> list[int]:
    beginnings = {opens for opens, _ in group}
    starts: list[int] = []
    for minute in range(group[0][0], group[-1][1] - duration + 1):
        since = minute - starts[-1] if starts else None
        if (
            since is None
            or since == duration + buffer
            or (minute in beginnings and since >= duration)
        ):
            starts.append(minute)
    return starts


def free_stretches(windows: Iterable[tuple[int, int]], sessions: Times, buffer: int) -> Times:
    """Longest spans of open minutes that keep the buffer to each session."""
    return list(_free_stretches(tuple(windows), tuple(sessions), buffer))


@lru_cache(maxsize=256)
def _free_stretches(
    windows: tuple[tuple[int, int], ...], sessions: tuple[tuple[int, int], ...], buffer: int
) -> tuple[tuple[int, int], ...]:
    free = {minute for opens, closes in windows for minute in range(opens, closes)}
    for start, minutes in sessions:
        free.difference_update(range(start - buffer, start + minutes + buffer))
    stretches: Times = []
    for minute in sorted(free):
        if stretches and stretches[-1][1] == minute:
            stretches[-1] = stretches[-1][0], minute + 1
        else:
            stretches.append((minute, minute + 1))
    return tuple(stretches)


def offered(
    windows: Iterable[tuple[int, int]],
    sessions: Times,
    duration: int,
    buffer: int,
    after: float = float("-inf"),
) -> list[int]:
    """The start times of all slots after ``after``."""
    windows = list(windows)
    starts = starts_of_windows(windows, duration, buffer)
    found = []
    for begins, ends in free_stretches(windows, sessions, buffer):
        fitting = [s for s in starts if begins <= s <= ends - duration and s > after]
        if not fitting and ends - duration >= begins and ends - duration > after:
            fitting = [ends - duration]
        found += fitting
    return found
