"""An HTTP server that ends without dropping anybody: it knows what is under way, and for whom."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import logging
import socket
import struct
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from tornado.http1connection import HTTP1ServerConnection
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPConnection, HTTPMessageDelegate
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream

from mentorapi.telemetry.metrics import Metrics

#: For a client to take in some of what it was sent.
READ_SECONDS = 30

#: So long after it has connected, a client is given the time to say what for.
_FIRST_REQUEST_SECONDS = 0.5

_SO_ATTACH_FILTER = 26

#: Connections accepted before the event loop gets its turn.
_ACCEPT_BATCH = 128

#: Seconds until the server accepts again after the system had no file descriptor or no memory left.
_RETRY_SECONDS = 0.5

#: Pauses that are less than this apart are one episode and one line in the log.
_EPISODE_SECONDS = 60

#: ``accept`` fails with these while the connection stays in the queue: an immediate retry is a busy
#: loop.
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

log = logging.getLogger(__name__)


class Server(HTTPServer):
    """Knows which connections are at work: from a request's head until its answer is sent.

    Holds at most ``max_connections``. Beyond that, and while the system has no file descriptor to
    give, it does not accept: new connections wait in the system's queue.
    """

    def initialize(self, *args: Any, max_connections: int | None = None, **kwargs: Any) -> None:
        self.connections: set[HTTP1ServerConnection] = set()
        self._at_work: set[object] = set()
        self._unused: dict[object, float] = {}
        self._max_connections = max_connections
        self._open = 0
        self._listening: list[socket.socket] = []
        self._accepting = False
        self._last_pause = -float("inf")
        super().initialize(*args, **kwargs)

    # Tornado's own accept handler raises when there are no file descriptors left. The socket stays
    # readable, so the loop calls the handler again at once, and logs each traceback.

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        self._pause()
        self._listening += sockets
        self._resume()

    def stop(self) -> None:
        self._pause()
        for listening in self._listening:
            listening.close()
        self._listening.clear()

    def _pause(self) -> None:
        if self._accepting:
            self._accepting = False
            for listening in self._listening:
                IOLoop.current().remove_handler(listening)

    def _resume(self) -> None:
        if not self._accepting:
            self._accepting = True
            for listening in self._listening:
                IOLoop.current().add_handler(
                    listening, lambda listening, _: self._accept(listening), IOLoop.READ
                )

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_ACCEPT_BATCH):
            if not self._accepting:
                return
            if self._max_connections is not None and self._open >= self._max_connections:
                # The next connection to close resumes it.
                self._pause_for(f"{self._open} connections are open")
                return
            try:
                if not self._accept_one(listening):
                    return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                self._pause_for(error.strerror or str(error))
                IOLoop.current().call_later(_RETRY_SECONDS, self._resume)

    def _accept_one(self, listening: socket.socket) -> bool:
        """False if no connection is waiting."""
        try:
            connection, address = listening.accept()
        except BlockingIOError:
            return False
        except ConnectionAbortedError:
            return True
        stream = IOStream(
            connection,
            max_buffer_size=self.max_buffer_size,
            read_chunk_size=self.read_chunk_size,
        )
        try:
            self.handle_stream(stream, address)
        except Exception:
            log.exception("A new connection could not be served")
            stream.close()
        return True

    def _pause_for(self, reason: str) -> None:
        self._pause()
        now = time.monotonic()
        if now >= self._last_pause + _EPISODE_SECONDS:
            log.error("New connections have to wait: %s", reason)
        self._last_pause = now

    def accept_waiting(self, sockets: list[socket.socket]) -> None:
        """Take in whoever has connected: to close a listening socket cuts those off.

        Who comes later is refused once the sockets are closed.
        """
        for listening in sockets:
            _hear_nobody(listening)
        for listening in sockets:
            try:
                while self._accept_one(listening):
                    pass
            except OSError as error:
                log.error("Waiting connections are cut off: %s", error.strerror)

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
        self._open += 1

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
        self._open -= 1
        if self._listening:
            self._resume()


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
