"""Finished answers to public reads, kept in memory until what they show changes.

An answer is kept under the URL it answers and belongs to a topic: a mentor's id, or ``LISTS``. To
drop a topic drops its answers, and those that are being made at that moment, from what the
database said before the change, are not kept either.
"""

from __future__ import annotations

import gzip
import hashlib
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import inf

LISTS = "lists"

#: Bytes of bodies and URLs. With what Python needs beside them, some 100 MB for each process.
MOST_BYTES = 64 * 1024 * 1024

#: Answers that are kept cost about this much beside their bodies.
OVERHEAD = 1024

_COMPRESSION = 6


@dataclass
class Answer:
    """A body, its compressed twin and its ETag, and the headers that are its own."""

    body: bytes
    headers: Mapping[str, str]

    @cached_property
    def etag(self) -> str:
        # Weak: the same answer goes out plain and compressed.
        return f'W/"{hashlib.sha1(self.body, usedforsecurity=False).hexdigest()}"'

    @cached_property
    def gzipped(self) -> bytes:
        return gzip.compress(self.body, _COMPRESSION, mtime=0)

    @property
    def size(self) -> int:
        return len(self.body) + OVERHEAD


@dataclass(eq=False)
class Reading:
    """An answer in the making."""

    url: str
    topic: str
    #: Seconds for which it will be true if nothing is written; slots pass.
    lifetime: float = inf
    stale: bool = False


class Cache:
    """Not thread safe: for one event loop. While closed it keeps nothing and knows nothing."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.most_bytes = most_bytes
        self.hits = self.misses = 0
        self._open = False
        self._bytes = 0
        self._answers: OrderedDict[str, tuple[Answer, str, float]] = OrderedDict()
        self._urls: dict[str, set[str]] = {}
        self._readings: dict[str, set[Reading]] = {}

    @property
    def bytes_kept(self) -> int:
        return self._bytes

    def find(self, url: str) -> Answer | None:
        kept = self._answers.get(url)
        if kept is not None and time.monotonic() >= kept[2]:
            self._forget(url)
            kept = None
        if kept is None:
            self.misses += 1
            return None
        self.hits += 1
        self._answers.move_to_end(url)
        return kept[0]

    def begin(self, url: str, topic: str) -> Reading:
        """To be called before the database is asked, and ended by ``keep`` or ``abandon``."""
        reading = Reading(url, topic, stale=not self._open)
        self._readings.setdefault(topic, set()).add(reading)
        return reading

    def abandon(self, reading: Reading) -> None:
        readings = self._readings.get(reading.topic, set())
        readings.discard(reading)
        if not readings:
            self._readings.pop(reading.topic, None)

    def keep(self, reading: Reading, answer: Answer) -> None:
        self.abandon(reading)
        if reading.stale or _weight(reading.url, answer) > self.most_bytes:
            return
        self._forget(reading.url)
        self._answers[reading.url] = answer, reading.topic, time.monotonic() + reading.lifetime
        self._urls.setdefault(reading.topic, set()).add(reading.url)
        self._bytes += _weight(reading.url, answer)
        while self._bytes > self.most_bytes:
            self._forget(next(iter(self._answers)))

    def drop(self, topic: str) -> None:
        """What belongs to this topic has changed."""
        for reading in self._readings.get(topic, ()):
            reading.stale = True
        for url in list(self._urls.get(topic, ())):
            self._forget(url)

    def open(self) -> None:
        """From now on all changes are heard of."""
        self._open = True

    def close(self) -> None:
        """Changes may have been missed: forget everything."""
        self._open = False
        for topic in {*self._readings, *self._urls}:
            self.drop(topic)

    def _forget(self, url: str) -> None:
        kept = self._answers.pop(url, None)
        if kept is None:
            return
        answer, topic, _ = kept
        self._bytes -= _weight(url, answer)
        urls = self._urls[topic]
        urls.discard(url)
        if not urls:
            del self._urls[topic]


def _weight(url: str, answer: Answer) -> int:
    # Anybody can make up long URLs.
    return answer.size + len(url)
