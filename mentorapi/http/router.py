"""The router: responds from the cache, or starts the handler of the path."""

import re
from collections.abc import Sequence
from http import HTTPStatus
from http.client import responses
from urllib.parse import unquote

import orjson
from tornado.httputil import ResponseStartLine
from tornado.web import Application

from mentorapi import errors
from mentorapi.http import access_log
from mentorapi.http.base import ApiHandler, as_id
from mentorapi.http.cached_reads import CachedReadHandler
from mentorapi.http.headers import default_headers, is_preflight, preflight_headers, render
from mentorapi.http.request import Request
from mentorapi.http.services import Services


class ApiApplication(Application):
    """``routes`` are path templates and their handlers; the first that fits is taken."""

    def __init__(self, services: Services, routes: Sequence[tuple[str, type[ApiHandler]]]) -> None:
        super().__init__(services=services, log_function=access_log.log_handler)
        self._services = services
        #: By the number of the group: the template, the handler, its methods, the parameters.
        self._routes: dict[int, tuple[str, type[ApiHandler], list[str], list[str]]] = {}
        group = 1
        for template, handler in routes:
            names = re.findall(r"\{(\w+)\}", template)
            self._routes[group] = template, handler, handler.allowed(), names
            group += 1 + len(names)
        # One pattern for all routes. Tornado tries its rules one by one, which takes longer than a
        # short SQL statement.
        self._pattern = re.compile("|".join(f"({pattern(template)})" for template, _ in routes))

    def handle(self, request: Request) -> None:
        """Respond from the cache, or start the handler."""
        found = self._pattern.fullmatch(request.path)
        if found is None and is_preflight(request):
            # A browser sends the request only after this, and its script can then read the 404.
            self._send_options(request, "unknown", ["OPTIONS"])
            return
        if found is None:
            self.send_error(request, errors.NotFound(f"No such route: {request.path}"[:200]))
            return
        # The group of a route closes after the groups of its parameters.
        group = found.lastindex or 0
        template, handler, allowed, names = self._routes[group]
        if request.method == "OPTIONS":
            self._send_options(request, template, allowed)
            return
        if request.method not in allowed:
            self.send_error(request, errors.MethodNotAllowed(allowed), template)
            return
        if issubclass(handler, CachedReadHandler) and handler.is_cacheable(request):
            response = self._services.cache.find(request.uri)
            if response is not None:
                # To create a handler takes longer.
                self._respond(request, template, *render(response, request))
                return
        texts = found.groups()[group : group + len(names)]
        handler(self, request, template).start([*map(read_argument, names, texts)])

    def _send_options(self, request: Request, route: str, allowed: Sequence[str]) -> None:
        headers = {"Allow": ", ".join(allowed)}
        headers |= preflight_headers(self._services.settings, request)
        self._respond(request, route, HTTPStatus.NO_CONTENT, headers, None)

    def send_error(self, request: Request, error: errors.ApiError, route: str = "unknown") -> None:
        """Respond to a request that no handler belongs to, or to bytes that are no request."""
        headers = {**error.headers, errors.CODE_HEADER: error.code}
        self._respond(request, route, error.status, headers, orjson.dumps(error.body()), error)

    def _respond(
        self,
        request: Request,
        route: str,
        status: int,
        own_headers: dict[str, str],
        body: bytes | None,
        failure: errors.ApiError | None = None,
    ) -> None:
        """Send a response without a handler."""
        headers = default_headers(self._services.settings, request) | own_headers
        if body is None:
            del headers["Content-Type"]
        else:
            headers["Content-Length"] = str(len(body))
        start_line = ResponseStartLine("", status, responses[status])
        sent = None if request.method == "HEAD" else body
        request.connection.write_headers(start_line, headers, sent)
        request.connection.finish()
        access_log.record(self._services.metrics, request, route, status, failure=failure)


def pattern(template: str) -> str:
    """The regular expression of a path template such as ``/mentors/{mentorId}``."""
    return re.sub(r"\\{\w+\\}", "([^/]+)", re.escape(template))


def read_argument(name: str, text: str) -> str:
    """Decode a part of a path. Parameters such as ``mentorId`` are ids."""
    argument = unquote(text)
    return as_id(argument) if name.endswith("Id") else argument
