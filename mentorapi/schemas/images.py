"""Uploaded profile images."""

from mentorapi.schemas.operation import Operation

SHOW = Operation(
    name="getImage",
    summary="A profile image",
    description="A new image gets a new name, so this one may be cached for good.",
    public=True,
    media_type="image/webp",
    response={"type": "string", "format": "binary"},
)
