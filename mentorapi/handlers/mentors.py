"""Public mentors: list, search, facets, those with a free slot, one profile."""

from contextlib import nullcontext

from mentorapi import errors
from mentorapi.cache.responses import ANY
from mentorapi.http.base import operation
from mentorapi.http.cached_reads import CachedReadHandler
from mentorapi.repositories import mentors
from mentorapi.schemas import mentors as spec
from mentorapi.schemas.validation import parse_instant


class ListMentors(CachedReadHandler):
    @operation(spec.LIST)
    async def get(self) -> None:
        await self.find()

    async def find(self) -> None:
        limited = mentors.is_search(**self.parameters)
        async with self.services.search_slot() if limited else nullcontext():
            found = await mentors.find(self.db, **self.parameters)
        self.write_list(found)


class SearchMentors(ListMentors):
    @operation(spec.SEARCH)
    async def get(self) -> None:
        await self.find()


class CountFacets(CachedReadHandler):
    @operation(spec.COUNT_FACETS)
    async def get(self) -> None:
        async with self.services.search_slot():
            facets = await mentors.count_facets(self.db, **self.parameters)
        self.write_json(facets)


class ListAvailableMentors(CachedReadHandler):
    TOPIC = ANY

    @operation(spec.LIST_AVAILABLE)
    async def get(self) -> None:
        from_time, to_time = (parse_instant(self.parameters.pop(name)) for name in ("from", "to"))
        async with self.services.search_slot():
            found, self.seconds_valid = await mentors.list_available(
                self.db, from_time, to_time, **self.parameters
            )
        self.write_json(found)


class ShowMentor(CachedReadHandler):
    @operation(spec.SHOW, raises=(errors.MentorNotFound,))
    async def get(self, mentor_id: str) -> None:
        self.write_json(await mentors.show(self.db, mentor_id))


routes = [
    ("/mentors", ListMentors),
    ("/mentors/search", SearchMentors),
    ("/mentors/facets", CountFacets),
    ("/mentors/available", ListAvailableMentors),
    ("/mentors/{mentorId}", ShowMentor),
]
