"""The HTTP server's life: listen, serve until a signal comes, answer what is under way, end."""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import orjson
from tornado import netutil
from tornado.ioloop import PeriodicCallback

from mentorapi import openapi
from mentorapi.app import make_app, make_metrics_app
from mentorapi.auth.keys import UnusableKey
from mentorapi.auth.tokens import Verifier
from mentorapi.cache.responses import Response, ResponseCache
from mentorapi.config import Settings
from mentorapi.database.connections import connect, open_pool
from mentorapi.database.migrate import known as known_migrations
from mentorapi.events.listener import Listener
from mentorapi.http.base import Services
from mentorapi.http.router import ApiApplication
from mentorapi.http.transport import Server
from mentorapi.images import Backend, Bucket, Folder, ImageStore
from mentorapi.jobs.sweep import run_once
from mentorapi.startup import StartupError
from mentorapi.telemetry import context
from mentorapi.telemetry.logs import Event
from mentorapi.telemetry.metrics import Metrics

#: Bytes of a body that any operation takes; most take less.
MAX_BODY_SIZE = 8 * 1024 * 1024
#: Bytes that are read from one connection ahead of what is asked for.
MAX_BUFFER_SIZE = 256 * 1024
MAX_HEADER_SIZE = 16 * 1024

#: For a request's headers to be there, counted from the end of the one before, and for its body.
HEADER_SECONDS = 65
BODY_SECONDS = 30

#: File descriptors that are kept free of clients' connections, besides one for each connection of
#: the pool: for images, logs, listening sockets, keys from a URL, a bucket, probes.
_RESERVED_FILES = 64

_DRAIN_SECONDS = 15
_POOL_SECONDS = 5

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


def public_url(settings: Settings, listening: list[socket.socket]) -> str:
    """Base of the addresses that clients are given: the one configured, or the one listened on.

    For a wildcard address it is that of the loopback.
    """
    host = "127.0.0.1" if is_wildcard(settings.host) else settings.host
    return settings.public_url or base_url(host, listening)


def is_wildcard(host: str) -> bool:
    """Whether the server listens on every address of the machine."""
    return host in ("", "0.0.0.0", "::", "*")


def base_url(host: str, listening: list[socket.socket]) -> str:
    """Such as ``http://127.0.0.1:8000``."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listening[0].getsockname()[1]}"


async def serve(
    settings: Settings, database_url: str, sockets: Sockets, ready: Callable[[], None]
) -> None:
    """Serve until SIGINT or SIGTERM; a second one ends the waiting for requests under way."""
    stop, hurry = _signals()
    _raise_file_limit()
    settings = replace(settings, public_url=public_url(settings, sockets.main))
    async with AsyncExitStack() as stack:
        verifier = await _verifier(settings, stack)
        services = await open_services(settings, database_url, verifier, stack)
        server = http_server(make_app(services), settings)
        server.add_sockets(sockets.main)
        metrics_server = http_server(make_metrics_app(services), settings)
        metrics_server.add_sockets(sockets.metrics)
        sweeper = PeriodicCallback(lambda: _sweep(services), settings.sweep_interval * 1000)
        sweeper.start()
        first_sweep = asyncio.create_task(_sweep(services))
        # What was made for the start stays: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        # It would look for cycles every few requests, and there are few (measured: 3 % of them).
        gc.set_threshold(50_000, 10, 10)
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
        await _either(server.done(services.metrics), hurry, _DRAIN_SECONDS)
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
    pool = await open_pool(
        database_url,
        settings.pool_size,
        trace_sql=settings.trace_sql,
        public_url=settings.public_url or "",
    )
    stack.callback(pool.terminate)
    cache = ResponseCache()
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
        description=Response(orjson.dumps(openapi.document()), {}),
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


def http_server(app: ApiApplication, settings: Settings) -> Server:
    server = Server(
        app,
        xheaders=settings.behind_proxy,
        max_header_size=MAX_HEADER_SIZE,
        max_body_size=MAX_BODY_SIZE,
        max_buffer_size=MAX_BUFFER_SIZE,
        idle_connection_timeout=HEADER_SECONDS,
        body_timeout=BODY_SECONDS,
        max_connections=_max_connections(settings),
    )
    app.arrived = server.arrived
    return server


def _raise_file_limit() -> None:
    """The soft limit is low (1,024, mostly) for programs that use select(), which this is not."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    # macOS has no limit as its hard one, and refuses it as the soft one.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _max_connections(settings: Settings) -> int | None:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return None
    return max(limit - settings.pool_size - _RESERVED_FILES, limit // 2)


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
    running = context.ExecutionContext("sweep")
    context.current.set(running)
    metrics = services.metrics
    try:
        swept = await run_once(services.db)
        metrics.sweep_moved.inc(swept.sessions)
        metrics.sweep_expired.inc(swept.requests)
    except Exception:
        metrics.sweep_failures.inc()
        log.exception(
            Event(
                "The sweep failed; the next one catches up",
                statement=running.statement,
                backend=running.backend,
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
