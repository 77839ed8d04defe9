"""Log lines on stderr: text for people, or one JSON object a line for machines.

A line with fields comes from structlog: ``structlog.get_logger(name).info("Message", field=...)``.
The records of the standard library (Tornado, asyncio, yoyo, and modules here that need no fields)
are rendered in the same way.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal, TypeAlias

import orjson
import structlog
from structlog.typing import EventDict, Processor

Style: TypeAlias = Literal["text", "json"]

#: A line below the level WARNING waits at most this long for others to be written with it.
FLUSH_SECONDS = 0.02

#: Fields that the message of the access log contains already; people need not read them twice.
_IN_MESSAGE = frozenset({"method", "route", "status"})

_ONE_WORD = re.compile(r"[!#-~]+")


def render_text(_logger: object, _method: str, event: EventDict) -> str:
    """``2026-11-26 14:42:42,123 INFO mentorapi.access: Message field=value``."""
    now = f"{datetime.now():%Y-%m-%d %H:%M:%S,%f}"[:-3]
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


class BufferedStderr:
    """A stream that writes the lines of some milliseconds in one piece.

    A system call for each line costs more than to render it: through a pipe, a line took 28 us as
    text (19 as JSON) where it takes 12 (8) with this; a read from the cache takes some 65.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._lock = threading.Lock()

    def write(self, text: str) -> None:
        with self._lock:
            self._lines.append(text)
            first = len(self._lines) == 1
        if first:
            try:
                asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)
            except RuntimeError:
                # Another thread, or the event loop does not run.
                self.flush()

    def flush(self) -> None:
        # Logging must not fail when the reader of stderr is gone.
        with self._lock, suppress(OSError, ValueError):
            lines, self._lines = self._lines, []
            if lines:
                sys.stderr.write("".join(lines))
                sys.stderr.flush()


class LineLogger:
    """What structlog hands finished lines to."""

    def __init__(self, stream: BufferedStderr, name: str) -> None:
        self.name, self._stream = name, stream

    def info(self, line: str) -> None:
        self._stream.write(line + "\n")

    def warning(self, line: str) -> None:
        self.info(line)
        self._stream.flush()

    debug = info
    error = critical = warning


def configure(style: Style) -> None:
    """Log to stderr from the level INFO up."""
    stream = BufferedStderr()
    handler: logging.StreamHandler[Any] = logging.StreamHandler(stream)
    handler.setFormatter(formatter(style))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("tornado.general").addFilter(redact_malformed_message)
    structlog.configure(
        processors=processors(style),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=partial(LineLogger, stream),
        cache_logger_on_first_use=True,
    )


def redact_malformed_message(record: logging.LogRecord) -> bool:
    """Filter for Tornado, which quotes the header or the query string that it cannot parse."""
    if isinstance(record.args, tuple) and str(record.msg).startswith("Malformed HTTP message"):
        client, error = record.args
        reason = re.match(r"[\w -]*", str(error))
        record.args = (client, reason[0].strip() if reason else "")
    return True
