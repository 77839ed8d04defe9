"""/mentors: discovery, public."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, time, timedelta

from mentorapi import errors
from mentorapi.handlers.base import operation
from mentorapi.handlers.discovery import DiscoveryHandler
from mentorapi.repositories import mentors
from mentorapi.schemas import mentors as spec

DEFAULT_DAYS = 14
MOST_DAYS = 92

#: Seconds that a search waits for others to end.
SEARCH_QUEUE_SECONDS = 10


class ListMentors(DiscoveryHandler):
    @operation(spec.LIST)
    async def get(self) -> None:
        self.write_list(await mentors.list_all(self.db, **self.parameters))


class SearchMentors(DiscoveryHandler):
    @operation(spec.SEARCH)
    async def get(self) -> None:
        # Other searches wait here, where they hold up nothing else, and not for a connection.
        searches = self.services.searches
        try:
            async with asyncio.timeout(SEARCH_QUEUE_SECONDS):
                await searches.acquire()
        except TimeoutError:
            raise errors.Unavailable from None
        try:
            found = await mentors.find(self.db, **self.parameters)
        finally:
            searches.release()
        self.write_list(found)


class ShowMentor(DiscoveryHandler):
    @operation(spec.SHOW, raises=(errors.MentorNotFound,))
    async def get(self, mentor_id: str) -> None:
        self.write_json(await mentors.show(self.db, mentor_id))


class ListMentorReviews(DiscoveryHandler):
    @operation(spec.REVIEWS, raises=(errors.MentorNotFound,))
    async def get(self, mentor_id: str) -> None:
        self.write_data(await mentors.list_reviews(self.db, mentor_id, **self.parameters))


class ListSlots(DiscoveryHandler):
    @operation(spec.AVAILABILITY, raises=(errors.MentorNotFound,))
    async def get(self, mentor_id: str) -> None:
        start, end = date_range(**self.parameters)
        slots = await mentors.list_slots(self.db, mentor_id, start, end)
        if self.reading is not None:
            # The first slot leaves when its time comes; without a date, tomorrow is another list.
            self.reading.lifetime = min(slots.seconds_valid, seconds_of_today())
        self.write_json(slots.body)


def seconds_of_today() -> float:
    now = datetime.now(UTC)
    return (
        timedelta(days=1).total_seconds()
        - (now - datetime.combine(now, time(), UTC)).total_seconds()
    )


def date_range(startDate: str | None = None, endDate: str | None = None) -> tuple[date, date]:  # noqa: N803
    start = date.fromisoformat(startDate) if startDate else datetime.now(UTC).date()
    try:
        end = date.fromisoformat(endDate) if endDate else start + timedelta(days=DEFAULT_DAYS)
    except OverflowError:
        end = date.max
    if end < start:
        raise errors.ValidationFailed.of("endDate", "must not be before startDate", "order")
    if end - start > timedelta(days=MOST_DAYS):
        raise errors.ValidationFailed.of(
            "endDate", f"must be at most {MOST_DAYS} days after startDate", "out_of_range"
        )
    return start, end


routes = [
    ("/mentors", ListMentors),
    ("/mentors/search", SearchMentors),
    ("/mentors/{mentorId}", ShowMentor),
    ("/mentors/{mentorId}/reviews", ListMentorReviews),
    ("/mentors/{mentorId}/availability", ListSlots),
]
