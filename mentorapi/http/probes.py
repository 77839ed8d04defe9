"""/livez, /readyz and /metrics: for those who run the readiness, and not part of the API."""

from __future__ import annotations

import asyncio
from math import nan
from typing import ClassVar

from mentorapi import errors
from mentorapi.database import readiness
from mentorapi.http.base import ApiHandler
from mentorapi.http.services import Services
from mentorapi.repositories import sessions
from mentorapi.telemetry import context

#: Seconds. Who asks has little more.
PATIENCE = 2.0


class Probe(ApiHandler):
    """Asks for no token, is not counted, and not worth a line in the log while all is well."""

    ROUTINE: ClassVar[bool] = True

    async def prepare(self) -> None:
        context.current.set(context.ExecutionContext(self.request_id))

    @classmethod
    def allowed(cls) -> list[str]:
        return ["GET", "HEAD", "OPTIONS"]


class ShowLife(Probe):
    def get(self) -> None:
        self.write_json(b'{"status":"ok"}')


class ShowReadiness(Probe):
    async def get(self) -> None:
        await check(self.services)
        self.write_json(b'{"status":"ok"}')


class ShowMetrics(Probe):
    async def get(self) -> None:
        await look(self.services)
        text, content_type = self.services.metrics.text(self.request.headers.get("Accept", ""))
        self.set_header("Content-Type", content_type)
        self.write(text)


async def check(services: Services) -> None:
    """Raises Unavailable, saying why, while no request should be sent here."""
    if services.draining:
        raise errors.Unavailable("The server is shutting down")
    try:
        async with asyncio.timeout(PATIENCE):
            read_only, missing = await readiness.find_obstacles(services.db, services.migrations)
    except (errors.Unavailable, TimeoutError) as error:
        raise errors.Unavailable("The database does not answer") from error.__cause__ or error
    if read_only:
        raise errors.Unavailable("The database is read-only")
    if missing:
        raise errors.Unavailable(f"Migrations are missing: {', '.join(missing)}")


async def look(services: Services) -> None:
    """Bring the figures up to date that only the database knows."""
    metrics = services.metrics
    try:
        await check(services)
        async with asyncio.timeout(PATIENCE):
            metrics.sweep_lag.set(await sessions.lag(services.db))
    except (errors.Unavailable, TimeoutError):
        metrics.ready.set(0)
        metrics.sweep_lag.set(nan)
    else:
        metrics.ready.set(1)


#: On the main port and on that of the metrics, if they have one.
routes = [("/livez", ShowLife), ("/readyz", ShowReadiness)]

metrics_routes = [("/metrics", ShowMetrics)]
