"""Open the services, serve until a signal comes, drain, and close."""

import asyncio
import gc
import math
import resource
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import orjson

from mentorapi import openapi
from mentorapi.app import make_app, make_metrics_app
from mentorapi.auth.jwks import KeySet
from mentorapi.auth.keys import Key, UnusableKey, key_from_pem, key_from_secret
from mentorapi.auth.tokens import Verifier
from mentorapi.cache.responses import Response, ResponseCache
from mentorapi.config import Settings
from mentorapi.database.connections import connect, open_pool
from mentorapi.database.migrate import known as known_migrations
from mentorapi.errors import StartupError
from mentorapi.events.listener import SESSION, Listener
from mentorapi.http.limiter import CallerLimiter
from mentorapi.http.router import ApiApplication
from mentorapi.http.services import KnownUsers, Services
from mentorapi.http.sockets import Sockets
from mentorapi.http.transport import Server
from mentorapi.images import Backend, ImageBucket, ImageFolder, ImageStore
from mentorapi.jobs import all_jobs
from mentorapi.jobs.runner import Runner
from mentorapi.telemetry.metrics import Metrics

MAX_HEAD_BYTES = 16 * 1024

#: At the end: time for requests in progress, and for the jobs and the pool each.
DRAIN_SECONDS = 15
CLOSE_SECONDS = 5

#: File descriptors kept free of clients' connections, besides one for each connection of the pool:
#: for images, logs, listening sockets, keys from a URL, a bucket, probes.
_RESERVED_FILES = 64


async def serve(
    settings: Settings, database_url: str, sockets: Sockets, ready: Callable[[], None]
) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP. A second one ends the wait for requests in progress.

    ``ready`` is called when the server serves. Raises StartupError.
    """
    stop, hurry = _signal_events()
    _raise_file_limit()
    settings = replace(settings, public_url=settings.public_url or sockets.client_url)
    async with AsyncExitStack() as stack:
        verifier = await _start_verifier(settings, stack)
        services = await open_services(settings, database_url, verifier, stack)
        server = http_server(make_app(services), settings)
        server.add_sockets(sockets.main)
        metrics_server = http_server(make_metrics_app(services), settings)
        metrics_server.add_sockets(sockets.metrics)
        jobs = all_jobs(settings.sweep_interval)
        runner = Runner(services.db, services.metrics, jobs, services.listener.notify_soon)
        runner.start()
        # Objects made until now stay. Without them a full collection of the garbage collector takes
        # microseconds, with them 100 ms (75,000 objects), in which the server sends nothing.
        gc.collect()
        gc.freeze()
        ready()
        await stop.wait()

        services.draining = True
        sockets.remove_file()
        # Connections that wait at systemd's sockets are served by the next process.
        server.stop(accept_waiting=not sockets.inherited)
        await _wait(server.finish_requests(services.metrics), hurry, DRAIN_SECONDS)
        await server.close_all_connections()
        # Until now it said that the server is draining.
        metrics_server.stop()
        await metrics_server.close_all_connections()
        await _wait(runner.stop(), hurry, CLOSE_SECONDS)
        await _wait(services.db.close(), hurry, CLOSE_SECONDS)


def _signal_events() -> tuple[asyncio.Event, asyncio.Event]:
    """Set by the first and by the second signal to stop."""
    stop, hurry = asyncio.Event(), asyncio.Event()

    def received() -> None:
        (hurry if stop.is_set() else stop).set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Under nohup, SIGHUP is ignored.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, received)
    return stop, hurry


async def _wait(work: Awaitable[None], hurry: asyncio.Event, seconds: float) -> None:
    """Wait for the end of ``work``; cancel it after these seconds, or once ``hurry`` is set."""
    task, hurried = asyncio.ensure_future(work), asyncio.create_task(hurry.wait())
    await asyncio.wait({task, hurried}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for unfinished in (task, hurried):
        unfinished.cancel()
        with suppress(asyncio.CancelledError):
            await unfinished


# Services ----------------------------------------------------------------------------------------


async def open_services(
    settings: Settings, database_url: str, verifier: Verifier, stack: AsyncExitStack
) -> Services:
    """Open what handlers work with. The stack closes it. Raises StartupError."""
    pool = await open_pool(
        database_url,
        settings.pool_size,
        trace_sql=settings.trace_sql,
        public_url=settings.public_url or "",
    )
    stack.callback(pool.terminate)
    cache = ResponseCache()
    listener = Listener(cache, partial(connect, database_url, SESSION))
    await listener.start()
    stack.push_async_callback(listener.close)
    images = ImageStore(await _image_backend(settings))
    stack.push_async_callback(images.close)
    return Services(
        db=pool,
        verifier=verifier,
        images=images,
        settings=settings,
        cache=cache,
        listener=listener,
        metrics=Metrics(pool, cache, listener),
        migrations=known_migrations(),
        description=Response(orjson.dumps(openapi.document()), {}),
        # At most half of the connections.
        searches=asyncio.Semaphore(max(1, settings.pool_size // 2)),
        # Two requests for each connection: enough to keep all connections busy.
        caller_limiter=CallerLimiter(2 * settings.pool_size),
        known_users=KnownUsers(cache),
    )


async def _start_verifier(settings: Settings, stack: AsyncExitStack) -> Verifier:
    if settings.jwt_secret:
        keys: Key | KeySet = key_from_secret(settings.jwt_secret)
    elif settings.jwt_public_key:
        keys = key_from_pem(settings.jwt_public_key)
    else:
        assert settings.jwks_url
        keys = KeySet(settings.jwks_url)
    verifier = Verifier(keys, issuer=settings.jwt_issuer, audience=settings.jwt_audience)
    try:
        await verifier.start()
    except UnusableKey as error:
        raise StartupError(str(error)) from error
    stack.callback(verifier.close)
    return verifier


async def _image_backend(settings: Settings) -> Backend:
    place = settings.media_url or str(settings.data_dir / "images")
    try:
        if place.startswith("s3://"):
            return await ImageBucket.open(place)
        return ImageFolder(Path(place))
    except OSError as error:
        raise StartupError(
            f"cannot keep images in {place} (MENTORAPI_MEDIA_URL): {error.strerror or error}"
        ) from error


# The HTTP server ---------------------------------------------------------------------------------


def http_server(app: ApiApplication, settings: Settings) -> Server:
    return Server(
        app,
        max_connections=_max_connections(settings),
        behind_proxy=settings.behind_proxy,
        max_head_bytes=MAX_HEAD_BYTES,
    )


def _raise_file_limit() -> None:
    """Raise the soft limit to the hard one.

    It is low (mostly 1,024) for the sake of programs that use select(); this server does not.
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    # macOS reports no hard limit, and does not take it as the soft one.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _max_connections(settings: Settings) -> float:
    """Clients' connections that leave enough file descriptors for everything else."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return math.inf
    return max(limit - settings.pool_size - _RESERVED_FILES, limit // 2)
