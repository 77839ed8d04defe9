"""The access log, with one line per request, and the metrics of requests."""

from __future__ import annotations

import logging
from http import HTTPStatus

import structlog

from mentorapi import errors
from mentorapi.http.base import ApiHandler
from mentorapi.http.request import Request
from mentorapi.telemetry import context
from mentorapi.telemetry.logs import level_and_details
from mentorapi.telemetry.metrics import Metrics

log = structlog.get_logger("mentorapi.access")


def log_handler(handler: ApiHandler) -> None:
    """Record a finished request. Tornado's ``log_function``."""
    metrics = handler.services.metrics
    if not handler.ROUTINE:
        metrics.requests_in_progress -= 1
    record(
        metrics,
        handler.request,
        handler.route,
        handler.get_status(),
        getattr(handler, "user_id", None),
        handler.failure,
        is_routine=handler.ROUTINE,
    )
    # The error refers to stack frames, which refer to the handler: break the reference cycle.
    handler.failure = None


def record(
    metrics: Metrics,
    request: Request,
    route: str,
    status: int,
    user_id: str | None = None,
    failure: BaseException | None = None,
    *,
    is_routine: bool = False,
) -> None:
    """Count a request and write its line.

    ``route`` is the template of the path, ``failure`` the error that the response reports.
    """
    seconds = request.request_time()
    if not is_routine:
        metrics.count_request(request.method, route, status, seconds)
        if isinstance(failure, errors.SlotTaken):
            metrics.slots_refused.inc()
    level = logging.DEBUG if is_routine else logging.INFO
    fields = {
        "method": request.method,
        "route": route,
        "status": status,
        "request_id": request.id,
        "ms": round(seconds * 1000, 1),
        "user_id": user_id,
        "client": request.remote_ip,
    }
    trace_id = context.parse_traceparent(request.headers.get("traceparent"))
    if trace_id is not None:
        fields["trace_id"] = trace_id
    if failure is not None and status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        level, details = level_and_details(failure)
        fields |= details
    log.log(level, f"{request.method} {route} {status}", **fields)
