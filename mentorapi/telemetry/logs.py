"""Log lines on stderr, as text for people or as one JSON object a line for machines."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import orjson

#: Seconds that a line may wait for others to go with it.
SOON = 0.02

#: Types whose text is always one word.
_PLAIN = (int, float)

_BARE = re.compile(r"[!#-~]+")


class Event(dict[str, Any]):
    """A message with fields beside it; log it in the place of a text.

    ``said`` are fields too, but the message says them already: people need not read them twice.
    """

    __slots__ = ("message", "said")

    def __init__(self, message: str, said: Mapping[str, Any] | None = None, **fields: Any) -> None:
        super().__init__(fields)
        self.message, self.said = message, said or {}

    def __str__(self) -> str:
        text = self.message
        for name, value in self.items():
            text += f" {name}={value if type(value) in _PLAIN else _word(value)}"
        return text


def _word(value: object) -> object:
    """What is in a token, say, must not pass for a line or a field of its own."""
    if not isinstance(value, str):
        return "-" if value is None else value
    return value if _BARE.fullmatch(value) else json.dumps(value)


#: Makes a line of when it was said (seconds since 1970), its level, its logger, and what was said.
Style: TypeAlias = Callable[[float, str, str, Event], str]


def text_line(created: float, level: str, logger: str, event: Event) -> str:
    milliseconds = int(created % 1 * 1000)
    return f"{_second(int(created))},{milliseconds:03} {level} {logger}: {event}"


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def json_line(created: float, level: str, logger: str, event: Event) -> str:
    fields = {
        "time": datetime.fromtimestamp(created, UTC).isoformat(),
        "level": level,
        "logger": logger,
        "message": event.message,
        **event.said,
        **event,
    }
    try:
        return orjson.dumps(fields, default=str).decode()
    except TypeError:
        # What JSON has a way to write, but not in UTF-8 or 64 bits.
        return json.dumps(fields, default=str)


STYLES: dict[str, Style] = {"text": text_line, "json": json_line}


class Formatter(logging.Formatter):
    def __init__(self, style: Literal["text", "json"]) -> None:
        super().__init__()
        self.line = STYLES[style]
        self._exception_apart = style == "text"

    def format(self, record: logging.LogRecord) -> str:
        event = record.msg if isinstance(record.msg, Event) else Event(record.getMessage())
        trouble = self.formatException(record.exc_info) if record.exc_info else ""
        if trouble and not self._exception_apart:
            event = Event(event.message, event.said, **event, exception=trouble)
        line = self.line(record.created, record.levelname, record.name, event)
        return f"{line}\n{trouble}" if trouble and self._exception_apart else line


class Handler(logging.StreamHandler[Any]):
    """To stderr: what is logged while the event loop runs goes there in one piece, soon after.

    To write each line by itself costs more than to make it. Warnings do not wait, and nothing
    overtakes.
    """

    def __init__(self, formatter: Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.line = formatter.line
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:
            self.handleError(record)
        else:
            self.add(record.levelno, line)

    def add(self, level: int, line: str) -> None:
        self._lines.append(line + self.terminator)
        if level >= logging.WARNING:
            self.flush()
        elif len(self._lines) == 1:
            try:
                asyncio.get_running_loop().call_later(SOON, self.flush)
            except RuntimeError:
                self.flush()

    def flush(self) -> None:
        self.acquire()
        try:
            lines, self._lines = self._lines, []
            if lines:
                self.stream.write("".join(lines))
                self.stream.flush()
        except (OSError, ValueError):
            # Whoever read it is gone, and there is nobody else to tell.
            pass
        finally:
            self.release()


_handler: Handler | None = None


def configure(style: Literal["text", "json"]) -> None:
    global _handler
    _handler = Handler(Formatter(style))
    logging.basicConfig(level=logging.INFO, handlers=[_handler])
    logging.getLogger("tornado.general").addFilter(withhold)


def tell(logger: logging.Logger, level: int, event: Event) -> None:
    """Log an event the short way, without a record of where in the code and in which thread that
    was, which no line says and which takes a tenth of a request to find out."""
    if _handler is None:
        logger.log(level, event)
    elif logger.isEnabledFor(level):
        line = _handler.line(time.time(), logging.getLevelName(level), logger.name, event)
        _handler.add(level, line)


def withhold(record: logging.LogRecord) -> bool:
    """A filter: Tornado quotes the header or the query string that it cannot read."""
    if isinstance(record.args, tuple) and str(record.msg).startswith("Malformed HTTP message"):
        client, error = record.args
        said = re.match(r"[\w -]*", str(error))
        record.args = (client, said[0].strip() if said else "")
    return True
