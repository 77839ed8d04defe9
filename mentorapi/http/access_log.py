"""What is told of a request when it has been answered: one line in the log, and the figures."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any, NamedTuple

import structlog
from tornado.httputil import HTTPServerRequest

from mentorapi import errors
from mentorapi.http.base import ApiHandler
from mentorapi.http.headers import header
from mentorapi.telemetry import context
from mentorapi.telemetry.metrics import Metrics

log = structlog.get_logger("mentorapi.access")


class Exchange(NamedTuple):
    """A request, and what became of it."""

    method: str
    #: The template that its path fits.
    route: str
    status: int
    seconds: float
    request_id: str
    client: str | None
    traceparent: str | None
    user_id: str | None = None
    failure: BaseException | None = None

    @classmethod
    def of(
        cls, request: HTTPServerRequest, route: str, status: int, request_id: str, **more: Any
    ) -> Exchange:
        return cls(
            request.method or "",
            route,
            status,
            max(0.0, request.request_time()),
            request_id,
            request.remote_ip,
            header(request.headers, "Traceparent"),
            **more,
        )


def answered(handler: ApiHandler) -> None:
    """Tornado's ``log_function``."""
    caller = getattr(handler, "caller", None)
    exchange = Exchange.of(
        handler.request,
        handler.route,
        handler.get_status(),
        handler.request_id,
        user_id=caller and caller.user_id,
        failure=handler.failure,
    )
    if handler.ROUTINE:
        record(exchange, logging.DEBUG)
    else:
        handler.services.metrics.requests_in_progress -= 1
        count(handler.services.metrics, exchange)
        record(exchange)
    # It holds the frames, and they hold the handler.
    handler.failure = None


def count(metrics: Metrics, exchange: Exchange) -> None:
    metrics.answered(exchange.method, exchange.route, exchange.status, exchange.seconds)
    if isinstance(exchange.failure, errors.SlotTaken):
        metrics.slots_refused.inc()


def record(exchange: Exchange, level: int = logging.INFO) -> None:
    """One line in the log; what is the server's fault, at a level of its own."""
    if exchange.status == HTTPStatus.SERVICE_UNAVAILABLE:
        level = logging.WARNING
    elif exchange.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        level = logging.ERROR
    fields = {
        "method": exchange.method,
        "route": exchange.route,
        "status": exchange.status,
        "request_id": exchange.request_id,
        "ms": round(exchange.seconds * 1000, 1),
        "user_id": exchange.user_id,
        "client": exchange.client,
    }
    if exchange.traceparent is not None:
        trace_id = context.parse_traceparent(exchange.traceparent)
        if trace_id is not None:
            fields["trace_id"] = trace_id
    failure = exchange.failure
    if level >= logging.WARNING and failure is not None:
        running = context.current.get()
        if running is not None and running.statement is not None:
            fields |= {"statement": running.statement, "backend": running.backend}
        if level == logging.WARNING:
            fields["cause"] = repr(failure.__cause__ or failure)
        else:
            fields["exc_info"] = failure
    log.log(level, f"{exchange.method} {exchange.route} {exchange.status}", **fields)
