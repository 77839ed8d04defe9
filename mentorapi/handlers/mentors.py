"""Public mentors: list, search, one profile."""

from __future__ import annotations

import asyncio

from mentorapi import errors
from mentorapi.http.base import operation
from mentorapi.http.cached_reads import CachedReadHandler
from mentorapi.repositories import mentors
from mentorapi.schemas import mentors as spec

#: Seconds that a search waits for others to end.
SEARCH_QUEUE_SECONDS = 10


class ListMentors(CachedReadHandler):
    @operation(spec.LIST)
    async def get(self) -> None:
        self.write_list(await mentors.list_all(self.db, **self.parameters))


class SearchMentors(CachedReadHandler):
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


class ShowMentor(CachedReadHandler):
    @operation(spec.SHOW, raises=(errors.MentorNotFound,))
    async def get(self, mentor_id: str) -> None:
        self.write_json(await mentors.show(self.db, mentor_id))


routes = [
    ("/mentors", ListMentors),
    ("/mentors/search", SearchMentors),
    ("/mentors/{mentorId}", ShowMentor),
]
