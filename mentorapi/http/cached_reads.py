"""Public reads, answered from memory while what they show stays as it is."""

from __future__ import annotations

import re
from typing import Any, cast

from tornado.http1connection import HTTP1Connection
from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerRequest,
    ResponseStartLine,
)

from mentorapi.cache.responses import LISTS, Load, Response
from mentorapi.http import access_log
from mentorapi.http.base import ApiHandler, Services
from mentorapi.http.headers import (
    COMPRESSED_FROM,
    Head,
    accepts_gzip,
    header,
    new_headers,
    request_id,
)

#: The headers in which answers differ.
_OWN = ("Cache-Control", "Link", "X-Total-Count")

_OK = ResponseStartLine("HTTP/1.1", 200, "OK")
_NOT_MODIFIED = ResponseStartLine("HTTP/1.1", 304, "Not Modified")

_ETAG = re.compile(r'\*|(?:W/)?"[^"]*"')


class WholeAnswerHandler(ApiHandler):
    """Answers with what is there as a whole."""

    answer: Response | None = None

    def write_answer(self, answer: Response) -> None:
        self.answer = answer

    def finish(self, chunk: Any = None) -> Any:
        if self.answer is None or self._status_code != 200:
            return super().finish(chunk)
        # As Tornado ends an answer.
        cast(HTTP1Connection, self.request.connection).set_close_callback(None)
        self._status_code = send(self.services, self.request, self._headers, self.answer)
        self._headers_written = self._finished = True
        access_log.answered(self)
        self.on_finish()
        self._break_cycles()
        return None


class DiscoveryHandler(WholeAnswerHandler):
    """Answers from the database, and leaves a copy in the cache, under the URL as it came."""

    load: Load | None = None

    async def prepare(self) -> None:
        if self.request.method in ("GET", "HEAD"):
            cache, url = self.services.cache, self.request.uri or ""
            others = cache.find_load(url)
            answer = None if others is None else await cache.wait(others)
            if answer is not None:
                self.write_answer(answer)
                self.finish()
                return
            self.load = cache.begin(url, self.path_args[0] if self.path_args else LISTS)
        await super().prepare()

    def finish(self, chunk: Any = None) -> Any:
        if self.load is not None:
            if self._status_code == 200:
                own = {name: self._headers[name] for name in _OWN if name in self._headers}
                self.answer = Response(b"".join(self._write_buffer), own)
            self.services.cache.end(self.load, self.answer)
            self.load = None
        return super().finish(chunk)


class KeptAnswer(HTTPMessageDelegate):
    """Sends an answer from the cache. A body, which no reader should send, is not looked at."""

    def __init__(
        self, services: Services, request: HTTPServerRequest, route: str, answer: Response
    ) -> None:
        self.services, self.request, self.route, self.answer = services, request, route, answer

    @classmethod
    def find(cls, services: Services, request: HTTPServerRequest, route: str) -> KeptAnswer | None:
        if request.method not in ("GET", "HEAD"):
            return None
        answer = services.cache.find(request.uri or "")
        return None if answer is None else cls(services, request, route, answer)

    def finish(self) -> None:
        named = request_id(self.request.headers)
        headers = new_headers(self.services.settings, self.request, named)
        status = send(self.services, self.request, headers, self.answer)
        exchange = access_log.Exchange.of(self.request, self.route, status, named)
        access_log.count(self.services.metrics, exchange)
        access_log.record(exchange)


def send(services: Services, request: HTTPServerRequest, headers: Head, answer: Response) -> int:
    """Answer a request, with these headers and the answer's own; returns the status."""
    headers.update(answer.headers)
    headers["Etag"] = answer.etag
    headers["Vary"] = "Origin, Accept-Encoding" if "Vary" in headers else "Accept-Encoding"
    if services.draining:
        headers["Connection"] = "close"
    if has_already(request.headers, answer.etag):
        status, body = _NOT_MODIFIED, None
        del headers["Content-Type"]
    else:
        status, body = _OK, answer.body
        if len(body) >= COMPRESSED_FROM and accepts_gzip(request.headers):
            headers["Content-Encoding"] = "gzip"
            body = answer.gzipped
        headers["Content-Length"] = str(len(body))
        if request.method == "HEAD":
            body = None
    assert request.connection is not None
    request.connection.write_headers(status, headers, body)  # type: ignore[arg-type]
    request.connection.finish()
    return status.code


def has_already(headers: HTTPHeaders, etag: str) -> bool:
    """Whether a request with these headers knows the answer with this ETag (weak comparison)."""
    given = header(headers, "If-None-Match")
    if given is None:
        return False
    known = _ETAG.findall(given)
    return known[:1] == ["*"] or etag.removeprefix("W/") in (
        tag.removeprefix("W/") for tag in known
    )
