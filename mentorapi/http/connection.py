"""A client's connection: passes its requests to Tornado's handlers and sends their responses."""

from __future__ import annotations

import asyncio
import math
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tornado.httputil import HTTPConnection, ResponseStartLine

from mentorapi import errors
from mentorapi.http.parser import RequestParser
from mentorapi.http.request import Request, client_behind_proxy

if TYPE_CHECKING:
    from mentorapi.http.transport import Server

#: Bytes of a body that are read before a handler asks for it.
MAX_READ_AHEAD = 64 * 1024

#: Bytes of a body that are skipped after the response, so that the connection stays open.
MAX_SKIPPED = 64 * 1024

#: Bytes that a client still sends are read and dropped before its connection is closed, until it
#: has sent none for these seconds. A connection that is closed while bytes are unread is reset, and
#: the client may lose the response.
DROP_SECONDS = 2.0

#: Seconds in which a client has to take some of its response.
READ_SECONDS = 30.0

#: Seconds that a new connection has for its first request while the server drains.
FIRST_REQUEST_SECONDS = 0.5

#: Pieces parsed before the event loop gets its turn. A client may send thousands of requests at
#: once.
MAX_PIECES = 32


class Connection(asyncio.Protocol, HTTPConnection):
    """Serves one request after the other: the next one is parsed after the response to the last."""

    def __init__(self, server: Server, accepted: socket.socket, address: str) -> None:
        self._server, self._socket, self._address = server, accepted, address
        self._loop = asyncio.get_running_loop()
        self._parser = RequestParser(server.max_head_bytes)
        self._is_parsing = self._is_closing = self._has_ended = False
        #: Both in the time of ``time.monotonic()``: when the client is too slow, and from when on
        #: a connection without a request is idle.
        self._deadline = time.monotonic() + server.head_seconds
        self._idle_from = time.monotonic() + FIRST_REQUEST_SECONDS
        #: Bytes of the response that wait to be sent, and since when their number is the same.
        self._unsent, self._unsent_since = 0, math.inf
        #: Until when bytes are dropped at most.
        self._dropping_ends = math.inf
        #: Done unless too many bytes of the response wait to be sent.
        self._writable = self._loop.create_future()
        self._writable.set_result(None)
        self._expect_request()

    def _expect_request(self) -> None:
        self._parser.begin()
        self._request: Request | None = None
        self._answered = self._keep_alive = False
        #: Whether the client sends the body only after ``100 Continue``.
        self._client_waits = False
        self._max_body: float = math.inf
        self._body_waiter: asyncio.Future[None] | None = None
        #: Why the body cannot be read.
        self._body_failure: errors.ApiError | None = None

    # Events of the socket ------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._server.connections.add(self)

    def data_received(self, data: bytes) -> None:
        if self._is_closing:
            self._deadline = min(time.monotonic() + DROP_SECONDS, self._dropping_ends)
        else:
            self._parser.add(data)
            self._parse()

    def eof_received(self) -> bool:
        """Keep the connection open while the client, which sends no more, waits for a response."""
        self._has_ended = True
        waits = self._request is not None and self._parser.received and not self._answered
        return waits or not self._writable.done()

    def connection_lost(self, error: Exception | None) -> None:
        self._is_closing = True
        self._server.connections.discard(self)
        self._server.on_close()
        self._fail_body(errors.RequestTimeout())
        _wake(self._writable)

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        _wake(self._writable)
        self._continue()

    # Requests ------------------------------------------------------------------------------

    def _parse(self) -> None:
        """Parse what has arrived, as far as it may be parsed now."""
        if self._is_parsing:
            # The request was answered while it was parsed: the loop that is running continues.
            return
        self._is_parsing = True
        for _ in range(MAX_PIECES):
            if not self._may_parse():
                # While it closes, what the client sends is read and dropped.
                if self._parser.unparsed and not self._is_closing:
                    self._transport.pause_reading()
                break
            try:
                if not self._parser.advance():
                    if self._has_ended:
                        self._transport.close()
                    break
            except errors.ApiError as error:
                self._refuse(error)
            else:
                self._handle_piece()
        else:
            self._transport.pause_reading()
            self._loop.call_soon(self._continue)
        self._is_parsing = False

    def _may_parse(self) -> bool:
        if self._is_closing or self._body_failure is not None:
            return False
        if self._request is None:
            return self._writable.done()
        is_wanted = self._answered or self._body_waiter is not None
        return not self._parser.received and (is_wanted or len(self._parser.body) < MAX_READ_AHEAD)

    def _continue(self) -> None:
        if not self._has_ended:
            self._transport.resume_reading()
        if self._parser.unparsed or self._has_ended:
            self._parse()

    def _handle_piece(self) -> None:
        parser = self._parser
        if self._request is None:
            if parser.head_received:
                self._keep_alive = parser.keep_alive
                expected = parser.headers.get("expect", "").lower()
                self._client_waits = expected == "100-continue" and parser.is_1_1
                self._server.app.answer(self._make_request())
        elif len(parser.body) > self._max_body:
            self._fail_body(errors.BodyTooLarge())
        elif parser.received:
            _wake(self._body_waiter)
            if self._answered:
                self._end()

    def _make_request(self) -> Request:
        address = self._address
        if self._server.behind_proxy:
            address = client_behind_proxy(self._parser.headers, address)
        self._request = Request(self, self._parser, address)
        self._deadline = math.inf
        return self._request

    def _refuse(self, error: errors.ApiError) -> None:
        """Answer bytes that are no request, and close the connection."""
        if self._request is None:
            self._parser.begin()
            self._parser.method = "-"
            self._server.app.answer_error(self._make_request(), error)
        else:
            # The handler answers when it reads the body.
            self._fail_body(error)
            if self._answered:
                self._end()

    def limit_body(self, max_bytes: int) -> None:
        """Admit no larger body. Raises BodyTooLarge if a larger one is announced."""
        self._max_body = max_bytes
        if len(self._parser.body) + (self._parser.missing or 0) > max_bytes:
            self._fail_body(errors.BodyTooLarge())
            raise errors.BodyTooLarge

    async def read_body(self) -> bytes:
        """Wait for the body. Raises BodyTooLarge, RequestTimeout and BadRequest."""
        if not self._parser.received:
            if self._client_waits and not self._parser.body:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._client_waits = False
            self._deadline = time.monotonic() + self._server.body_seconds
            self._body_waiter = self._loop.create_future()
            self._continue()
            if self._body_failure is None:
                await self._body_waiter
            self._deadline = math.inf
        if self._body_failure is not None:
            raise self._body_failure
        return bytes(self._parser.body)

    def _fail_body(self, error: errors.ApiError) -> None:
        self._body_failure, self._keep_alive = error, False
        _wake(self._body_waiter)

    # Responses: the methods of Tornado's HTTPConnection -------------------------------------

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Ignored: a handler runs to its end, also when its client leaves."""

    def write_headers(  # type: ignore[override]
        self, start_line: ResponseStartLine, headers: dict[str, str], chunk: bytes | None = None
    ) -> asyncio.Future[None]:
        """Write a head and the first bytes of its body. Await the result before writing more."""
        self._keep_alive &= self._may_skip_body() and not self._server.draining
        if not self._keep_alive:
            headers["Connection"] = "close"
        elif not self._parser.is_1_1:
            headers["Connection"] = "keep-alive"
        lines = [f"HTTP/1.1 {start_line.code} {start_line.reason}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join(lines)
        if head.count("\n") >= len(lines) or head.count("\r") >= len(lines):
            raise ValueError("a header has a line break")
        return self.write(f"{head}\r\n\r\n".encode("latin-1") + (chunk or b""))

    def _may_skip_body(self) -> bool:
        """Whether the rest of the body is short, and the client sends it in any case."""
        missing = self._parser.missing
        return self._parser.received or (
            missing is not None and missing <= MAX_SKIPPED and not self._client_waits
        )

    def write(self, chunk: bytes) -> asyncio.Future[None]:
        if not self._transport.is_closing():
            self._transport.write(chunk)
        return self._writable

    def finish(self) -> None:
        """End the response."""
        self._answered = self._parser.skips_body = True
        self._end()

    # The end of a request, and of the connection ---------------------------------------------

    def _end(self) -> None:
        """Expect the next request, or close.

        Called when the response is complete, and when the rest of the body has been skipped.
        """
        if self._is_closing:
            return
        if not self._keep_alive or (self._has_ended and not self._parser.unparsed):
            self._close()
            return
        if self._parser.received:
            self._expect_request()
            self._idle_from, self._deadline = 0.0, time.monotonic() + self._server.head_seconds
        else:
            self._deadline = time.monotonic() + self._server.body_seconds
        self._continue()

    def _close(self) -> None:
        """Close after the response is sent, and after the client has stopped sending."""
        self._is_closing = True
        if self._parser.received and not self._parser.unparsed:
            self._transport.close()
            return
        now = time.monotonic()
        self._deadline, self._dropping_ends = now + DROP_SECONDS, now + self._server.body_seconds
        self._transport.write_eof()
        if not self._has_ended:
            self._transport.resume_reading()

    def enforce_deadlines(self, now: float) -> None:
        """Close the connection if the client is too slow. Call this a few times a second."""
        unsent = self._transport.get_write_buffer_size()
        if not unsent or unsent != self._unsent:
            self._unsent, self._unsent_since = unsent, now
        elif now >= self._unsent_since + READ_SECONDS:
            self.abort()
        if now < self._deadline:
            return
        if self._body_waiter is not None and not self._body_waiter.done():
            self._fail_body(errors.RequestTimeout())
        else:
            self._transport.close()

    def close_if_idle(self, now: float) -> None:
        """Close the connection unless it has a request, or is new and may soon get one."""
        has_bytes = self._parser.unparsed or self._transport.get_write_buffer_size()
        if self._request is not None or has_bytes or now < self._idle_from:
            return
        try:
            # Bytes that have arrived are a request, although the event loop has not read them yet.
            if self._socket.recv(1, socket.MSG_PEEK):
                return
        except BlockingIOError:
            # The client has to see the end at once: the transport closes in the loop's next round.
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        self._is_closing = True
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
