"""Public reads, answered from memory while what they show stays as it is."""

from __future__ import annotations

import re
from typing import Any

from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerRequest,
    ResponseStartLine,
)

from mentorapi.cache import LISTS, Answer, Reading
from mentorapi.handlers import access
from mentorapi.handlers.base import ApiHandler, Services
from mentorapi.handlers.outgoing import COMPRESSED_FROM, accepts_gzip, new_headers, request_id

#: The headers in which answers differ.
_OWN = ("Cache-Control", "Link", "X-Total-Count")

_OK = ResponseStartLine("HTTP/1.1", 200, "OK")
_NOT_MODIFIED = ResponseStartLine("HTTP/1.1", 304, "Not Modified")

_ETAG = re.compile(r'\*|(?:W/)?"[^"]*"')


class WholeAnswerHandler(ApiHandler):
    """Writes answers that are there already, compressed where that is asked for."""

    answer: Answer | None = None

    def write_answer(self, answer: Answer) -> None:
        self.answer = answer
        self.set_header("Cache-Control", self.spec().cache_control)
        for name, value in answer.headers.items():
            self.set_header(name, value)
        if goes_out_gzipped(answer, self.request.headers):
            self.set_header("Content-Encoding", "gzip")
            self.write(answer.gzipped)
        else:
            self.write(answer.body)

    def compute_etag(self) -> str | None:
        return self.answer.etag if self.answer else None

    def check_etag_header(self) -> bool:
        return has_already(self.request.headers, self._headers.get("Etag", ""))


class DiscoveryHandler(WholeAnswerHandler):
    """Answers from the database, and leaves a copy in the cache, under the URL as it came."""

    reading: Reading | None = None

    async def prepare(self) -> None:
        if self.request.method in ("GET", "HEAD"):
            cache, url = self.services.cache, self.request.uri or ""
            others = cache.under_way(url)
            answer = None if others is None else await cache.wait(others)
            if answer is not None:
                self.write_answer(answer)
                self.finish()
                return
            self.reading = cache.begin(url, self.path_args[0] if self.path_args else LISTS)
        await super().prepare()

    def finish(self, chunk: Any = None) -> Any:
        if self.reading is not None:
            if self._status_code == 200:
                own = {name: self._headers[name] for name in _OWN if name in self._headers}
                self.answer = Answer(b"".join(self._write_buffer), own)
            self.services.cache.end(self.reading, self.answer)
            self.reading = None
        return super().finish(chunk)


class KeptAnswer(HTTPMessageDelegate):
    """Sends an answer from the cache. A body, which no reader should send, is not looked at."""

    def __init__(
        self, services: Services, request: HTTPServerRequest, route: str, answer: Answer
    ) -> None:
        self.services, self.request, self.route, self.answer = services, request, route, answer

    @classmethod
    def find(cls, services: Services, request: HTTPServerRequest, route: str) -> KeptAnswer | None:
        if request.method not in ("GET", "HEAD"):
            return None
        answer = services.cache.find(request.uri or "")
        return None if answer is None else cls(services, request, route, answer)

    def finish(self) -> None:
        request, answer = self.request, self.answer
        named = request_id(request.headers)
        headers = new_headers(self.services.settings, request, named)
        for name, value in answer.headers.items():
            headers[name] = value
        headers["Etag"] = answer.etag
        headers["Vary"] = "Origin, Accept-Encoding" if "Vary" in headers else "Accept-Encoding"
        if self.services.draining:
            headers["Connection"] = "close"
        if has_already(request.headers, answer.etag):
            status, body = _NOT_MODIFIED, None
            del headers["Content-Type"]
        else:
            status, body = _OK, answer.body
            if goes_out_gzipped(answer, request.headers):
                headers["Content-Encoding"] = "gzip"
                body = answer.gzipped
            headers["Content-Length"] = str(len(body))
            if request.method == "HEAD":
                body = None
        assert request.connection is not None
        request.connection.write_headers(status, headers, body)
        request.connection.finish()
        exchange = access.Exchange.of(request, self.route, status.code, named)
        access.count(self.services.metrics, exchange)
        access.record(exchange)


def goes_out_gzipped(answer: Answer, headers: HTTPHeaders) -> bool:
    """In answer to a request with these headers."""
    return len(answer.body) >= COMPRESSED_FROM and accepts_gzip(headers)


def has_already(headers: HTTPHeaders, etag: str) -> bool:
    """Whether a request with these headers knows the answer with this ETag (weak comparison)."""
    given = headers.get("If-None-Match")
    if given is None or not etag:
        return False
    known = _ETAG.findall(given)
    return known[:1] == ["*"] or etag.removeprefix("W/") in (
        tag.removeprefix("W/") for tag in known
    )
