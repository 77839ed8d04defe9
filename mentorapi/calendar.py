"""A session as iCalendar (RFC 5545), for the calendar of one of its two parties.

Neither ORGANIZER nor ATTENDEE: both want e-mail addresses, which the API shows to nobody, and a
calendar that sees them would start to send invitations and replies of its own. And no METHOD, which
would need an ORGANIZER.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from icalendar import Calendar, Event
from icalendar.prop import vText

CONTENT_TYPE = "text/calendar; charset=utf-8"

#: A URI goes out as it is, unescaped: visible ASCII only.
_LINK = re.compile(r"https?://[!-~]+", re.IGNORECASE)
#: What a text may not hold at all, once its line breaks are settled.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """``status`` in the calendar's words; a higher ``sequence`` replaces a lower one.

    ``other_party`` is a name, or "your mentor" or "your mentee".
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


class Text(vText):
    """A text that comes back as it was: icalendar takes a backslash before N for a line break."""

    def to_ical(self) -> bytes:
        return rb"\\".join(vText(part).to_ical() for part in self.split("\\"))


def write(entry: Entry) -> bytes:
    event = Event()
    # The same wherever it is served from, or calendars would show a session twice after a move.
    event.add("uid", f"{entry.id}@mentorapi")
    event.add("sequence", entry.sequence)
    event.add("status", entry.status)
    event.add("dtstamp", entry.issued_at)
    event.add("created", entry.created_at)
    event.add("last-modified", entry.updated_at)
    event.add("dtstart", entry.start_time)
    event.add("dtend", entry.end_time)
    event.add("summary", text(f"Mentorship: {entry.topic} (with {entry.other_party})"))
    if entry.message:
        event.add("description", text(entry.message))
    if entry.location:
        event.add("location", text(entry.location))
        if _LINK.fullmatch(entry.location):
            event.add("url", entry.location)

    calendar = Calendar()
    calendar.add("prodid", "-//mentorapi//sessions//EN")
    calendar.add("version", "2.0")
    calendar.add_component(event)
    written: bytes = calendar.to_ical()
    return written


def text(value: str) -> Text:
    # Many readers split lines as Python does: also at U+2028, form feeds and the like.
    return Text(_CONTROL.sub("", "\n".join(value.splitlines())))
