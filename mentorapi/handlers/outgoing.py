"""What is done with every answer on its way out."""

from __future__ import annotations

import re

from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import GZipContentEncoding

from mentorapi.handlers.base import Services

#: Bytes. Smaller answers are not worth compressing.
COMPRESSED_FROM = 1024

# With a weight of 0 it is what the client does not want (RFC 9110, 12.5.3).
_GZIP = re.compile(r"(?:^|[\s,])gzip\s*(?:$|,|;\s*q=(?!0(?:\.0*)?\s*(?:$|,)))", re.IGNORECASE)


def accepts_gzip(headers: HTTPHeaders) -> bool:
    accepted = headers.get("Accept-Encoding")
    return accepted is not None and _GZIP.search(accepted) is not None


class Outgoing(GZipContentEncoding):
    """Tornado makes one for each answer: compresses what is not compressed already, and asks the
    client to close its connection while the services drain."""

    MIN_LENGTH = COMPRESSED_FROM

    def __init__(self, services: Services, request: HTTPServerRequest) -> None:
        self._gzipping = accepts_gzip(request.headers)
        self._services = services

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        if self._services.draining:
            headers["Connection"] = "close"
        return super().transform_first_chunk(status_code, headers, chunk, finishing)
