"""The mentor's own profile and figures."""

from typing import Any

import orjson

from mentorapi import errors
from mentorapi.http.base import ApiHandler, operation
from mentorapi.repositories import profile
from mentorapi.schemas import profile as spec


class ShowOrUpdateProfile(ApiHandler):
    @operation(spec.SHOW)
    async def get(self) -> None:
        found = await profile.show(self.db, self.user_id)
        body, completeness = found or ("null", 0)
        response: dict[str, Any] = {
            "profile": orjson.Fragment(body),
            "isProfileCreated": found is not None,
            "profileCompleteness": completeness,
        }
        if completeness < 100:
            response["message"] = "Complete your profile to get started"
        self.write_json(orjson.dumps(response).decode())

    @operation(spec.UPDATE)
    async def patch(self) -> None:
        body, unused = await profile.update(self.db, self.user_id, self.body)
        await self.services.images.discard(unused)
        self.write_json(body)


class ShowDashboard(ApiHandler):
    @operation(spec.SHOW_DASHBOARD, raises=(errors.ProfileNotFound,))
    async def get(self) -> None:
        self.write_json(await profile.show_dashboard(self.db, self.user_id))


routes = [
    ("/mentor/me", ShowOrUpdateProfile),
    ("/mentor/dashboard", ShowDashboard),
]
