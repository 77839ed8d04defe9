"""The HTTP server: accepts connections, limits their number, finishes requests before it ends."""

import asyncio
import errno
import logging
import math
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from mentorapi.http.connection import Connection
from mentorapi.http.router import ApiApplication
from mentorapi.telemetry.metrics import Metrics

#: Connections accepted before the event loop gets its turn.
_ACCEPT_BATCH = 128

#: Pause in accepting when the system has no file descriptor or no memory left.
_RETRY_SECONDS = 0.5

#: Pauses that follow each other within this time count as one, with one line in the log.
_EPISODE_SECONDS = 60

#: Time between two checks of the deadlines of all connections.
_DEADLINE_SECONDS = 0.25

#: ``accept`` fails with these while the connection stays in the queue: an immediate retry is a busy
#: loop.
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Server:
    """A server that holds at most ``max_connections``.

    Beyond that limit, and while the system has no file descriptor left, it does not accept: new
    connections wait in the system's queue.
    """

    app: ApiApplication
    max_connections: float
    #: Whether to trust X-Real-IP and X-Forwarded-For.
    behind_proxy: bool
    max_head_bytes: int
    #: Whether each response closes its connection.
    draining: bool = False
    connections: set[Connection] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._loop = asyncio.get_event_loop()
        #: Accepted sockets that are not closed yet, and the tasks that make connections of them.
        self._open = 0
        self._opening: set[asyncio.Future[None]] = set()
        self._listening: list[socket.socket] = []
        self._accepting = False
        self._last_pause = -math.inf
        self._loop.call_later(_DEADLINE_SECONDS, self._enforce_deadlines)

    # Accepting -----------------------------------------------------------------------------

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        self._pause()
        self._listening += sockets
        self._resume()

    def stop(self, accept_waiting: bool = False) -> None:
        """Close the listening sockets. Requests in progress and open connections continue.

        Closing a socket resets the connections that wait in its queue, unless another process holds
        it as well: ``accept_waiting`` takes them in first. A connection that arrives between the
        last ``accept`` and ``close``, within microseconds, is still reset.
        """
        self.draining = True
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
                self._loop.remove_reader(listening)

    def _resume(self) -> None:
        if not self._accepting:
            self._accepting = True
            for listening in self._listening:
                self._loop.add_reader(listening, self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        try:
            for _ in range(_ACCEPT_BATCH):
                if self._open >= self.max_connections:
                    # Accepting is resumed when a connection closes.
                    self._pause_for(f"{self._open} connections are open")
                    return
                if not self._accept_one(listening):
                    return
        except OSError as error:
            if error.errno not in _EXHAUSTED:
                raise
            self._pause_for(error.strerror or str(error))
            self._loop.call_later(_RETRY_SECONDS, self._resume)

    def _accept_one(self, listening: socket.socket) -> bool:
        """Accept a connection. False if none is waiting."""
        try:
            accepted, address = listening.accept()
        except BlockingIOError:
            return False
        except ConnectionAbortedError:
            return True
        self._open += 1
        opening = asyncio.ensure_future(self._open_connection(accepted, address))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)
        return True

    async def _open_connection(self, accepted: socket.socket, address: object) -> None:
        # The peer of a Unix socket has no address.
        client = str(address[0]) if isinstance(address, tuple) else "0.0.0.0"
        accepted.setblocking(False)
        try:
            await self._loop.connect_accepted_socket(
                lambda: Connection(self, accepted, client), accepted
            )
        except OSError:
            log.exception("A new connection could not be served")
            accepted.close()
            self.on_close()

    def _pause_for(self, reason: str) -> None:
        self._pause()
        now = time.monotonic()
        if now >= self._last_pause + _EPISODE_SECONDS:
            log.error("New connections have to wait: %s", reason)
        self._last_pause = now

    # Open connections ----------------------------------------------------------------------

    def on_close(self) -> None:
        """Count a connection that has closed, and accept others again."""
        self._open -= 1
        if self._listening:
            self._resume()

    def _enforce_deadlines(self) -> None:
        now = time.monotonic()
        for connection in list(self.connections):
            connection.enforce_deadlines(now)
        if self._listening or self._open:
            self._loop.call_later(_DEADLINE_SECONDS, self._enforce_deadlines)

    async def finish_requests(self, metrics: Metrics) -> None:
        """Close idle connections until none is left and no request is in progress.

        A request may go on after its connection has closed.
        """
        # Polled, since there is no event for bytes that have arrived and were not read.
        while metrics.requests_in_progress or self._open:
            now = time.monotonic()
            for connection in list(self.connections):
                connection.close_if_idle(now)
            await asyncio.sleep(0.02)

    async def close_all_connections(self) -> None:
        while self._open:
            for connection in list(self.connections):
                connection.abort()
            await asyncio.sleep(0)
