"""The route table."""

from __future__ import annotations

import re

from tornado.web import Application

from mentorapi.handlers import docs, images, mentor, mentors, requests, sessions
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
    return LimitedApplication(
        [(pattern(path), handler) for path, handler in ROUTES],
        default_handler_class=UnknownRoute,
        compress_response=True,
        services=services,
    )


def pattern(template: str) -> str:
    return re.sub(r"\\{\w+\\}", "([^/]+)", re.escape(template)) + "$"
