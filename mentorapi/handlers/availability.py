"""Weekly windows and booking settings, and the free slots that follow from them."""

from datetime import date

from mentorapi import errors
from mentorapi.http.base import ApiHandler, operation
from mentorapi.http.cached_reads import CachedReadHandler
from mentorapi.repositories import availability
from mentorapi.schemas import availability as spec


class ListSlots(CachedReadHandler):
    @operation(spec.LIST_SLOTS, raises=(errors.MentorNotFound,))
    async def get(self, mentor_id: str) -> None:
        start, end = (
            date.fromisoformat(self.parameters[name]) if name in self.parameters else None
            for name in ("startDate", "endDate")
        )
        slots = await availability.list_slots(self.db, mentor_id, start, end)
        if self.load is not None:
            self.load.lifetime = slots.seconds_valid
        self.write_json(slots.body)


class ShowOrReplaceAvailability(ApiHandler):
    @operation(spec.SHOW, raises=(errors.ProfileNotFound,))
    async def get(self) -> None:
        self.write_json(await availability.show(self.db, self.caller.user_id))

    @operation(spec.REPLACE)
    async def put(self) -> None:
        settings = dict(self.body)
        windows = settings.pop("slots")
        self.write_json(await availability.replace(self.db, self.caller.user_id, windows, settings))


class DeleteWindow(ApiHandler):
    @operation(spec.DELETE, raises=(errors.ProfileNotFound, errors.WindowNotFound))
    async def delete(self, window_id: str) -> None:
        await availability.delete(self.db, self.caller.user_id, window_id)
        self.write_json(b'{"message":"Availability pattern deleted"}')


routes = [
    ("/mentors/{mentorId}/availability", ListSlots),
    ("/mentor/availability", ShowOrReplaceAvailability),
    ("/mentor/availability/{windowId}", DeleteWindow),
]
