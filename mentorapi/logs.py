"""Log records on stderr, as text for people or as one JSON object a line for machines."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from functools import lru_cache
from typing import Any, Literal

from pythonjsonlogger.orjson import OrjsonFormatter

#: Seconds that a line may wait for others to go with it.
SOON = 0.02

#: Types whose text is always one word.
_PLAIN = (int, float)

_BARE = re.compile(r"[!#-~]+")


class Event(dict[str, Any]):
    """A ``message`` with fields beside it; log it in the place of a text."""

    #: What the message says already, and need not be said again to people.
    SAID = frozenset(("message", "method", "route", "status"))

    def __str__(self) -> str:
        text: str = self["message"]
        for name, value in self.items():
            if name not in self.SAID:
                text += f" {name}={value if type(value) in _PLAIN else _word(value)}"
        return text


def _word(value: object) -> object:
    """What is in a token, say, must not pass for a line or a field of its own."""
    if not isinstance(value, str):
        return "-" if value is None else value
    return value if _BARE.fullmatch(value) else json.dumps(value)


class Record(logging.LogRecord):
    """Of an event alone. To find out where in the code it is, and in which thread, takes longer
    than all the rest, and no line says it."""

    def __init__(self, logger: logging.Logger, level: int, event: Event) -> None:
        now = time.time()
        self.__dict__ = _NOWHERE | {
            "name": logger.name,
            "msg": event,
            "levelno": level,
            "levelname": logging.getLevelName(level),
            "created": now,
            "msecs": now % 1 * 1000,
        }


_NOWHERE = vars(logging.makeLogRecord({"thread": None, "process": None}))


class Handler(logging.StreamHandler[Any]):
    """To stderr: what is logged while the event loop runs goes there in one piece, soon after.

    To write each line by itself costs more than to make it. Warnings do not wait, and nothing
    overtakes.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.append(self.format(record) + self.terminator)
        except Exception:
            self.handleError(record)
            return
        if len(self._lines) > 1 and record.levelno < logging.WARNING:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        if loop is None or record.levelno >= logging.WARNING:
            self.flush()
        else:
            loop.call_later(SOON, self.flush)

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


class TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = f"{_second(int(record.created))},{int(record.msecs):03}"
        text = f"{at} {record.levelname} {record.name}: {record.getMessage()}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return text


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def configure(style: Literal["text", "json"]) -> None:
    # No line says these, and each costs a bit of every record (Logging HOWTO, "Optimization").
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
    handler = Handler()
    handler.setFormatter(formatter(style))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("tornado.general").addFilter(withhold)


def formatter(style: Literal["text", "json"]) -> logging.Formatter:
    if style == "text":
        return TextFormatter()
    names = {"levelname": "level", "name": "logger", "exc_info": "exception"}
    return OrjsonFormatter(["levelname", "name", "message"], rename_fields=names, timestamp="time")


def withhold(record: logging.LogRecord) -> bool:
    """A filter: Tornado quotes the header or the query string that it cannot read."""
    if isinstance(record.args, tuple) and str(record.msg).startswith("Malformed HTTP message"):
        client, error = record.args
        said = re.match(r"[\w -]*", str(error))
        record.args = (client, said[0].strip() if said else "")
    return True
