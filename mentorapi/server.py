"""The HTTP server's life: listen, serve until a signal comes, answer what is under way, end."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import signal
import socket
import struct
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from tornado import netutil
from tornado.http1connection import HTTP1ServerConnection
from tornado.httpserver import HTTPServer
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.ioloop import PeriodicCallback
from tornado.iostream import IOStream
from tornado.web import Application, OutputTransform

from mentorapi import openapi, trace
from mentorapi.app import make_app, make_metrics_app
from mentorapi.auth import UnusableKey, Verifier
from mentorapi.cache import Answer, Cache
from mentorapi.config import Settings
from mentorapi.database import connect, open_pool
from mentorapi.handlers.base import Services
from mentorapi.images import Backend, Bucket, Folder, ImageStore
from mentorapi.listener import Listener
from mentorapi.logs import Event
from mentorapi.metrics import Metrics
from mentorapi.migrate import known as known_migrations
from mentorapi.startup import StartupError
from mentorapi.sweep import run_once

MAX_BODY_SIZE = 8 * 1024 * 1024
MAX_HEADER_SIZE = 16 * 1024

#: For a request's headers to be there, counted from the end of the one before, and for its body.
HEADER_SECONDS = 65
BODY_SECONDS = 30

#: For a client to take in some of what it was sent.
READ_SECONDS = 30

_DRAIN_SECONDS = 15
_POOL_SECONDS = 5

#: So long after it has connected, a client is given the time to say what for.
_FIRST_REQUEST_SECONDS = 0.5

_SO_ATTACH_FILTER = 26

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sockets:
    main: list[socket.socket]
    #: Empty where the metrics have no address of their own.
    metrics: list[socket.socket]
    #: To the process that holds the sockets as well, where there is one: see processes.py.
    line: socket.socket | None = None


def bind(settings: Settings) -> Sockets:
    """Listen already: who connects from now on waits for the start instead of being refused."""
    main = _bind(settings.host, settings.port, "MENTORAPI_HOST, MENTORAPI_PORT")
    if settings.metrics_address is None:
        return Sockets(main, [])
    return Sockets(main, _bind(*settings.metrics_address, "MENTORAPI_METRICS_ADDRESS"))


def bind_many(settings: Settings, processes: int) -> list[Sockets]:
    """One port, with a queue for each process; the metrics of each have a port of their own."""
    if settings.port:
        # Whoever else shares its port would not be noticed.
        for listening in _bind(settings.host, settings.port, "MENTORAPI_HOST, MENTORAPI_PORT"):
            listening.close()
    port, bound = settings.port, []
    for number in range(processes):
        main = _bind(settings.host, port, "MENTORAPI_HOST, MENTORAPI_PORT", shared=True)
        port = main[0].getsockname()[1]
        metrics = []
        if settings.metrics_address is not None:
            host, first = settings.metrics_address
            # Port 0 is a free one; what is too much for a port would be cut off without a word.
            metrics_port = min(first + number, 65_535) if first else 0
            metrics = _bind(host, metrics_port, "MENTORAPI_METRICS_ADDRESS")
        bound.append(Sockets(main, metrics))
    return bound


def _bind(host: str, port: int, variables: str, shared: bool = False) -> list[socket.socket]:
    try:
        return netutil.bind_sockets(port, host, reuse_port=shared)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no such host"
        raise StartupError(
            f"cannot listen on {host}, port {port} ({variables}): {reason}"
        ) from error


async def serve(
    settings: Settings, database_url: str, sockets: Sockets, ready: Callable[[], None]
) -> None:
    """Serve until SIGINT or SIGTERM; a second one ends the waiting for requests under way."""
    stop, hurry = _signals()
    async with AsyncExitStack() as stack:
        verifier = await _verifier(settings, stack)
        services = await open_services(settings, database_url, verifier, stack)
        app = make_app(services)
        under_way = UnderWay(app, services)
        server = http_server(app, settings)
        server.add_sockets(sockets.main)
        metrics_server = http_server(make_metrics_app(services), settings)
        metrics_server.add_sockets(sockets.metrics)
        sweeper = PeriodicCallback(lambda: _sweep(services), settings.sweep_interval * 1000)
        sweeper.start()
        first_sweep = asyncio.create_task(_sweep(services))
        # What was made for the start stays: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        ready()
        if sockets.line is not None:
            _end_with(sockets.line, stop)
        await stop.wait()

        services.draining = True
        # Who waits at a socket that others hold as well is theirs.
        if sockets.line is None or _for_good(sockets.line):
            server.accept_waiting(sockets.main)
        server.stop()
        sweeper.stop()
        await _either(under_way.done(server), hurry, _DRAIN_SECONDS)
        await server.close_all_connections()
        # Until now it told whoever asked that the server was draining.
        metrics_server.stop()
        await metrics_server.close_all_connections()
        await _either(first_sweep, hurry, _POOL_SECONDS)
        await _either(services.db.close(), hurry, _POOL_SECONDS)


async def open_services(
    settings: Settings, database_url: str, verifier: Verifier, stack: AsyncExitStack
) -> Services:
    """What handlers work with; the stack closes it again."""
    pool = await open_pool(database_url, settings.pool_size, trace_sql=settings.trace_sql)
    stack.callback(pool.terminate)
    cache = Cache()
    listener = Listener(cache, partial(connect, database_url))
    await listener.start()
    stack.push_async_callback(listener.close)
    images = ImageStore(await _image_backend(settings))
    stack.push_async_callback(images.close)
    metrics = Metrics()
    metrics.sweep_interval.set(settings.sweep_interval)
    metrics.watch(pool, cache, listener)
    return Services(
        db=pool,
        verifier=verifier,
        images=images,
        settings=settings,
        cache=cache,
        listener=listener,
        metrics=metrics,
        migrations=known_migrations(),
        description=Answer(orjson.dumps(openapi.document()), {}),
    )


async def _verifier(settings: Settings, stack: AsyncExitStack) -> Verifier:
    keys = (
        (Verifier.from_secret, settings.jwt_secret),
        (Verifier.from_public_key, settings.jwt_public_key),
        (Verifier.from_jwks, settings.jwks_url),
    )
    build, key = next((build, key) for build, key in keys if key)
    try:
        verifier = build(key, issuer=settings.jwt_issuer, audience=settings.jwt_audience)
        await verifier.start()
    except UnusableKey as error:
        raise StartupError(str(error)) from error
    stack.push_async_callback(verifier.close)
    return verifier


async def _image_backend(settings: Settings) -> Backend:
    place = settings.media_url or str(settings.data_dir / "images")
    try:
        if not place.startswith("s3://"):
            return Folder(Path(place))
        name, _, prefix = place.removeprefix("s3://").partition("/")
        bucket = Bucket(name, prefix)
        await bucket.check()
        return bucket
    except OSError as error:
        raise StartupError(
            f"cannot keep images in {place} (MENTORAPI_MEDIA_URL): {error.strerror or error}"
        ) from error


def http_server(app: Application, settings: Settings) -> Server:
    return Server(
        app,
        xheaders=settings.behind_proxy,
        max_header_size=MAX_HEADER_SIZE,
        max_body_size=MAX_BODY_SIZE,
        max_buffer_size=MAX_BODY_SIZE + MAX_HEADER_SIZE,
        idle_connection_timeout=HEADER_SECONDS,
        body_timeout=BODY_SECONDS,
    )


def _signals() -> tuple[asyncio.Event, asyncio.Event]:
    stop, hurry = asyncio.Event(), asyncio.Event()

    def received() -> None:
        (hurry if stop.is_set() else stop).set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, received)
    return stop, hurry


def _end_with(line: socket.socket, stop: asyncio.Event) -> None:
    """Whether it was closed or the last word was said: there is something to read."""
    loop = asyncio.get_running_loop()

    def readable() -> None:
        loop.remove_reader(line)
        stop.set()

    loop.add_reader(line, readable)


def _for_good(line: socket.socket) -> bool:
    try:
        return line.recv(1) != b""
    except OSError:
        return False


async def _sweep(services: Services) -> None:
    doing = trace.Trace("sweep")
    trace.current.set(doing)
    metrics = services.metrics
    try:
        metrics.sweep_moved.inc(await run_once(services.db))
    except Exception:
        metrics.sweep_failures.inc()
        log.exception(
            Event(
                message="The sweep failed; the next one catches up",
                statement=doing.statement,
                backend=doing.backend,
            )
        )
    else:
        metrics.sweep_succeeded.set_to_current_time()


async def _either(work: Awaitable[None], hurry: asyncio.Event, seconds: float) -> None:
    task, impatience = asyncio.ensure_future(work), asyncio.create_task(hurry.wait())
    await asyncio.wait({task, impatience}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for unfinished in (task, impatience):
        unfinished.cancel()
        with suppress(asyncio.CancelledError):
            await unfinished


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
        super().handle_stream(stream, address)

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

        def arrived() -> None:
            self._unused.pop(server_conn, None)
            self._at_work.add(server_conn)

        return _Arrival(super().start_request(server_conn, request_conn), arrived)

    def on_close(self, server_conn: object) -> None:
        assert isinstance(server_conn, HTTP1ServerConnection)
        self.connections.discard(server_conn)
        self._at_work.discard(server_conn)
        self._unused.pop(server_conn, None)
        super().on_close(server_conn)


class _Arrival(HTTPMessageDelegate):
    def __init__(self, delegate: HTTPMessageDelegate, arrived: Callable[[], None]) -> None:
        self._arrived = arrived
        self._delegate = delegate
        self.data_received = delegate.data_received  # type: ignore[method-assign]
        self.finish = delegate.finish  # type: ignore[method-assign]
        self.on_connection_close = delegate.on_connection_close  # type: ignore[method-assign]

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        self._arrived()
        return self._delegate.headers_received(start_line, headers)


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


class UnderWay:
    """The requests that have a handler at work, whether or not their client still waits.

    While the services drain, responses ask the client to close its connection.
    """

    def __init__(self, app: Application, services: Services) -> None:
        self._services = services
        self._requests: set[HTTPServerRequest] = set()
        app.add_transform(self._watcher())

    async def done(self, server: Server) -> None:
        # Polled, since a connection tells nobody that something has arrived on it.
        while self._requests or server.connections:
            server.close_idle_connections()
            await asyncio.sleep(0.02)

    def _watcher(self) -> type[OutputTransform]:
        under_way = self

        class Watcher(OutputTransform):
            """Tornado makes one per request when its handler starts, and tells it of the end."""

            def __init__(self, request: HTTPServerRequest) -> None:
                self.request = request
                under_way._requests.add(request)

            def transform_first_chunk(
                self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
            ) -> tuple[int, HTTPHeaders, bytes]:
                if under_way._services.draining:
                    headers["Connection"] = "close"
                return status_code, headers, self.transform_chunk(chunk, finishing)

            def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
                if finishing:
                    under_way._requests.discard(self.request)
                return chunk

        return Watcher
