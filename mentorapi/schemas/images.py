"""Uploaded profile images."""

from mentorapi.schemas import common, profile
from mentorapi.schemas.operation import Operation

#: Bytes of an image that is uploaded.
MAX_UPLOAD = 5 * 1024 * 1024

SHOW = Operation(
    name="getImage",
    summary="A profile image",
    description="A new image gets a new name, so this one may be cached for ever.",
    public=True,
    media_type="image/webp",
    response={"type": "string", "format": "binary"},
)

UPLOAD = Operation(
    name="uploadProfileImage",
    summary="Upload a new profile image",
    description="One part, `file`: a JPEG, PNG, WebP or GIF image of at most 5 MiB, 25 "
    "megapixels and 10,000 pixels on each side. It is turned upright, scaled down to 512 x 512 at "
    "most and kept as WebP. The first upload creates the profile. Images of one user are "
    "processed one after the other. Five uploads at once are accepted, the sixth is a 503.",
    # The image, and the boundaries and headers of multipart.
    max_body=MAX_UPLOAD + 64 * 1024,
    form=common.closed_object("ImageUpload", ["file"], file={"type": "string", "format": "binary"}),
    response=profile.PROFILE,
)
