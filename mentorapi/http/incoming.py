"""Request bodies on their way in: what can be refused without reading them is refused at once."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from tornado.http1connection import HTTP1Connection, is_transfer_encoding_chunked
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.web import Application

from mentorapi import errors
from mentorapi.http.base import ApiHandler
from mentorapi.schemas.operation import DEFAULT_MAX_BODY

#: Bytes of a refused body that are read and thrown away, so that its sender reads the answer.
MAX_DRAINED = 64 * 1024 * 1024

#: After so long without a byte, the rest of a refused body is not waited for.
DRAIN_SECONDS = 2.0


def announces_body(headers: HTTPHeaders) -> bool:
    if "Transfer-Encoding" in headers:
        return True
    return "Content-Length" in headers and headers["Content-Length"] != "0"


class Body(HTTPMessageDelegate):
    """Collects the body of one request for its handler.

    When the head is there, it refuses a wrong method, a body that says it is too large and a bad
    token. A body that turns out to be too large is refused as soon as it is. Nothing of a refused
    body is kept.
    """

    def __init__(
        self,
        application: Application,
        request: HTTPServerRequest,
        route: str,
        handler: type[ApiHandler],
        ids: list[bytes],
    ) -> None:
        self._application = application
        self._request = request
        self._route = route
        self._handler = handler
        self._spec = handler.operation_of(request.method)
        self._limit = self._spec.max_body if self._spec else DEFAULT_MAX_BODY
        self._received = 0
        self._delegate = self._run(handler, ids)
        self._rest: RefusedBody | None = None

    async def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> None:
        length = announced_length(headers)
        self._keeps = length is not None and length <= self._limit
        if self._spec is None and self._request.method not in self._handler.allowed():
            # The handler refuses by itself: 404 or 405.
            await self._answer_now()
        elif length is not None and length > self._limit:
            await self._refuse(errors.BodyTooLarge())
        elif self._spec is not None and not self._spec.public:
            services = self._application.settings["services"]
            try:
                await services.verifier.caller_of(headers.get("Authorization"))
            except errors.Unauthorized as error:
                await self._refuse(error)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        if self._rest is not None:
            self._rest.received(len(chunk))
            return None
        self._received += len(chunk)
        if self._received > self._limit:
            return self._refuse(errors.BodyTooLarge())
        return self._delegate.data_received(chunk)

    def finish(self) -> None:
        if self._rest is None:
            self._delegate.finish()
        else:
            self._rest.end()

    def on_connection_close(self) -> None:
        if self._rest is None:
            self._delegate.on_connection_close()
        else:
            self._rest.stop()

    def _run(self, handler: type[ApiHandler], ids: list[bytes], **more: Any) -> HTTPMessageDelegate:
        arguments = {"route": self._route, **more}
        return self._application.get_handler_delegate(self._request, handler, arguments, ids)

    async def _refuse(self, error: errors.ApiError) -> None:
        self._delegate = self._run(Refusal, [], error=error)
        await self._answer_now()

    async def _answer_now(self) -> None:
        connection = self._request.connection
        assert isinstance(connection, HTTP1Connection)
        self._rest = self._request.connection = RefusedBody(
            connection,
            keeps_connection=self._keeps,
            client_waits="Expect" in self._request.headers,
        )
        # Without a body.
        self._delegate.finish()
        await self._rest.answered.wait()


class Refusal(ApiHandler):
    """Answers with an error."""

    def initialize(self, route: str = "unknown", error: errors.ApiError | None = None) -> None:
        super().initialize(route)
        self._error = error or errors.ApiError()

    async def prepare(self) -> None:
        raise self._error


class RefusedBody(HTTPConnection):
    """The connection of a request that is answered while its body still comes in.

    Its sender reads the answer only if the connection stays open meanwhile: a connection closed
    with bytes unread is reset.
    """

    def __init__(
        self, connection: HTTP1Connection, *, keeps_connection: bool, client_waits: bool
    ) -> None:
        self.answered = asyncio.Event()
        self._connection = connection
        self._keeps = keeps_connection and not client_waits
        #: After `Expect: 100-continue` a client sends nothing before it has an answer.
        self._client_waits = client_waits
        self._drained = self._drained_before = 0
        self._written: Any = None
        self._timer: asyncio.TimerHandle | None = None
        # Counted here instead: Tornado would write an error of its own after the answer.
        connection.set_max_body_size(sys.maxsize)

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        self._connection.set_close_callback(callback)

    def write_headers(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        chunk: bytes | None = None,
    ) -> Any:
        if not self._keeps:
            headers["Connection"] = "close"
        self._written = self._connection.write_headers(start_line, headers, chunk)
        return self._written

    def write(self, chunk: bytes) -> Any:
        self._written = self._connection.write(chunk)
        return self._written

    def finish(self) -> None:
        """The answer is complete."""
        self.answered.set()
        if self._client_waits:
            # Tornado closes the connection, since it has not read the body.
            self._connection.finish()
        elif not self._keeps:
            self._watch()

    def received(self, size: int) -> None:
        self._drained += size
        if self._drained > MAX_DRAINED:
            self._close()

    def stop(self) -> None:
        """The client is gone."""
        if self._timer is not None:
            self._timer.cancel()

    def end(self) -> None:
        """The body is there to its end."""
        self.stop()
        if self._keeps:
            self._connection.finish()
        else:
            self._close()

    def _watch(self) -> None:
        if self._timer is not None and self._drained == self._drained_before:
            self._close()
            return
        self._drained_before = self._drained
        self._timer = asyncio.get_running_loop().call_later(DRAIN_SECONDS, self._watch)

    def _close(self) -> None:
        # Not before the answer is sent.
        self._written.add_done_callback(lambda _: self._connection.close())


def announced_length(headers: HTTPHeaders) -> int | None:
    """The length in bytes of the body, None if it comes in chunks.

    Raises HTTPInputError if the headers contradict each other, which Tornado answers.
    """
    if is_transfer_encoding_chunked(headers):
        return None
    length = headers["Content-Length"]
    if "," in length:
        # Some proxies repeat it; Tornado takes it if all are the same.
        length, *others = re.split(r",[ \t]*", length)
        if any(one != length for one in others):
            raise HTTPInputError("Content-Length is given twice")
    if not (length.isascii() and length.isdigit()):
        raise HTTPInputError("Content-Length is not a number")
    return int(length) if len(length) <= 18 else sys.maxsize
