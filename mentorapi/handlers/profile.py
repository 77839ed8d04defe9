"""/mentor: the mentor's own data."""

from __future__ import annotations

from typing import Any

import orjson

from mentorapi import errors, images
from mentorapi.http import body
from mentorapi.http.base import ApiHandler, operation
from mentorapi.repositories import availability, profile
from mentorapi.schemas import profile as spec

NOT_MULTIPART = "Content-Type must be multipart/form-data"
INCOMPLETE = "Complete your profile to get started"


class ShowOrUpdateProfile(ApiHandler):
    @operation(spec.SHOW_PROFILE)
    async def get(self) -> None:
        found = await profile.find(self.db, self.caller.user_id)
        completeness = found.completeness if found else 0
        answer: dict[str, Any] = {
            "profile": orjson.Fragment(found.body) if found else None,
            "isProfileCreated": found is not None,
            "profileCompleteness": completeness,
        }
        if completeness < 100:
            answer["message"] = INCOMPLETE
        self.write_json(orjson.dumps(answer))

    @operation(spec.UPDATE_PROFILE)
    async def patch(self) -> None:
        body, orphan = await profile.update(self.db, self.caller.user_id, self.body)
        await self.services.images.discard(orphan)
        self.write_json(body)


class UploadImage(ApiHandler):
    @operation(
        spec.UPLOAD_IMAGE,
        raises=(
            errors.MalformedForm,
            errors.InvalidImage,
            errors.InvalidImage(images.UNKNOWN_FORMAT),
            errors.InvalidImage(images.TOO_MANY_PIXELS),
            errors.InvalidImage(images.TOO_LONG),
            errors.BodyTooLarge,
            errors.BodyTooLarge(images.TOO_LARGE),
            errors.UnsupportedMediaType(NOT_MULTIPART),
            errors.Unavailable(images.TOO_BUSY),
        ),
    )
    async def patch(self) -> None:
        name = await self.services.images.save(self.caller.user_id, self.uploaded_file())
        changes = {"profileImageFile": name}
        try:
            updated, orphan = await profile.update(self.db, self.caller.user_id, changes)
        except Exception:
            await self.services.images.discard(name)
            raise
        await self.services.images.discard(orphan)
        self.write_json(updated)

    def uploaded_file(self) -> bytes:
        kind, _, parameters = self.request.headers.get("Content-Type", "").partition(";")
        if kind.strip().lower() != "multipart/form-data":
            raise errors.UnsupportedMediaType(NOT_MULTIPART)
        fields, files = body.parse_form(parameters, self.request)
        uploads = files.pop("file", [])
        details = [
            {
                "field": name,
                "code": "type" if name == "file" else "unknown_field",
                "message": "must be a file" if name == "file" else "is not a known field",
            }
            for name in sorted(fields.keys() | files.keys())
        ]
        if len(uploads) != 1 and "file" not in fields:
            code, reason = (
                ("repeated", "must be one file") if uploads else ("required", "is required")
            )
            details.append({"field": "file", "code": code, "message": reason})
        if details:
            raise errors.ValidationFailed(details)
        return uploads[0].body


class ShowOrReplaceAvailability(ApiHandler):
    @operation(spec.SHOW_AVAILABILITY, raises=(errors.ProfileNotFound,))
    async def get(self) -> None:
        self.write_json(await availability.show(self.db, self.caller.user_id))

    @operation(spec.REPLACE_AVAILABILITY)
    async def put(self) -> None:
        settings = dict(self.body)
        windows = settings.pop("slots")
        self.write_json(await availability.replace(self.db, self.caller.user_id, windows, settings))


class DeleteWindow(ApiHandler):
    @operation(spec.DELETE_WINDOW, raises=(errors.ProfileNotFound, errors.WindowNotFound))
    async def delete(self, window_id: str) -> None:
        await availability.delete(self.db, self.caller.user_id, window_id)
        self.write_json(b'{"message":"Availability pattern deleted"}')


class ShowDashboard(ApiHandler):
    @operation(spec.DASHBOARD, raises=(errors.ProfileNotFound,))
    async def get(self) -> None:
        self.write_json(await profile.show_dashboard(self.db, self.caller.user_id))


class ListOwnReviews(ApiHandler):
    @operation(spec.REVIEWS, raises=(errors.ProfileNotFound,))
    async def get(self) -> None:
        self.write_list(await profile.list_reviews(self.db, self.caller.user_id, **self.parameters))


routes = [
    ("/mentor/me", ShowOrUpdateProfile),
    ("/mentor/profile-image", UploadImage),
    ("/mentor/availability", ShowOrReplaceAvailability),
    ("/mentor/availability/{windowId}", DeleteWindow),
    ("/mentor/dashboard", ShowDashboard),
    ("/mentor/reviews", ListOwnReviews),
]
