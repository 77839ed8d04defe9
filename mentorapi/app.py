"""The route table."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tornado.web import Application

from mentorapi.handlers import access, docs, images, mentor, mentors, probes, requests, sessions
from mentorapi.handlers.base import ApiHandler, Services, UnknownRoute
from mentorapi.handlers.limits import LimitedApplication

PREFIX = "/api"

#: Path templates and their handlers; the first that fits is taken.
ROUTES: list[tuple[str, type[ApiHandler]]] = [
    (PREFIX + path, handler)
    for module in (mentors, mentor, requests, sessions, images, docs)
    for path, handler in module.routes
]


def make_app(services: Services) -> Application:
    elsewhere = services.settings.metrics_address is not None
    return _application(
        services, [*ROUTES, *probes.routes, *([] if elsewhere else probes.metrics_routes)]
    )


def make_metrics_app(services: Services) -> Application:
    """What listens on ``MENTORAPI_METRICS_ADDRESS``."""
    return _application(services, [*probes.routes, *probes.metrics_routes])


def _application(services: Services, routes: Sequence[tuple[str, type[ApiHandler]]]) -> Application:
    return LimitedApplication(
        [(pattern(path), handler, {"route": path}) for path, handler in routes],
        default_handler_class=UnknownRoute,
        compress_response=True,
        log_function=access.answered,
        services=services,
    )


def pattern(template: str) -> str:
    return re.sub(r"\\{\w+\\}", "([^/]+)", re.escape(template)) + "$"
