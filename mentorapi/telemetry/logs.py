"""Log lines on stderr: text for people, or one JSON object a line for machines.

A line with fields comes from structlog: ``structlog.get_logger(name).info("Message", field=...)``.
The records of the standard library (Tornado, asyncio, yoyo, and modules here that need no fields)
are rendered in the same way.
"""

import json
import logging
import re
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal, TypeAlias

import orjson
import structlog
from structlog.typing import EventDict, Processor

from mentorapi.errors import Unavailable
from mentorapi.telemetry import context

Style: TypeAlias = Literal["text", "json"]

#: Fields that the message of the access log contains already; people need not read them twice.
_IN_MESSAGE = frozenset({"method", "route", "status"})

_ONE_WORD = re.compile(r"[!#-~]+")


def render_text(_logger: object, _method: str, event: EventDict) -> str:
    """``2026-11-26 14:42:42,123 INFO mentorapi.access: Message field=value``."""
    now = datetime.now().isoformat(" ", "milliseconds").replace(".", ",")
    line = f"{now} {event.pop('level').upper()} {event.pop('logger')}: {event.pop('event')}"
    exception = event.pop("exception", None)
    for name, value in event.items():
        if name not in _IN_MESSAGE:
            line += f" {name}={_as_word(value)}"
    return line if exception is None else f"{line}\n{exception}"


def _as_word(value: object) -> object:
    """Quote a text that could pass for another field or another line."""
    if not isinstance(value, str):
        return "-" if value is None else value
    return value if _ONE_WORD.fullmatch(value) else json.dumps(value)


def render_json(_logger: object, _method: str, event: EventDict) -> str:
    fields = {
        "time": datetime.now(UTC).isoformat(),
        "level": event.pop("level").upper(),
        "logger": event.pop("logger"),
        "message": event.pop("event"),
        **event,
    }
    try:
        return orjson.dumps(fields, default=str).decode()
    except TypeError:
        # orjson refuses lone surrogates, integers of more than 64 bits, and keys that are no text.
        return json.dumps(fields, default=str)


def level_and_details(error: BaseException) -> tuple[int, EventDict]:
    """Return the level of a line that reports an error, and the fields that explain it.

    They have the statement that the database refused. An overload, or a database that cannot be
    reached, is a warning with its cause; other errors have their traceback.
    """
    running = context.current.get()
    details: EventDict = {}
    if running is not None and running.statement is not None:
        details = {"statement": running.statement, "backend": running.backend}
    if isinstance(error, Unavailable):
        return logging.WARNING, {**details, "cause": repr(error.__cause__ or error)}
    return logging.ERROR, {**details, "exc_info": error}


def processors(style: Style) -> list[Processor]:
    """Return what makes a line of the event of a structlog logger."""
    return [*_PROCESSORS, _RENDERERS[style]]


def formatter(style: Style) -> logging.Formatter:
    """Return what makes a line of a record of the standard library."""
    return structlog.stdlib.ProcessorFormatter(
        processors=[
            *_PROCESSORS,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _RENDERERS[style],
        ]
    )


_PROCESSORS: list[Processor] = [
    structlog.stdlib.add_logger_name,
    structlog.processors.add_log_level,
    structlog.processors.format_exc_info,
]

_RENDERERS: dict[Style, Processor] = {"text": render_text, "json": render_json}


class StderrLogger:
    """A writer of the finished lines of a structlog logger."""

    def __init__(self, name: str) -> None:
        self.name = name

    def info(self, line: str) -> None:
        # A request must not fail when the reader of stderr is gone.
        with suppress(OSError, ValueError):
            sys.stderr.write(line + "\n")

    debug = warning = error = critical = info


def configure(style: Style) -> None:
    """Log to stderr from the level INFO up."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(style))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    structlog.configure(
        processors=processors(style),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=StderrLogger,
        cache_logger_on_first_use=True,
    )
