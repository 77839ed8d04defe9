"""/openapi.json and /docs: the OpenAPI document, and the page that shows it."""

from functools import cache
from http import HTTPStatus
from pathlib import Path

from swagger_ui_bundle import swagger_ui_path

from mentorapi import errors
from mentorapi.cache.responses import Response
from mentorapi.http.base import ApiHandler
from mentorapi.http.cached_reads import ResponseHandler
from mentorapi.http.operation import operation
from mentorapi.schemas import docs as spec
from mentorapi.schemas.common import PREFIX

STATIC = Path(__file__).resolve().parent / "static"

TYPES = {
    ".css": "text/css; charset=UTF-8",
    ".html": "text/html; charset=UTF-8",
    ".js": "text/javascript; charset=UTF-8",
    ".png": "image/png",
}

#: The files that are served, and their folders.
ASSETS = {
    "docs.css": STATIC,
    "docs.js": STATIC,
    "favicon-32x32.png": swagger_ui_path,
    "swagger-ui-bundle.js": swagger_ui_path,
    "swagger-ui.css": swagger_ui_path,
}

#: The page may connect to its own server only. It shows icons of the style sheet (data:) and images
#: of responses (blob:).
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class ShowDescription(ResponseHandler):
    @operation(spec.DOCUMENT)
    async def get(self) -> None:
        self.write_response(self.services.description)


class ShowPage(ResponseHandler):
    @operation(spec.PAGE)
    async def get(self) -> None:
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("Referrer-Policy", "no-referrer")
        self.write_response(read(STATIC, "docs.html"))


class ShowAsset(ResponseHandler):
    ID_ARGUMENTS = False

    @operation(spec.ASSET, raises=(errors.NotFound,))
    async def get(self, name: str) -> None:
        if name not in ASSETS:
            raise errors.NotFound
        self.write_response(read(ASSETS[name], name))


class RedirectToDocs(ApiHandler):
    """For people who type the server's address into a browser."""

    async def prepare(self) -> None:
        pass

    async def get(self) -> None:
        # 302, since a browser would remember a 301 for ever.
        self.set_status(HTTPStatus.FOUND)
        self.set_header("Location", f"{PREFIX}/docs")
        self.clear_header("Content-Type")


@cache
def read(folder: Path, name: str) -> Response:
    path = folder / name
    return Response(path.read_bytes(), {"Content-Type": TYPES[path.suffix]})


routes = [
    ("/openapi.json", ShowDescription),
    ("/docs", ShowPage),
    ("/docs/{name}", ShowAsset),
]

#: Paths outside the API.
redirects = [(path, RedirectToDocs) for path in ("/", PREFIX, f"{PREFIX}/", "/docs")]
