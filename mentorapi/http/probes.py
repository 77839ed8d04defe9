"""/livez, /readyz and /metrics: for operating the server, not part of the API."""

import asyncio
from contextlib import suppress
from math import nan
from typing import ClassVar

from mentorapi import errors
from mentorapi.database import readiness
from mentorapi.http.base import PlainHandler
from mentorapi.http.services import Services
from mentorapi.repositories import sessions

#: Time for the database to respond. Programs that probe do not wait much longer.
DATABASE_SECONDS = 2.0


class Probe(PlainHandler):
    ROUTINE: ClassVar[bool] = True


class ShowLiveness(Probe):
    async def get(self) -> None:
        self.write_json('{"status":"ok"}')


class ShowReadiness(Probe):
    async def get(self) -> None:
        await check_readiness(self.services)
        self.write_json('{"status":"ok"}')


class ShowMetrics(Probe):
    async def get(self) -> None:
        metrics = self.services.metrics
        # Only the database knows these two.
        ready, lag = 0, nan
        with suppress(errors.Unavailable, TimeoutError):
            await check_readiness(self.services)
            async with asyncio.timeout(DATABASE_SECONDS):
                ready, lag = 1, await sessions.measure_lag(self.services.db)
        metrics.ready.set(ready)
        metrics.sweep_lag.set(lag)
        accepted = self.request.headers.get("accept", "")
        text, content_type = metrics.render(accepted)
        self.set_header("Content-Type", content_type)
        self.write(text)


async def check_readiness(services: Services) -> None:
    """Raise Unavailable, with the reason, while no request should be sent to this server."""
    if services.draining:
        raise errors.Unavailable("The server is shutting down")
    try:
        async with asyncio.timeout(DATABASE_SECONDS):
            read_only, missing = await readiness.find_obstacles(services.db, services.migrations)
    except (errors.Unavailable, TimeoutError) as error:
        raise errors.Unavailable("The database does not respond") from error.__cause__ or error
    if read_only:
        raise errors.Unavailable("The database is read-only")
    if missing:
        raise errors.Unavailable(f"Migrations are missing: {', '.join(missing)}")


#: On the main address, and on MENTORAPI_METRICS_ADDRESS if it is set.
routes = [("/livez", ShowLiveness), ("/readyz", ShowReadiness)]

#: On MENTORAPI_METRICS_ADDRESS if it is set, else on the main address.
metrics_routes = [("/metrics", ShowMetrics)]
