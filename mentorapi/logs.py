"""Log records on stderr, as text for people or as one JSON object a line for machines."""

from __future__ import annotations

import json
import logging
import re
from typing import Any, Literal

from pythonjsonlogger.orjson import OrjsonFormatter

_BARE = re.compile(r"[!#-~]+")


class Event(dict[str, Any]):
    """A ``message`` with fields beside it; log it in the place of a text."""

    #: What the message says already, and need not be said again to people.
    SAID = frozenset(("message", "method", "route", "status"))

    def __str__(self) -> str:
        said = self.SAID
        shown = [f" {name}={_word(value)}" for name, value in self.items() if name not in said]
        return str(self["message"]) + "".join(shown)


def _word(value: object) -> object:
    """What is in a token, say, must not pass for a line or a field of its own."""
    if not isinstance(value, str):
        return "-" if value is None else value
    return value if _BARE.fullmatch(value) else json.dumps(value)


def configure(style: Literal["text", "json"]) -> None:
    # No line says these, and each costs a bit of every record.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(style))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("tornado.general").addFilter(withhold)


def formatter(style: Literal["text", "json"]) -> logging.Formatter:
    if style == "text":
        return logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    names = {"levelname": "level", "name": "logger", "exc_info": "exception"}
    return OrjsonFormatter(["levelname", "name", "message"], rename_fields=names, timestamp="time")


def withhold(record: logging.LogRecord) -> bool:
    """A filter: Tornado quotes the header or the query string that it cannot read."""
    if isinstance(record.args, tuple) and str(record.msg).startswith("Malformed HTTP message"):
        client, error = record.args
        said = re.match(r"[\w -]*", str(error))
        record.args = (client, said[0].strip() if said else "")
    return True
