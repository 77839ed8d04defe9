"""Profile images: upload one, show one under a name that cannot be guessed."""

from mentorapi import errors, images
from mentorapi.http import body
from mentorapi.http.base import ApiHandler, operation
from mentorapi.repositories import profile
from mentorapi.schemas import images as spec


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
            errors.UnsupportedMediaType(body.NOT_MULTIPART),
            errors.Unavailable(images.TOO_BUSY),
        ),
    )
    async def patch(self) -> None:
        user_id, store = self.user_id, self.services.images
        content_type = self.request.headers.get("content-type", "")
        uploaded = body.uploaded_file(content_type, self.request.body)
        async with store.saved(user_id, uploaded) as name:
            updated, unused = await profile.update(self.db, user_id, {"profileImageFile": name})
        await store.discard(unused)
        self.write_json(updated)


class ShowImage(ApiHandler):
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
