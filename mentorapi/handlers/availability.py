"""A mentor's calendar: weekly windows, overrides of days, time off, policy, and the free slots."""

from mentorapi import errors
from mentorapi.http.base import ApiHandler, operation
from mentorapi.http.cached_reads import CachedReadHandler
from mentorapi.repositories import availability
from mentorapi.schemas import availability as spec
from mentorapi.schemas.validation import formats


class ListSlots(CachedReadHandler):
    @operation(spec.LIST_SLOTS, raises=(errors.MentorNotFound,))
    async def get(self, mentor_id: str) -> None:
        start, end = self.parameters.get("startDate"), self.parameters.get("endDate")
        slots, self.seconds_valid = await availability.list_slots(self.db, mentor_id, start, end)
        self.write_json(slots)


class ShowOrReplaceAvailability(ApiHandler):
    @operation(spec.SHOW, raises=(errors.ProfileNotFound,))
    async def get(self) -> None:
        self.write_json(await availability.show(self.db, self.user_id))

    @operation(spec.REPLACE)
    async def put(self) -> None:
        settings = dict(self.body)
        windows = settings.pop("slots")
        self.write_json(await availability.replace(self.db, self.user_id, windows, settings))


class DeleteWindow(ApiHandler):
    @operation(spec.DELETE_WINDOW, raises=(errors.ProfileNotFound, errors.WindowNotFound))
    async def delete(self, window_id: str) -> None:
        await availability.delete_window(self.db, self.user_id, window_id)
        self.write_json('{"message":"Availability pattern deleted"}')


class ListOverrides(ApiHandler):
    @operation(spec.LIST_OVERRIDES, raises=(errors.ProfileNotFound,))
    async def get(self) -> None:
        self.write_list(await availability.list_overrides(self.db, self.user_id, **self.parameters))


class SetOrDeleteOverride(ApiHandler):
    @operation(spec.SET_OVERRIDE, raises=(errors.ProfileNotFound,))
    async def put(self, day: str) -> None:
        self.write_json(
            await availability.set_override(self.db, self.user_id, as_date(day), self.body["slots"])
        )

    @operation(
        spec.DELETE_OVERRIDE,
        raises=(errors.ValidationFailed, errors.ProfileNotFound, errors.OverrideNotFound),
    )
    async def delete(self, day: str) -> None:
        await availability.delete_override(self.db, self.user_id, as_date(day))
        self.write_json('{"message":"Override deleted"}')


def as_date(text: str) -> str:
    """Return a date of the path. Raises ValidationFailed if it is none."""
    if not formats.conforms(text, "date"):
        raise errors.ValidationFailed.of("date", "must be a date, YYYY-MM-DD", "format")
    return text


class ListOrAddTimeOff(ApiHandler):
    @operation(spec.LIST_TIME_OFF, raises=(errors.ProfileNotFound,))
    async def get(self) -> None:
        self.write_list(await availability.list_time_off(self.db, self.user_id, **self.parameters))

    @operation(spec.ADD_TIME_OFF, raises=(errors.ProfileNotFound,))
    async def post(self) -> None:
        time_off_id, body = await availability.add_time_off(self.db, self.user_id, self.body)
        self.write_created(f"/mentor/time-off/{time_off_id}", body)


class DeleteTimeOff(ApiHandler):
    @operation(spec.DELETE_TIME_OFF, raises=(errors.ProfileNotFound, errors.TimeOffNotFound))
    async def delete(self, time_off_id: str) -> None:
        await availability.delete_time_off(self.db, self.user_id, time_off_id)
        self.write_json('{"message":"Time off deleted"}')


class ShowOrSetPolicy(ApiHandler):
    @operation(spec.SHOW_POLICY, raises=(errors.ProfileNotFound,))
    async def get(self) -> None:
        self.write_json(await availability.show_policy(self.db, self.user_id))

    @operation(spec.SET_POLICY, raises=(errors.ProfileNotFound,))
    async def put(self) -> None:
        self.write_json(await availability.set_policy(self.db, self.user_id, self.body))


class ExplainTime(ApiHandler):
    @operation(spec.EXPLAIN, raises=(errors.ProfileNotFound,))
    async def get(self) -> None:
        starts_at, duration = self.parameters["startsAt"], self.parameters.get("duration")
        self.write_json(await availability.explain(self.db, self.user_id, starts_at, duration))


routes = [
    ("/mentors/{mentorId}/availability", ListSlots),
    ("/mentor/availability", ShowOrReplaceAvailability),
    ("/mentor/availability/explain", ExplainTime),
    ("/mentor/availability/{windowId}", DeleteWindow),
    ("/mentor/overrides", ListOverrides),
    ("/mentor/overrides/{date}", SetOrDeleteOverride),
    ("/mentor/time-off", ListOrAddTimeOff),
    ("/mentor/time-off/{timeOffId}", DeleteTimeOff),
    ("/mentor/policy", ShowOrSetPolicy),
]
