"""The OpenAPI document and the page that shows it."""

from functools import partial

from mentorapi.schemas.operation import Operation

undescribed = partial(Operation, public=True, described=False)

DOCUMENT = undescribed(
    name="getDescription", summary="This description", response={"type": "object"}
)

PAGE = undescribed(
    name="showPage",
    summary="The description as an interactive page",
    media_type="text/html",
    response={"type": "string"},
)

ASSET = undescribed(
    name="getAsset",
    summary="A file of the interactive page",
    # It changes with a release only.
    cache_seconds=3600,
    media_type="application/octet-stream",
    response={"type": "string"},
)
