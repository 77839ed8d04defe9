"""The HTTP server's life: listen, serve until a signal comes, answer what is under way, end."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
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

from mentorapi import openapi
from mentorapi.app import make_app
from mentorapi.auth import UnusableKey, Verifier
from mentorapi.cache import Answer, Cache
from mentorapi.config import Settings
from mentorapi.database import connect, open_pool
from mentorapi.handlers.base import Services
from mentorapi.images import Folder, ImageStore
from mentorapi.listener import Listener
from mentorapi.startup import StartupError
from mentorapi.sweep import run_once

MAX_BODY_SIZE = 8 * 1024 * 1024
MAX_HEADER_SIZE = 16 * 1024

#: For a request's headers to be there, counted from the end of the one before, and for its body.
HEADER_SECONDS = 65
BODY_SECONDS = 30

_DRAIN_SECONDS = 15
_POOL_SECONDS = 5

log = logging.getLogger(__name__)


def bind(host: str, port: int) -> list[socket.socket]:
    """Listen already: who connects from now on waits for the start instead of being refused."""
    try:
        return netutil.bind_sockets(port, host)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no such host"
        raise StartupError(
            f"cannot listen on {host}, port {port} (MENTORAPI_HOST, MENTORAPI_PORT): {reason}"
        ) from error


async def serve(
    settings: Settings, database_url: str, sockets: list[socket.socket], ready: Callable[[], None]
) -> None:
    """Serve until SIGINT or SIGTERM; a second one ends the waiting for requests under way."""
    stop, hurry = _signals()
    async with AsyncExitStack() as stack:
        verifier = await _verifier(settings, stack)
        services = await open_services(settings, database_url, verifier, stack)
        app = make_app(services)
        under_way = UnderWay(app, services)
        server = http_server(app, settings)
        server.add_sockets(sockets)
        sweeper = PeriodicCallback(lambda: _sweep(services.db), settings.sweep_interval * 1000)
        sweeper.start()
        first_sweep = asyncio.create_task(_sweep(services.db))
        # What was made for the start stays: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        ready()
        await stop.wait()

        services.draining = True
        server.accept_waiting(sockets)
        server.stop()
        sweeper.stop()
        await _either(under_way.done(server), hurry, _DRAIN_SECONDS)
        await server.close_all_connections()
        await _either(first_sweep, hurry, _POOL_SECONDS)
        await _either(services.db.close(), hurry, _POOL_SECONDS)


async def open_services(
    settings: Settings, database_url: str, verifier: Verifier, stack: AsyncExitStack
) -> Services:
    """What handlers work with; the stack closes it again."""
    pool = await open_pool(database_url, settings.pool_size)
    stack.callback(pool.terminate)
    cache = Cache()
    listener = Listener(cache, partial(connect, database_url))
    await listener.start()
    stack.push_async_callback(listener.close)
    images = ImageStore(_folder(settings))
    stack.push_async_callback(images.close)
    return Services(
        db=pool,
        verifier=verifier,
        images=images,
        settings=settings,
        cache=cache,
        listener=listener,
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


def _folder(settings: Settings) -> Folder:
    path = Path(settings.media_url or settings.data_dir / "images")
    try:
        return Folder(path)
    except OSError as error:
        raise StartupError(
            f"cannot keep images in {path} (MENTORAPI_MEDIA_URL): {error.strerror}"
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


async def _sweep(pool: asyncpg.Pool) -> None:
    try:
        await run_once(pool)
    except Exception:
        log.exception("The sweep failed; the next one catches up")


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
        super().initialize(*args, **kwargs)

    def accept_waiting(self, sockets: list[socket.socket]) -> None:
        """Take in whoever has connected: to close a listening socket cuts those off."""
        sizes = {"max_buffer_size": self.max_buffer_size, "read_chunk_size": self.read_chunk_size}
        for listening in sockets:
            with suppress(BlockingIOError):
                while True:
                    connection, address = listening.accept()
                    self.handle_stream(IOStream(connection, **sizes), address)

    def close_idle_connections(self) -> None:
        for connection in self.connections - self._at_work:
            stream = connection.stream
            # What was sent already is a request, though nobody has looked at it yet.
            if stream.closed() or (stream.reading() and not _has_unread(stream.socket)):
                stream.close()

    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        """Called for the first request of a connection, and when an answer is sent for the next."""
        assert isinstance(server_conn, HTTP1ServerConnection)
        self.connections.add(server_conn)
        self._at_work.discard(server_conn)
        return _Arrival(
            super().start_request(server_conn, request_conn),
            lambda: self._at_work.add(server_conn),
        )

    def on_close(self, server_conn: object) -> None:
        assert isinstance(server_conn, HTTP1ServerConnection)
        self.connections.discard(server_conn)
        self._at_work.discard(server_conn)
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
