"""A session as iCalendar (RFC 5545), for the calendar of one of its two parties.

ORGANIZER and ATTENDEE are left out: both need e-mail addresses, which the API never shows, and a
calendar program would send invitations and replies to them. METHOD would need an ORGANIZER.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

CONTENT_TYPE = "text/calendar; charset=utf-8"

#: A URI is written without escapes, so it may have visible ASCII characters only.
_LINK = re.compile(r"https?://[!-~]+", re.IGNORECASE)
#: Characters that a text must not contain after its line breaks have become \n.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
#: Lines have at most 75 bytes, with the space before all but the first. No character is cut in two.
_PART_OF_LINE = re.compile(rb".{1,74}(?![\x80-\xbf])", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A calendar's view of a session.

    ``status`` is one of iCalendar's. A higher ``sequence`` replaces a lower one. ``other_party`` is
    a name, or "your mentor" or "your mentee".
    """

    id: str
    sequence: int
    status: str
    topic: str
    message: str | None
    location: str | None
    other_party: str
    start_time: datetime
    end_time: datetime
    created_at: datetime
    updated_at: datetime
    issued_at: datetime


def write(entry: Entry) -> bytes:
    event = {
        # The same at every address of the service: a calendar identifies the event by it.
        "UID": f"{entry.id}@mentorapi",
        "SEQUENCE": str(entry.sequence),
        "STATUS": entry.status,
        "DTSTAMP": _instant(entry.issued_at),
        "CREATED": _instant(entry.created_at),
        "LAST-MODIFIED": _instant(entry.updated_at),
        "DTSTART": _instant(entry.start_time),
        "DTEND": _instant(entry.end_time),
        "SUMMARY": _text(f"Mentorship: {entry.topic} (with {entry.other_party})"),
    }
    if entry.message:
        event["DESCRIPTION"] = _text(entry.message)
    if entry.location:
        event["LOCATION"] = _text(entry.location)
        if _LINK.fullmatch(entry.location):
            event["URL"] = entry.location
    lines = [
        *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//mentorapi//sessions//EN", "BEGIN:VEVENT"),
        *(f"{name}:{value}" for name, value in event.items()),
        *("END:VEVENT", "END:VCALENDAR"),
    ]
    return b"".join(b"\r\n ".join(_PART_OF_LINE.findall(line.encode())) + b"\r\n" for line in lines)


def _instant(value: datetime) -> str:
    return f"{value.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _text(value: str) -> str:
    # Like Python, many programs also split lines at U+2028, form feeds and others.
    one_kind = _CONTROL.sub("", "\n".join(value.splitlines()))
    return re.sub(r"([\\;,])", r"\\\1", one_kind).replace("\n", r"\n")
