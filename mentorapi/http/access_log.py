"""The access log, with one line per request, and the metrics of requests."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any, NamedTuple

import structlog

from mentorapi import errors
from mentorapi.http.base import ApiHandler
from mentorapi.http.request import Request
from mentorapi.telemetry import context
from mentorapi.telemetry.metrics import Metrics

log = structlog.get_logger("mentorapi.access")


class AccessRecord(NamedTuple):
    """A request and its response."""

    method: str
    #: The template of the path.
    route: str
    status: int
    seconds: float
    request_id: str
    client: str | None
    traceparent: str | None
    user_id: str | None = None
    #: The error that the response reports.
    failure: BaseException | None = None

    @classmethod
    def of(cls, request: Request, route: str, status: int, **more: Any) -> AccessRecord:
        return cls(
            request.method,
            route,
            status,
            request.request_time(),
            request.id,
            request.remote_ip,
            request.headers.get("traceparent"),
            **more,
        )


def log_handler(handler: ApiHandler) -> None:
    """Record a finished request. Tornado's ``log_function``."""
    caller = getattr(handler, "caller", None)
    record = AccessRecord.of(
        handler.request,
        handler.route,
        handler.get_status(),
        user_id=caller and caller.user_id,
        failure=handler.failure,
    )
    if handler.ROUTINE:
        write(record, logging.DEBUG)
    else:
        handler.services.metrics.requests_in_progress -= 1
        count(handler.services.metrics, record)
        write(record)
    # The error refers to stack frames, which refer to the handler: break the reference cycle.
    handler.failure = None


def count(metrics: Metrics, record: AccessRecord) -> None:
    metrics.count_request(record.method, record.route, record.status, record.seconds)
    if isinstance(record.failure, errors.SlotTaken):
        metrics.slots_refused.inc()


def write(record: AccessRecord, level: int = logging.INFO) -> None:
    """Write one line: a 503 as a warning, other server errors with their traceback."""
    if record.status == HTTPStatus.SERVICE_UNAVAILABLE:
        level = logging.WARNING
    elif record.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        level = logging.ERROR
    fields = {
        "method": record.method,
        "route": record.route,
        "status": record.status,
        "request_id": record.request_id,
        "ms": round(record.seconds * 1000, 1),
        "user_id": record.user_id,
        "client": record.client,
    }
    if record.traceparent is not None:
        trace_id = context.parse_traceparent(record.traceparent)
        if trace_id is not None:
            fields["trace_id"] = trace_id
    failure = record.failure
    if level >= logging.WARNING and failure is not None:
        running = context.current.get()
        if running is not None and running.statement is not None:
            fields |= {"statement": running.statement, "backend": running.backend}
        if level == logging.WARNING:
            fields["cause"] = repr(failure.__cause__ or failure)
        else:
            fields["exc_info"] = failure
    log.log(level, f"{record.method} {record.route} {record.status}", **fields)
