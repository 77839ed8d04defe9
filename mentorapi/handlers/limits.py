"""What is refused before it is read."""

from __future__ import annotations

import re
from typing import Any

from tornado.httputil import HTTPServerRequest
from tornado.web import Application, RequestHandler, stream_request_body

from mentorapi import errors
from mentorapi.handlers.base import ApiHandler

#: A body up to here is let in and thrown away, so that its sender reads the answer instead of
#: finding the connection cut.
MOST_DRAINED = 64 * 1024 * 1024


@stream_request_body
class RefuseBody(ApiHandler):
    """Answers 413 once the headers are there."""

    async def prepare(self) -> None:
        self.set_header("Connection", "close")
        self.request.connection.set_max_body_size(MOST_DRAINED)  # type: ignore[union-attr]
        raise errors.BodyTooLarge

    def data_received(self, chunk: bytes) -> None:
        pass


class LimitedApplication(Application):
    """Looks at how long a body says it is before any of it is read."""

    def get_handler_delegate(
        self,
        request: HTTPServerRequest,
        target_class: type[RequestHandler],
        *rest: Any,
        **more: Any,
    ) -> Any:
        length = request.headers.get("Content-Length", "0")
        limit = getattr(target_class, "MAX_BODY", 0)
        if re.fullmatch("[0-9]+", length) and (len(length) > 18 or int(length) > limit):
            kept = {"target_kwargs": more.get("target_kwargs")}
            target_class, rest, more = RefuseBody, (), kept
        return super().get_handler_delegate(request, target_class, *rest, **more)
