"""Sends a request to the cache, or to the handler of its path."""

import re
from collections.abc import Sequence

import orjson
from tornado.escape import url_unescape
from tornado.web import Application

from mentorapi import errors
from mentorapi.http import access_log
from mentorapi.http.base import ApiHandler
from mentorapi.http.cached_reads import CachedReadHandler, respond
from mentorapi.http.headers import is_preflight, render
from mentorapi.http.request import Request
from mentorapi.http.services import Services


class UnknownPath(ApiHandler):
    """Responds to the preflight of a path that does not exist."""

    @classmethod
    def allowed(cls) -> list[str]:
        return ["OPTIONS"]


class ApiApplication(Application):
    """``routes`` are path templates and their handlers; the first that fits is taken."""

    def __init__(self, services: Services, routes: Sequence[tuple[str, type[ApiHandler]]]) -> None:
        super().__init__(services=services, log_function=access_log.log_handler)
        self._services = services
        self._routes: dict[int, tuple[str, type[ApiHandler]]] = {}
        group = 1
        for template, handler in routes:
            self._routes[group] = template, handler
            group += 1 + template.count("{")
        # One pattern for all routes. Tornado tries its rules one by one, which takes longer than a
        # short SQL statement.
        self._pattern = re.compile("|".join(f"({pattern(template)})" for template, _ in routes))

    def handle(self, request: Request) -> None:
        """Respond from the cache, or start the handler."""
        found = self._pattern.fullmatch(request.path)
        if found is None and is_preflight(request):
            # A browser sends the request only after this, and its script can then read the 404.
            UnknownPath(self, request, "unknown").start([])
            return
        if found is None:
            self.send_error(request, errors.NotFound(f"No such route: {request.path}"[:200]))
            return
        # The group of a route closes after the groups of its ids.
        group = found.lastindex or 0
        template, handler = self._routes[group]
        ids = found.groups()[group : group + template.count("{")]
        if issubclass(handler, CachedReadHandler) and handler.is_cacheable(request):
            response = self._services.cache.find(request.uri)
            if response is not None:
                # To create a handler takes longer.
                respond(self._services, request, template, *render(response, request))
                return
        unescaped = [url_unescape(text, None, plus=False) for text in ids]
        handler(self, request, template).start(unescaped)

    def send_error(self, request: Request, error: errors.ApiError) -> None:
        """Respond to a request that no handler belongs to, or to bytes that are no request."""
        headers, body = {errors.CODE_HEADER: error.code}, orjson.dumps(error.body())
        respond(self._services, request, "unknown", error.status, headers, body, error)


def pattern(template: str) -> str:
    """The regular expression of a path template such as ``/mentors/{mentorId}``."""
    return re.sub(r"\\{\w+\\}", "([^/]+)", re.escape(template))
