"""An HTTP server that ends without dropping anybody: it knows what is under way, and for whom."""

from __future__ import annotations

import asyncio
import ctypes
import socket
import struct
import sys
import time
from contextlib import suppress
from typing import Any

from tornado.http1connection import HTTP1ServerConnection
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPConnection, HTTPMessageDelegate
from tornado.iostream import IOStream

from mentorapi.metrics import Metrics

#: For a client to take in some of what it was sent.
READ_SECONDS = 30

#: So long after it has connected, a client is given the time to say what for.
_FIRST_REQUEST_SECONDS = 0.5

_SO_ATTACH_FILTER = 26


class Server(HTTPServer):
    """Knows which connections are at work: from a request's head until its answer is sent."""

    def initialize(self, *args: Any, **kwargs: Any) -> None:
        self.connections: set[HTTP1ServerConnection] = set()
        self._at_work: set[object] = set()
        self._unused: dict[object, float] = {}
        super().initialize(*args, **kwargs)

    def accept_waiting(self, sockets: list[socket.socket]) -> None:
        """Take in whoever has connected: to close a listening socket cuts those off.

        Who comes later is refused once the sockets are closed.
        """
        for listening in sockets:
            _hear_nobody(listening)
        sizes = {"max_buffer_size": self.max_buffer_size, "read_chunk_size": self.read_chunk_size}
        for listening in sockets:
            with suppress(BlockingIOError):
                while True:
                    connection, address = listening.accept()
                    self.handle_stream(IOStream(connection, **sizes), address)

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        # Tornado waits for ever on a client that reads nothing of its answer. Linux need not.
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            stream.socket.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(READ_SECONDS * 1000)
            )
        # Tornado turns it on and off for each answer: two calls of the system, for what goes out in
        # one piece anyway.
        stream.set_nodelay(True)
        stream.set_nodelay = _leave_nodelay  # type: ignore[method-assign]
        super().handle_stream(stream, address)

    async def done(self, metrics: Metrics) -> None:
        """Wait until nothing is under way, whether or not a client still waits for it."""
        # Polled, since a connection tells nobody that something has arrived on it.
        while metrics.requests_in_progress or self.connections:
            self.close_idle_connections()
            await asyncio.sleep(0.02)

    def close_idle_connections(self) -> None:
        now = time.monotonic()
        for connection in self.connections - self._at_work:
            stream = connection.stream
            if now < self._unused.get(connection, now):
                continue
            # What was sent already is a request, though nobody has looked at it yet.
            if stream.closed() or (stream.reading() and not _has_unread(stream.socket)):
                stream.close()

    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        """Called for the first request of a connection, and when an answer is sent for the next."""
        assert isinstance(server_conn, HTTP1ServerConnection)
        if server_conn not in self.connections:
            self.connections.add(server_conn)
            self._unused[server_conn] = time.monotonic() + _FIRST_REQUEST_SECONDS
        self._at_work.discard(server_conn)
        return super().start_request(server_conn, request_conn)

    def arrived(self, server_conn: object) -> None:
        """To be called when the head of a request is there."""
        self._unused.pop(server_conn, None)
        self._at_work.add(server_conn)

    def on_close(self, server_conn: object) -> None:
        assert isinstance(server_conn, HTTP1ServerConnection)
        self.connections.discard(server_conn)
        self._at_work.discard(server_conn)
        self._unused.pop(server_conn, None)
        super().on_close(server_conn)


def _leave_nodelay(value: bool) -> None:
    pass


def _hear_nobody(listening: socket.socket) -> None:
    """Ignore new connections; their clients' systems try again a second later.

    Those that came between the last ``accept`` and ``close`` would be cut off.
    """
    if sys.platform == "linux":
        return_zero = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))
        program = struct.pack("HL", 1, ctypes.addressof(return_zero))
        with suppress(OSError):
            listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


def _has_unread(connection: socket.socket) -> bool:
    try:
        return bool(connection.recv(1, socket.MSG_PEEK))
    except OSError:
        return False
