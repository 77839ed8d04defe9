"""Tornado's HTTP server with a limit on connections and an end that drops no request."""

import asyncio
import errno
import logging
import math
import socket
import time
from collections.abc import Iterable
from typing import Any

from tornado.http1connection import HTTP1ServerConnection
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPConnection, HTTPMessageDelegate
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream

from mentorapi.telemetry.metrics import Metrics

#: Time that a client has to read some of what it was sent.
READ_SECONDS = 30

#: Time that a new connection has for its first request while the server ends.
_FIRST_REQUEST_SECONDS = 0.5

#: Connections accepted before the event loop gets its turn.
_ACCEPT_BATCH = 128

#: Time until the server accepts again after the system had no file descriptor or no memory left.
_RETRY_SECONDS = 0.5

#: Pauses that are less than this apart are one episode and one line in the log.
_EPISODE_SECONDS = 60

#: ``accept`` fails with these while the connection stays in the queue: an immediate retry is a busy
#: loop.
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

log = logging.getLogger(__name__)


class Server(HTTPServer):
    """Holds at most ``max_connections``, and knows which of them are idle.

    Beyond that limit, and while the system has no file descriptor left, it does not accept: new
    connections wait in the system's queue.
    """

    def initialize(self, *args: Any, max_connections: int | None = None, **kwargs: Any) -> None:
        self._max_connections = max_connections
        self._open = 0
        #: For each connection the time (monotonic) from which on it counts as idle.
        self._idle_from: dict[object, float] = {}
        self._listening: list[socket.socket] = []
        self._accepting = False
        self._last_pause = -math.inf
        super().initialize(*args, **kwargs)

    # Accepting. Tornado's own accept handler raises when there are no file descriptors left. The
    # socket stays readable, so the loop calls the handler again at once, and logs each traceback.

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        self._pause()
        self._listening += sockets
        self._resume()

    def stop(self, accept_waiting: bool = False) -> None:
        """Close the listening sockets. Requests in progress and open connections go on.

        Closing a socket resets the connections that wait in its queue, unless another process holds
        it as well: ``accept_waiting`` takes them in first. A connection that arrives between the
        last ``accept`` and ``close``, within microseconds, is still reset.
        """
        self._pause()
        for listening in self._listening:
            try:
                while accept_waiting and self._accept_one(listening):
                    pass
            except OSError as error:
                log.error("Waiting connections are reset: %s", error.strerror)
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
        """Accept a connection. False if none is waiting."""
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

    # Connections, from the first to the last event.

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        # Tornado waits for ever on a client that does not read its answer. Linux need not.
        if hasattr(socket, "TCP_USER_TIMEOUT") and stream.socket.family != socket.AF_UNIX:
            stream.socket.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(READ_SECONDS * 1000)
            )
        super().handle_stream(stream, address)
        self._open += 1

    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        """Called when the server begins to wait for the first or the next request."""
        is_new = server_conn not in self._idle_from
        self._idle_from[server_conn] = time.monotonic() + _FIRST_REQUEST_SECONDS if is_new else 0.0
        return super().start_request(server_conn, request_conn)

    def request_arrived(self, server_conn: object) -> None:
        """To be called when the head of a request is there: the connection is not idle."""
        self._idle_from[server_conn] = math.inf

    def on_close(self, server_conn: object) -> None:
        self._idle_from.pop(server_conn, None)
        super().on_close(server_conn)
        self._open -= 1
        if self._listening:
            self._resume()

    # The end.

    async def finish_requests(self, metrics: Metrics) -> None:
        """Close idle connections until none is left and no request is in progress.

        A request may go on after its connection has closed.
        """
        # Polled, since there is no event for bytes that have arrived and were not read.
        while metrics.requests_in_progress or self._open:
            self._close_idle_connections()
            await asyncio.sleep(0.02)

    def _close_idle_connections(self) -> None:
        now = time.monotonic()
        for connection, idle_from in list(self._idle_from.items()):
            if now < idle_from:
                continue
            assert isinstance(connection, HTTP1ServerConnection)
            stream = connection.stream
            # Bytes that have arrived are a request, although the server has not read them yet.
            if stream.closed() or (stream.reading() and not _has_unread(stream.socket)):
                stream.close()


def _has_unread(connection: socket.socket) -> bool:
    try:
        return bool(connection.recv(1, socket.MSG_PEEK))
    except OSError:
        return False
