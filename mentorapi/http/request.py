"""A request as handlers see it: Tornado's class, filled from what llhttp has parsed."""

from __future__ import annotations

import re
import time
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING
from uuid import uuid4

from tornado.escape import parse_qs_bytes
from tornado.httputil import HTTPServerRequest
from tornado.netutil import is_valid_ip

from mentorapi import errors

if TYPE_CHECKING:
    from mentorapi.http.connection import Connection
    from mentorapi.http.parser import RequestParser

MAX_PARAMETERS = 1000

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")

# Our own request ids are UUIDs made of a random part per process and a number per request. A
# random one for each request costs more.
_PROCESS = str(uuid4())[:24]
_numbers = count(1)


class Request(HTTPServerRequest):
    """One request. Unlike Tornado's class it parses the query only when it is asked for.

    The names of ``headers`` are in lower case. Several headers of one name are joined by commas.
    """

    connection: Connection
    method: str
    uri: str
    headers: dict[str, str]  # type: ignore[assignment]
    remote_ip: str

    def __init__(self, connection: Connection, parsed: RequestParser, remote_ip: str) -> None:
        self.connection = self.server_connection = connection
        self.method, self.uri, self.headers = parsed.method, parsed.target, parsed.headers
        self.remote_ip = remote_ip
        self.path, _, self.query = self.uri.partition("?")
        self.has_body = not parsed.received
        #: Set to what ``Connection.read_body`` returns.
        self.body = b""
        #: The client's, or a new one.
        self.id = self.headers.get("x-request-id", "")
        if not _REQUEST_ID.fullmatch(self.id):
            self.id = f"{_PROCESS}{next(_numbers):012x}"
        self._started_at = time.monotonic()

    def request_time(self) -> float:
        return time.monotonic() - self._started_at

    @cached_property
    def query_arguments(self) -> dict[str, list[bytes]]:  # type: ignore[override]
        """The parameters of the query. Raises BadRequest."""
        try:
            return parse_qs_bytes(self.query, keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
        except ValueError as error:
            raise errors.BadRequest("The query has too many parameters") from error


def client_behind_proxy(headers: dict[str, str], proxy: str) -> str:
    """The client's address in the proxy's headers, or else the proxy's own address."""
    forwarded = headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    for address in (headers.get("x-real-ip", ""), forwarded):
        if is_valid_ip(address):
            return address
    return proxy
