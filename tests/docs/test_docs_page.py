"""The interactive page, over HTTP and in a real browser."""

from __future__ import annotations

import asyncio
import gzip
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest

from mentorapi.http.docs import ASSETS
from tests import npm
from tests.client import Api, is_error
from tests.docs.test_openapi import operations

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "connect-src": "'self'",
    "img-src": "'self' data: blob:",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}


async def test_serve_docs_page_restricts_what_it_may_do(api: Api) -> None:
    page = await api.nobody.get("/docs")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=UTF-8")
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    directives = page.headers["Content-Security-Policy"].split("; ")
    assert dict(directive.split(" ", 1) for directive in directives) == POLICY


async def test_serve_docs_files_allows_caching(api: Api) -> None:
    page = (await api.nobody.get("/docs")).body.decode()
    for name in ASSETS:
        path = f"/docs/{name}"
        assert f'"/api{path}"' in page
        plain = await api.nobody.get(path)
        assert (plain.status, plain.headers["X-Content-Type-Options"]) == (200, "nosniff")
        assert plain.headers["Cache-Control"] == "public, max-age=3600"
        unchanged = {"If-None-Match": plain.headers["ETag"]}
        assert (await api.nobody.get(path, headers=unchanged)).status == 304
        if not name.endswith(".png"):
            small = await api.nobody.get(path, headers={"Accept-Encoding": "gzip"})
            assert gzip.decompress(small.body) == plain.body


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("docs.js", "text/javascript; charset=UTF-8"),
        ("swagger-ui.css", "text/css; charset=UTF-8"),
        ("favicon-32x32.png", "image/png"),
    ],
)
async def test_serve_docs_files_has_their_types(api: Api, name: str, kind: str) -> None:
    assert (await api.nobody.get(f"/docs/{name}")).headers["Content-Type"] == kind


@pytest.mark.parametrize("name", ["docs.html", "index.html", "..%2Fdocs.js", "swagger-ui.js.map"])
async def test_get_other_docs_path_is_not_found(api: Api, name: str) -> None:
    assert is_error(await api.nobody.get(f"/docs/{name}"), 404, "Not found")


async def test_send_other_methods_to_docs_is_not_allowed(api: Api) -> None:
    for path in ("/docs", "/docs/docs.js", "/openapi.json"):
        head = await api.nobody.request("HEAD", path)
        assert (head.status, head.body) == (200, b"")
        options = await api.nobody.request("OPTIONS", path)
        assert (options.status, options.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")
        assert is_error(await api.nobody.put(path), 405, "Method not allowed")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return npm.installed(tmp_path_factory.getbasetemp())


@pytest.mark.skipif(not npm.IS_THERE, reason="needs Node 20 and npm")
@pytest.mark.skipif(npm.CHROMIUM is None, reason="needs chromium")
async def test_send_request_from_docs_page_in_browser_succeeds(api: Api, node: Path) -> None:
    """On a wide screen and on a phone."""
    heights = {1400: 1000, 390: 844}
    mentor = await api.mentor("mia", headline="Found by a browser")
    process = await asyncio.create_subprocess_exec(
        "node",
        "docs.mjs",
        str(npm.CHROMIUM),
        f"{api.base}/api",
        str(mentor.token),
        *(f"{width}x{height}" for width, height in heights.items()),
        cwd=node,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    for seen, height in zip(orjson.loads(out), heights.values(), strict=True):
        assert seen["complaints"] == []
        assert seen["hosts"] == [urlsplit(api.base).netloc]
        assert seen["all"] == len(list(operations()))
        assert seen["dashboard"] == ["/mentor/dashboard"]
        assert seen["postCancel"] == ["/sessions/{sessionId}/cancel"]
        assert seen["nothing"] == []
        assert seen["status"] == "200"
        assert orjson.loads(seen["body"])["profile"]["headline"] == "Found by a browser"
        assert "Only pending requests can be accepted" in seen["conflict"]
        assert "Time slot is no longer available" in seen["conflict"]
        assert seen["overflow"] == 0
        # No finding of axe that is serious or worse, in any part of the page.
        assert seen["findings"] == {"start": [], "dialog": [], "open": []}
        assert seen["limit"] == "20"
        assert 0 < seen["firstOperation"] < height
