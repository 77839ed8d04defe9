"""Uploaded profile images."""

from mentorapi.schemas.operation import Operation

#: Bytes of an image that is uploaded.
MAX_UPLOAD = 5 * 1024 * 1024

SHOW = Operation(
    name="getImage",
    summary="A profile image",
    description="A new image gets a new name, so this one may be cached for good.",
    public=True,
    media_type="image/webp",
    response={"type": "string", "format": "binary"},
)
