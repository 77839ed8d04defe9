"""A client's connection: passes its requests to Tornado's handlers and sends their responses.

It serves one request after the other, and is in one of these states:

- ``head``: the head of a request is read, once the client has taken most of the previous response.
- ``handling``: a handler works on the request. About ``MAX_READ_AHEAD`` of its body are read.
- ``body``: the handler waits for the body. Then ``handling`` again.
- ``skipping``: the response is complete. The rest of the body is read, and ``head`` follows.
- ``closing``: no request follows, or the connection is lost. What the client sends is dropped.

``finish`` ends the handling, and chooses between ``head``, ``skipping`` and ``closing``. All states
but ``handling`` have a deadline. What is known of the current request is in the parser.
"""

from __future__ import annotations

import asyncio
import math
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

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

#: Seconds for the head of a request, counted from the end of the request before it.
HEAD_SECONDS = 65

#: Seconds for the body of a request.
BODY_SECONDS = 30

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

State = Literal["head", "handling", "body", "skipping", "closing"]


class Connection(asyncio.Protocol, HTTPConnection):
    """A protocol of asyncio, and the connection to which Tornado's handlers write."""

    def __init__(self, server: Server, accepted: socket.socket, address: str) -> None:
        self._server, self._socket, self._address = server, accepted, address
        self._loop = asyncio.get_running_loop()
        self._parser = RequestParser(server.max_head_bytes)
        self._enter("head", HEAD_SECONDS)
        #: Until when the first request may arrive while the server drains.
        self._new_until = time.monotonic() + FIRST_REQUEST_SECONDS
        #: Until when bytes are dropped at most.
        self._dropping_ends = math.inf
        #: Bytes of the response that wait to be sent, and since when their number is the same.
        self._unsent, self._unsent_since = 0, math.inf
        #: Done unless too many bytes of the response wait to be sent.
        self._writable = self._loop.create_future()
        self._writable.set_result(None)
        self._is_parsing = False
        #: Whether the client has closed its sending side.
        self._has_ended = False
        #: Why the body cannot be read. No further request is read then.
        self._body_failure: errors.ApiError | None = None

    def _enter(self, state: State, seconds: float = math.inf) -> None:
        """Begin a state, in which the client has these seconds to send what is expected."""
        self._state, self._deadline = state, time.monotonic() + seconds

    # Events of the socket ------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._server.connections.add(self)

    def data_received(self, data: bytes) -> None:
        if self._state == "closing":
            self._deadline = min(time.monotonic() + DROP_SECONDS, self._dropping_ends)
        else:
            self._parser.add(data)
            self._proceed()

    def eof_received(self) -> bool:
        """Keep the connection open while the client, which sends no more, waits for a response."""
        self._has_ended = True
        self._proceed()
        return self._state != "closing"

    def connection_lost(self, error: Exception | None) -> None:
        self._fail_body(errors.RequestTimeout())
        self._state = "closing"
        self._server.connections.discard(self)
        self._server.on_close()
        _wake(self._writable)

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        _wake(self._writable)
        self._proceed()

    # Requests ------------------------------------------------------------------------------

    def _proceed(self) -> None:
        """Parse what has arrived, as far as the state allows. Bytes that have to wait stop reading.

        Call this when bytes have arrived, and after each change that lets more be parsed.
        """
        if self._is_parsing:
            # Called by a response that was complete at once: the loop that is running continues.
            return
        self._is_parsing = True
        for _ in range(MAX_PIECES):
            if not self._expects_bytes():
                if self._parser.unparsed:
                    self._transport.pause_reading()
                break
            if not (self._parser.unparsed and self._parse_piece()):
                if self._has_ended:
                    # The rest of the request will never arrive.
                    self._transport.close()
                else:
                    self._transport.resume_reading()
                break
        else:
            self._transport.pause_reading()
            self._loop.call_soon(self._proceed)
        self._is_parsing = False

    def _expects_bytes(self) -> bool:
        if self._state == "head":
            return self._writable.done()
        if self._state == "handling":
            return not self._body_has_ended() and len(self._parser.body) < MAX_READ_AHEAD
        return self._state != "closing"

    def _body_has_ended(self) -> bool:
        return self._parser.received or self._body_failure is not None

    def _parse_piece(self) -> bool:
        """Parse the next piece. False if more bytes have to arrive first."""
        try:
            if not self._parser.advance():
                return False
        except errors.ApiError as error:
            self._refuse(error)
            return True
        if self._state == "head":
            if self._parser.head_received:
                self._server.app.handle(self._make_request())
        elif self._parser.received:
            if self._state == "skipping":
                self._expect_request()
            else:
                self._wake_handler()
        return True

    def _make_request(self) -> Request:
        self._enter("handling")
        address = self._address
        if self._server.behind_proxy:
            address = client_behind_proxy(self._parser.headers, address)
        return Request(self, self._parser, address)

    def _refuse(self, error: errors.ApiError) -> None:
        """Respond to bytes that are no request, and close the connection."""
        if self._state == "head":
            # The log shows nothing of them.
            self._parser.begin()
            self._parser.method = "-"
            self._server.app.send_error(self._make_request(), error)
        else:
            # The handler responds when it reads the body.
            self._fail_body(error)

    def limit_body(self, max_bytes: int) -> None:
        """Admit no larger body. Raises BodyTooLarge if a larger one is announced."""
        self._parser.max_body = max_bytes
        if len(self._parser.body) + (self._parser.missing or 0) > max_bytes:
            self._fail_body(errors.BodyTooLarge())
            raise errors.BodyTooLarge

    async def read_body(self) -> bytes:
        """Wait for the body. Raises BodyTooLarge, RequestTimeout and BadRequest."""
        if not self._body_has_ended():
            if self._parser.expects_continue and not self._parser.body:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._enter("body", BODY_SECONDS)
            self._body_waiter = self._loop.create_future()
            self._proceed()
            await self._body_waiter
        if self._body_failure is not None:
            raise self._body_failure
        return bytes(self._parser.body)

    def _fail_body(self, error: errors.ApiError) -> None:
        self._body_failure, self._parser.keep_alive = error, False
        self._wake_handler()

    def _wake_handler(self) -> None:
        if self._state == "body":
            self._enter("handling")
            _wake(self._body_waiter)

    # Responses: the methods of Tornado's HTTPConnection -------------------------------------

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Ignored: a handler runs to its end, also when its client leaves."""

    def write_headers(  # type: ignore[override]
        self, start_line: ResponseStartLine, headers: dict[str, str], chunk: bytes | None = None
    ) -> asyncio.Future[None]:
        """Write a head and the first bytes of its body. Await the result before writing more."""
        parser = self._parser
        parser.keep_alive &= self._may_skip_body() and not self._server.draining
        if not parser.keep_alive:
            headers["Connection"] = "close"
        elif not parser.is_1_1:
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
            missing is not None and missing <= MAX_SKIPPED and not self._parser.expects_continue
        )

    def write(self, chunk: bytes) -> asyncio.Future[None]:
        if not self._transport.is_closing():
            self._transport.write(chunk)
        return self._writable

    def finish(self) -> None:
        """End the response. The next request is read after the rest of the body."""
        if self._state == "closing":
            return
        if not self._parser.keep_alive:
            self._close()
        elif self._parser.received:
            self._expect_request()
        else:
            self._enter("skipping", BODY_SECONDS)
            self._proceed()

    # The end of a request, and of the connection ---------------------------------------------

    def _expect_request(self) -> None:
        self._parser.begin()
        self._enter("head", HEAD_SECONDS)
        self._proceed()

    def _close(self) -> None:
        """Close after the response is sent, and after the client has stopped sending."""
        self._enter("closing", DROP_SECONDS)
        self._dropping_ends = time.monotonic() + BODY_SECONDS
        if self._has_ended or (self._parser.received and not self._parser.unparsed):
            self._transport.close()
        else:
            self._parser.unparsed.clear()
            self._transport.write_eof()
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
        if self._state == "body":
            self._fail_body(errors.RequestTimeout())
        else:
            # Bytes that still wait to be sent are sent. A request behind them is not handled.
            self._state = "closing"
            self._transport.close()

    def close_if_idle(self, now: float) -> None:
        """Close the connection unless it has a request, or is new and may soon get one."""
        has_bytes = self._parser.unparsed or self._transport.get_write_buffer_size()
        if self._state != "head" or has_bytes or now < self._new_until:
            return
        # The client may have reset the connection.
        with suppress(OSError):
            try:
                # Bytes that have arrived are a request, although the loop has not read them yet.
                if self._socket.recv(1, socket.MSG_PEEK):
                    return
            except BlockingIOError:
                # The client has to see the end at once: the transport closes in the next round.
                self._socket.shutdown(socket.SHUT_WR)
        self._state = "closing"
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
