"""Uploaded profile images."""

from mentorapi.schemas.operation import Operation

SHOW = Operation(
    summary="A profile image",
    public=True,
    response={"type": "string", "contentMediaType": "image/webp"},
)
