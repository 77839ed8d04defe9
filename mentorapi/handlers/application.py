"""Where a request goes: to an answer that is kept, to the handler of its path, or nowhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from tornado.escape import url_unescape
from tornado.httputil import HTTPServerRequest
from tornado.web import Application, stream_request_body

from mentorapi import errors
from mentorapi.handlers import access
from mentorapi.handlers.base import ApiHandler, Services, UnknownRoute
from mentorapi.handlers.discovery import DiscoveryHandler, KeptAnswer
from mentorapi.handlers.outgoing import Outgoing, header

#: A body up to here is let in and thrown away, so that its sender reads the answer instead of
#: finding the connection cut.
MOST_DRAINED = 64 * 1024 * 1024


class ApiApplication(Application):
    """``routes`` are path templates and their handlers; the first that fits is taken."""

    def __init__(self, services: Services, routes: Sequence[tuple[str, type[ApiHandler]]]) -> None:
        super().__init__(
            transforms=[partial(Outgoing, services)],  # type: ignore[list-item]
            services=services,
            log_function=access.answered,
        )
        self._services = services
        #: Told the connection of each request, once its head is there.
        self.arrived: Callable[[object], None] = lambda connection: None
        self._routes: dict[int, tuple[str, type[ApiHandler]]] = {}
        group = 1
        for template, handler in routes:
            self._routes[group] = template, handler
            group += 1 + template.count("{")
        # Tornado tries its rules one by one, which takes longer than a short statement.
        self._pattern = re.compile("|".join(f"({pattern(template)})" for template, _ in routes))

    def find_handler(self, request: HTTPServerRequest, **_: Any) -> Any:
        self.arrived(request.server_connection)
        template, handler, ids = self._find(request.path)
        length = header(request.headers, "Content-Length")
        if length is not None and _is_more_than(length, handler.MAX_BODY):
            handler, ids = RefuseBody, []
        elif issubclass(handler, DiscoveryHandler):
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


def _is_more_than(length: str, limit: int) -> bool:
    # What is no number is Tornado's to refuse.
    return re.fullmatch("[0-9]+", length) is not None and (len(length) > 18 or int(length) > limit)


@stream_request_body
class RefuseBody(ApiHandler):
    """Answers 413 once the headers are there."""

    async def prepare(self) -> None:
        self.set_header("Connection", "close")
        self.request.connection.set_max_body_size(MOST_DRAINED)  # type: ignore[union-attr]
        raise errors.BodyTooLarge

    def data_received(self, chunk: bytes) -> None:
        pass
