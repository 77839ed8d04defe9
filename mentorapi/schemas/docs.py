"""The OpenAPI document and the page that shows it."""

from mentorapi.schemas.operation import Operation

#: Seconds. The files of the page change with a release only.
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
