"""Profile images: upload one, show one under a name that cannot be guessed."""

from mentorapi import errors, images
from mentorapi.http import body
from mentorapi.http.base import ApiHandler, operation
from mentorapi.repositories import profile
from mentorapi.schemas import images as spec

NOT_MULTIPART = "Content-Type must be multipart/form-data"


class UploadImage(ApiHandler):
    @operation(
        spec.UPLOAD,
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
        user_id, store = self.caller.user_id, self.services.images
        async with store.saved(user_id, self.uploaded_file()) as name:
            updated, unused = await profile.update(self.db, user_id, {"profileImageFile": name})
        await store.discard(unused)
        self.write_json(updated)

    def uploaded_file(self) -> bytes:
        headers = self.request.headers
        content_type = headers.get("Content-Type", "")
        if content_type.partition(";")[0].strip().lower() != "multipart/form-data":
            raise errors.UnsupportedMediaType(NOT_MULTIPART)
        fields, files = body.parse_form(content_type, self.request.body, headers)
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


class ShowImage(ApiHandler):
    ID_ARGUMENTS = False

    @operation(spec.SHOW, raises=(errors.ImageNotFound,))
    async def get(self, name: str) -> None:
        image = await self.services.images.read(name)
        self.set_header("Content-Type", images.CONTENT_TYPE)
        # A new image gets a new name.
        self.set_header("Cache-Control", "public, max-age=31536000, immutable")
        self.set_header("Content-Security-Policy", "default-src 'none'; sandbox")
        self.write(image)


routes = [
    ("/mentor/profile-image", UploadImage),
    ("/images/{name}", ShowImage),
]
