"""Where a request goes: to an answer that is kept, to the handler of its path, or nowhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from tornado.escape import url_unescape
from tornado.httputil import HTTPServerRequest
from tornado.web import Application

from mentorapi.http import access_log, incoming
from mentorapi.http.base import ApiHandler, Services, UnknownRoute
from mentorapi.http.cached_reads import DiscoveryHandler, KeptAnswer
from mentorapi.http.headers import Outgoing


class ApiApplication(Application):
    """``routes`` are path templates and their handlers; the first that fits is taken."""

    def __init__(self, services: Services, routes: Sequence[tuple[str, type[ApiHandler]]]) -> None:
        super().__init__(
            transforms=[partial(Outgoing, services)],  # type: ignore[list-item]
            services=services,
            log_function=access_log.answered,
        )
        self._services = services
        #: Told the connection of each request, once its head is there.
        self.request_arrived: Callable[[object], None] = lambda connection: None
        self._routes: dict[int, tuple[str, type[ApiHandler]]] = {}
        group = 1
        for template, handler in routes:
            self._routes[group] = template, handler
            group += 1 + template.count("{")
        # Tornado tries its rules one by one, which takes longer than a short statement.
        self._pattern = re.compile("|".join(f"({pattern(template)})" for template, _ in routes))

    def find_handler(self, request: HTTPServerRequest, **_: Any) -> Any:
        self.request_arrived(request.server_connection)
        template, handler, ids = self._find(request.path)
        if incoming.announces_body(request.headers):
            return incoming.Body(self, request, template, handler, ids)
        if issubclass(handler, DiscoveryHandler):
            # No handler is made for it, which costs more than to send what is there.
            kept = KeptAnswer.find(self._services, request, template)
            if kept is not None:
                return kept
        return self.get_handler_delegate(request, handler, {"route": template}, ids)

    def _find(self, path: str) -> tuple[str, type[ApiHandler], list[bytes]]:
        found = self._pattern.fullmatch(path)
        if found is None:
            return "unknown", UnknownRoute, []
        group = found.lastindex or 0
        template, handler = self._routes[group]
        ids = found.groups()[group : group + template.count("{")]
        return template, handler, [url_unescape(text, None, plus=False) for text in ids]


def pattern(template: str) -> str:
    return re.sub(r"\\{\w+\\}", "([^/]+)", re.escape(template))
