"""Receives request bodies, and refuses as early as possible those that cannot be accepted."""

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

#: Bytes of a refused body that are read and dropped, so that the client reads the response.
MAX_DRAINED = 64 * 1024 * 1024

#: Seconds without a byte after which the rest of a refused body is no longer awaited.
DRAIN_SECONDS = 2.0


def is_announced(headers: HTTPHeaders) -> bool:
    """Whether a request has a body."""
    if "Transfer-Encoding" in headers:
        return True
    return "Content-Length" in headers and headers["Content-Length"] != "0"


class RequestBody(HTTPMessageDelegate):
    """Collects the body of one request for its handler.

    After the headers it refuses a wrong method, a Content-Length above the limit and a bad token.
    A body without a length is refused as soon as it exceeds the limit. Nothing of a refused body is
    kept.
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
        self._size = 0
        self._delegate = self._delegate_to(handler, ids)
        self._refused: RefusedConnection | None = None

    async def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> None:
        length = content_length(headers)
        self._keep_alive = length is not None and length <= self._limit
        if self._spec is None and self._request.method not in self._handler.allowed():
            # The handler itself answers 404 or 405.
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
        if self._refused is not None:
            self._refused.drop(len(chunk))
            return None
        self._size += len(chunk)
        if self._size > self._limit:
            return self._refuse(errors.BodyTooLarge())
        return self._delegate.data_received(chunk)

    def finish(self) -> None:
        if self._refused is None:
            self._delegate.finish()
        else:
            self._refused.end()

    def on_connection_close(self) -> None:
        if self._refused is None:
            self._delegate.on_connection_close()
        else:
            self._refused.stop()

    def _delegate_to(
        self, handler: type[ApiHandler], ids: list[bytes], **more: Any
    ) -> HTTPMessageDelegate:
        arguments = {"route": self._route, **more}
        return self._application.get_handler_delegate(self._request, handler, arguments, ids)

    async def _refuse(self, error: errors.ApiError) -> None:
        self._delegate = self._delegate_to(RefusalHandler, [], error=error)
        await self._answer_now()

    async def _answer_now(self) -> None:
        connection = self._request.connection
        assert isinstance(connection, HTTP1Connection)
        self._refused = self._request.connection = RefusedConnection(
            connection,
            keep_alive=self._keep_alive,
            client_waits="Expect" in self._request.headers,
        )
        # The handler gets an empty body.
        self._delegate.finish()
        await self._refused.answered.wait()


class RefusalHandler(ApiHandler):
    """Answers with an error."""

    def initialize(self, route: str = "unknown", *, error: errors.ApiError) -> None:  # type: ignore[override]
        super().initialize(route)
        self._error = error

    async def prepare(self) -> None:
        raise self._error


class RefusedConnection(HTTPConnection):
    """The connection of a request that is answered before its body has been read.

    It stays open while the client sends: a connection that is closed with bytes unread is reset,
    and the client would not read the response.
    """

    def __init__(
        self, connection: HTTP1Connection, *, keep_alive: bool, client_waits: bool
    ) -> None:
        self.answered = asyncio.Event()
        self._connection = connection
        self._keep_alive = keep_alive and not client_waits
        #: With `Expect: 100-continue`, a client sends no body before it has a response.
        self._client_waits = client_waits
        self._dropped = self._dropped_before = 0
        self._written: Any = None
        self._timer: asyncio.TimerHandle | None = None
        # The limit is MAX_DRAINED. At its own limit, Tornado would write a second response.
        connection.set_max_body_size(sys.maxsize)

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        self._connection.set_close_callback(callback)

    def write_headers(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        chunk: bytes | None = None,
    ) -> Any:
        if not self._keep_alive:
            headers["Connection"] = "close"
        self._written = self._connection.write_headers(start_line, headers, chunk)
        return self._written

    def write(self, chunk: bytes) -> Any:
        self._written = self._connection.write(chunk)
        return self._written

    def finish(self) -> None:
        """The response is complete."""
        self.answered.set()
        if self._client_waits:
            # Tornado closes the connection, since it has not read the body.
            self._connection.finish()
        elif not self._keep_alive:
            self._close_if_idle()

    def drop(self, size: int) -> None:
        self._dropped += size
        if self._dropped > MAX_DRAINED:
            self._close()

    def stop(self) -> None:
        """The client has closed the connection."""
        if self._timer is not None:
            self._timer.cancel()

    def end(self) -> None:
        """The whole body has been read."""
        self.stop()
        if self._keep_alive:
            self._connection.finish()
        else:
            self._close()

    def _close_if_idle(self) -> None:
        if self._timer is not None and self._dropped == self._dropped_before:
            self._close()
            return
        self._dropped_before = self._dropped
        self._timer = asyncio.get_running_loop().call_later(DRAIN_SECONDS, self._close_if_idle)

    def _close(self) -> None:
        # Not before the response is sent.
        self._written.add_done_callback(lambda _: self._connection.close())


def content_length(headers: HTTPHeaders) -> int | None:
    """Bytes of the body; None if it is chunked.

    Raises HTTPInputError if the headers contradict each other. Tornado answers that.
    """
    if is_transfer_encoding_chunked(headers):
        return None
    length = headers["Content-Length"]
    if "," in length:
        # Some proxies repeat the header. Tornado accepts that if all values are the same.
        length, *others = re.split(r",[ \t]*", length)
        if any(one != length for one in others):
            raise HTTPInputError("Content-Length is given twice")
    if not (length.isascii() and length.isdigit()):
        raise HTTPInputError("Content-Length is not a number")
    return int(length) if len(length) <= 18 else sys.maxsize
