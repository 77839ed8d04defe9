"""The HTTP server's life: listen, serve until a signal comes, answer what is under way, end."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from weakref import WeakSet

import asyncpg
from tornado import netutil
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.ioloop import PeriodicCallback
from tornado.iostream import IOStream
from tornado.web import Application, OutputTransform

from mentorapi.app import make_app
from mentorapi.auth import UnusableKey, Verifier
from mentorapi.config import Settings
from mentorapi.database import open_pool
from mentorapi.handlers.base import Services
from mentorapi.images import Folder, ImageStore
from mentorapi.startup import StartupError
from mentorapi.sweep import run_once

MAX_BODY_SIZE = 8 * 1024 * 1024
MAX_HEADER_SIZE = 16 * 1024

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
        services = await _services(settings, database_url, stack)
        app = make_app(services)
        under_way = UnderWay(app, services)
        server = _http_server(app, settings)
        server.add_sockets(sockets)
        sweeper = PeriodicCallback(lambda: _sweep(services.db), settings.sweep_interval * 1000)
        sweeper.start()
        first_sweep = asyncio.create_task(_sweep(services.db))
        ready()
        await stop.wait()

        server.stop()
        sweeper.stop()
        services.draining = True
        await _either(under_way.done(), hurry, _DRAIN_SECONDS)
        await server.close_all_connections()
        await _either(first_sweep, hurry, _POOL_SECONDS)
        await _either(services.db.close(), hurry, _POOL_SECONDS)


async def _services(settings: Settings, database_url: str, stack: AsyncExitStack) -> Services:
    pool = await open_pool(database_url, settings.pool_size)
    stack.callback(pool.terminate)
    try:
        verifier = _verifier(settings)
        await verifier.start()
    except UnusableKey as error:
        raise StartupError(str(error)) from error
    stack.push_async_callback(verifier.close)
    images = ImageStore(_folder(settings))
    stack.push_async_callback(images.close)
    return Services(db=pool, verifier=verifier, images=images, settings=settings)


def _verifier(settings: Settings) -> Verifier:
    for build, key in (
        (Verifier.from_secret, settings.jwt_secret),
        (Verifier.from_public_key, settings.jwt_public_key),
        (Verifier.from_jwks, settings.jwks_url),
    ):
        if key:
            return build(key, issuer=settings.jwt_issuer, audience=settings.jwt_audience)
    raise ValueError("settings without a key")


def _folder(settings: Settings) -> Folder:
    path = Path(settings.media_url or settings.data_dir / "images")
    try:
        return Folder(path)
    except OSError as error:
        raise StartupError(
            f"cannot keep images in {path} (MENTORAPI_MEDIA_URL): {error.strerror}"
        ) from error


def _http_server(app: Application, settings: Settings) -> HTTPServer:
    return HTTPServer(
        app,
        xheaders=settings.behind_proxy,
        max_header_size=MAX_HEADER_SIZE,
        max_body_size=MAX_BODY_SIZE,
        max_buffer_size=MAX_BODY_SIZE + MAX_HEADER_SIZE,
        idle_connection_timeout=65,
        body_timeout=30,
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


class UnderWay:
    """The requests that have a handler at work, whether or not their client still waits.

    While the services drain, responses ask the client to close its connection.
    """

    def __init__(self, app: Application, services: Services) -> None:
        self._services = services
        self._requests: set[HTTPServerRequest] = set()
        self._streams: WeakSet[IOStream] = WeakSet()
        app.add_transform(self._watcher())

    async def done(self) -> None:
        # Polled, since a stream tells nobody that its buffer is written.
        while self._requests or any(stream.writing() for stream in self._streams):  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    def _finished(self, request: HTTPServerRequest) -> None:
        self._requests.discard(request)
        stream = getattr(request.connection, "stream", None)
        if stream is not None:
            self._streams.add(stream)

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
                    under_way._finished(self.request)
                return chunk

        return Watcher
