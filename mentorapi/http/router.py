"""Sends a request to the cache, or to the handler of its path."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from tornado.escape import url_unescape
from tornado.httputil import HTTPServerRequest
from tornado.web import Application

from mentorapi import errors
from mentorapi.http import access_log, request_body
from mentorapi.http.base import ApiHandler
from mentorapi.http.cached_reads import CachedReadHandler, CachedResponse
from mentorapi.http.headers import ResponseTransform
from mentorapi.http.services import Services


class UnknownRouteHandler(ApiHandler):
    async def prepare(self) -> None:
        raise errors.NotFound(f"No such route: {self.request.path}"[:200])


class ApiApplication(Application):
    """``routes`` are path templates and their handlers; the first that fits is taken."""

    def __init__(self, services: Services, routes: Sequence[tuple[str, type[ApiHandler]]]) -> None:
        super().__init__(
            transforms=[partial(ResponseTransform, services)],  # type: ignore[list-item]
            services=services,
            log_function=access_log.log_handler,
        )
        self._services = services
        #: Called with the connection of each request whose headers have been read.
        self.request_arrived: Callable[[object], None] = lambda connection: None
        self._routes: dict[int, tuple[str, type[ApiHandler]]] = {}
        group = 1
        for template, handler in routes:
            self._routes[group] = template, handler
            group += 1 + template.count("{")
        # One pattern for all routes. Tornado tries its rules one by one, which takes longer than a
        # short SQL statement.
        self._pattern = re.compile("|".join(f"({pattern(template)})" for template, _ in routes))

    def find_handler(self, request: HTTPServerRequest, **_: Any) -> Any:
        self.request_arrived(request.server_connection)
        template, handler, ids = self._find(request.path)
        if request_body.is_announced(request.headers):
            return request_body.RequestBody(self, request, template, handler, ids)
        if issubclass(handler, CachedReadHandler):
            # To create a handler takes longer than to send a cached response.
            cached = CachedResponse.find(self._services, request, template)
            if cached is not None:
                return cached
        return self.get_handler_delegate(request, handler, {"route": template}, ids)

    def _find(self, path: str) -> tuple[str, type[ApiHandler], list[bytes]]:
        found = self._pattern.fullmatch(path)
        if found is None:
            return "unknown", UnknownRouteHandler, []
        group = found.lastindex or 0
        template, handler = self._routes[group]
        ids = found.groups()[group : group + template.count("{")]
        return template, handler, [url_unescape(text, None, plus=False) for text in ids]


def pattern(template: str) -> str:
    """The regular expression of a path template such as ``/mentors/{mentorId}``."""
    return re.sub(r"\\{\w+\\}", "([^/]+)", re.escape(template))
