"""/openapi.json and /docs: the OpenAPI document, and the page that shows it."""

from functools import cache
from http import HTTPStatus
from pathlib import Path

from swagger_ui_bundle import swagger_ui_path

from mentorapi import errors
from mentorapi.cache.responses import Response
from mentorapi.http.base import PlainHandler
from mentorapi.schemas.common import PREFIX

STATIC = Path(__file__).resolve().parent / "static"

TYPES = {
    ".css": "text/css; charset=UTF-8",
    ".html": "text/html; charset=UTF-8",
    ".js": "text/javascript; charset=UTF-8",
    ".png": "image/png",
}

#: The files that the page needs, and their folders. They change with a release only.
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


class ShowDescription(PlainHandler):
    async def get(self) -> None:
        self.set_header("Cache-Control", "public, no-cache")
        self.write_response(self.services.description)


class ShowPage(PlainHandler):
    async def get(self) -> None:
        self.set_header("Cache-Control", "public, no-cache")
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("Referrer-Policy", "no-referrer")
        self.write_response(read(STATIC, "docs.html"))


class ShowAsset(PlainHandler):
    async def get(self, name: str) -> None:
        if name not in ASSETS:
            raise errors.NotFound
        self.set_header("Cache-Control", "public, max-age=3600")
        self.write_response(read(ASSETS[name], name))


class RedirectToDocs(PlainHandler):
    """A redirect for people who type the server's address into a browser."""

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
    (f"{PREFIX}/openapi.json", ShowDescription),
    (f"{PREFIX}/docs", ShowPage),
    (f"{PREFIX}/docs/{{name}}", ShowAsset),
]

redirects = [(path, RedirectToDocs) for path in ("/", PREFIX, f"{PREFIX}/", "/docs")]
