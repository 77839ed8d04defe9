"""/images: what was uploaded, under names that nobody can guess."""

from __future__ import annotations

from mentorapi import errors
from mentorapi.http.base import ApiHandler, operation
from mentorapi.images import CONTENT_TYPE
from mentorapi.schemas import images as spec


class ShowImage(ApiHandler):
    ID_ARGUMENTS = False

    @operation(spec.SHOW, raises=(errors.ImageNotFound,))
    async def get(self, name: str) -> None:
        image = await self.services.images.read(name)
        self.set_header("Content-Type", CONTENT_TYPE)
        # A new image gets a new name.
        self.set_header("Cache-Control", "public, max-age=31536000, immutable")
        self.set_header("Content-Security-Policy", "default-src 'none'; sandbox")
        self.write(image)


routes = [("/images/{name}", ShowImage)]
