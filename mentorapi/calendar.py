"""A session as iCalendar (RFC 5545), for the calendar of one of its two parties.

ORGANIZER and ATTENDEE are left out: both need e-mail addresses, which the API never shows, and a
calendar program would send invitations and replies to them. METHOD would need an ORGANIZER.
"""

import re
from collections.abc import Mapping
from typing import Any

from icalendar import Calendar, Event
from icalendar.prop import vText

CONTENT_TYPE = "text/calendar; charset=utf-8"

#: A URI is written without escapes, so it may have visible ASCII characters only.
_LINK = re.compile(r"https?://[!-~]+", re.IGNORECASE)
#: Characters that a text must not contain after its line breaks have become \n.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Text(vText):
    """A text whose backslashes survive: icalendar writes a backslash before N as a line break."""

    def to_ical(self) -> bytes:
        return rb"\\".join(vText(part).to_ical() for part in self.split("\\"))


def write(entry: Mapping[str, Any]) -> bytes:
    """Write a row of ``sql/sessions/show_calendar_entry.sql``."""
    event = Event()
    # The same at every address of the service: a calendar identifies the event by it.
    event.add("uid", f"{entry['id']}@mentorapi")
    event.add("sequence", entry["sequence"])
    event.add("status", entry["status"])
    event.add("dtstamp", entry["issued_at"])
    event.add("created", entry["created_at"])
    event.add("last-modified", entry["updated_at"])
    event.add("dtstart", entry["start_time"])
    event.add("dtend", entry["end_time"])
    event.add("summary", text(f"Mentorship: {entry['topic']} (with {entry['other_party']})"))
    if entry["message"]:
        event.add("description", text(entry["message"]))
    if entry["location"]:
        event.add("location", text(entry["location"]))
        if _LINK.fullmatch(entry["location"]):
            event.add("url", entry["location"])

    calendar = Calendar()
    calendar.add("prodid", "-//mentorapi//sessions//EN")
    calendar.add("version", "2.0")
    calendar.add_component(event)
    written: bytes = calendar.to_ical()
    return written


def text(value: str) -> Text:
    # Like Python, many programs also split lines at U+2028, form feeds and others.
    return Text(_CONTROL.sub("", "\n".join(value.splitlines())))
