"""What is told of a request when it has been answered: one line in the log, and the figures."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from mentorapi import errors, trace
from mentorapi.handlers.base import ApiHandler
from mentorapi.logs import Event

log = logging.getLogger("mentorapi.access")


def answered(handler: ApiHandler) -> None:
    """Tornado's ``log_function``."""
    seconds = max(0.0, handler.request.request_time())
    status = handler.get_status()
    if not handler.ROUTINE:
        _count(handler, status, seconds)
    level = _level(handler, status)
    if log.isEnabledFor(level):
        _write(handler, level, status, seconds)
    # It holds the frames, and they hold the handler.
    handler.failure = None


def _count(handler: ApiHandler, status: int, seconds: float) -> None:
    metrics = handler.services.metrics
    metrics.requests_in_progress -= 1
    metrics.answered(handler.request.method or "", handler.route, status, seconds)
    if isinstance(handler.failure, errors.SlotTaken):
        metrics.slots_refused.inc()


def _level(handler: ApiHandler, status: int) -> int:
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return logging.WARNING
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return logging.ERROR
    return logging.DEBUG if handler.ROUTINE else logging.INFO


def _write(handler: ApiHandler, level: int, status: int, seconds: float) -> None:
    request, failure = handler.request, handler.failure
    caller = getattr(handler, "caller", None)
    event = Event(
        message=f"{request.method} {handler.route} {status}",
        request_id=handler.request_id,
        method=request.method,
        route=handler.route,
        status=status,
        ms=round(seconds * 1000, 1),
        user_id=caller and caller.user_id,
        client=request.remote_ip,
    )
    traceparent = request.headers.get("Traceparent")
    if traceparent is not None:
        trace_id = trace.trace_id(traceparent)
        if trace_id is not None:
            event["trace_id"] = trace_id
    if level < logging.WARNING or failure is None:
        log.log(level, event)
        return
    event |= _whereabouts()
    if level == logging.WARNING:
        event["cause"] = repr(failure.__cause__ or failure)
        log.warning(event)
    else:
        log.error(event, exc_info=failure)


def _whereabouts() -> dict[str, Any]:
    doing = trace.current.get()
    if doing is None or doing.statement is None:
        return {}
    return {"statement": doing.statement, "backend": doing.backend}
