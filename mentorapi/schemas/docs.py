"""What helps to read about the API."""

from mentorapi.schemas.operation import Operation

#: Seconds. What the page is made of changes with a release.
RELEASE = 3600

DOCUMENT = Operation(
    name="getDescription",
    summary="This description",
    public=True,
    described=False,
    response={"type": "object"},
)

PAGE = Operation(
    name="showPage",
    summary="The description as an interactive page",
    public=True,
    described=False,
    media_type="text/html",
    response={"type": "string"},
)

ASSET = Operation(
    name="getAsset",
    summary="A file of the interactive page",
    public=True,
    described=False,
    cache_seconds=RELEASE,
    media_type="application/octet-stream",
    response={"type": "string"},
)
