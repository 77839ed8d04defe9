"""Finished answers to public reads, kept in memory until what they show changes.

An answer is kept under the URL it answers and belongs to a topic: a mentor's id, or ``LISTS``. To
drop a topic drops its answers, and those that are being made at that moment, from what the
database said before the change, are not kept either.
"""

from __future__ import annotations

import asyncio
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

#: Topics whose last change is remembered.
MOST_CHANGES = 10_000

_COMPRESSION = 6


class Answer:
    """A body, its compressed twin and its ETag, and the headers that are its own."""

    def __init__(self, body: bytes, headers: Mapping[str, str]) -> None:
        self.body, self.headers = body, headers
        # Weak: the same answer goes out plain and compressed.
        self.etag = f'W/"{hashlib.sha1(body, usedforsecurity=False).hexdigest()}"'

    @cached_property
    def gzipped(self) -> bytes:
        return gzip.compress(self.body, _COMPRESSION, mtime=0)


@dataclass(eq=False, slots=True)
class Reading:
    """An answer in the making."""

    url: str
    topic: str
    #: How many changes had been heard of when it began.
    since: int
    #: Seconds for which it will be true if nothing is written; slots pass.
    lifetime: float = inf
    #: What others wait for, once there are any; None where it does not come to an answer.
    outcome: asyncio.Future[Answer | None] | None = None


class Cache:
    """Not thread safe: for one event loop. While closed it keeps nothing and knows nothing."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.most_bytes = most_bytes
        self.hits = self.misses = 0
        self._open = False
        self._bytes = 0
        self._answers: OrderedDict[str, tuple[Answer, str, float]] = OrderedDict()
        self._urls: dict[str, set[str]] = {}
        self._readings: dict[str, Reading] = {}
        # Changes are numbered: the last one of all, of each topic, and the last one that may have
        # been of any topic.
        self._change = self._change_of_all = 0
        self._changes: dict[str, int] = {}

    @property
    def bytes_kept(self) -> int:
        return self._bytes

    def find(self, url: str) -> Answer | None:
        kept = self._answers.get(url)
        if kept is not None and time.monotonic() >= kept[2]:
            self._forget(url)
            kept = None
        if kept is None:
            return None
        self.hits += 1
        self._answers.move_to_end(url)
        return kept[0]

    def begin(self, url: str, topic: str) -> Reading:
        """To be called before the database is asked, and followed by ``end``, whatever happens."""
        self.misses += 1
        reading = self._readings[url] = Reading(url, topic, self._change)
        return reading

    def under_way(self, url: str) -> Reading | None:
        """Somebody else's, if nothing has changed since they began.

        When a search that many see is dropped, it is asked for once and not by all of them.
        """
        reading = self._readings.get(url)
        return reading if reading is not None and self._is_true(reading) else None

    async def wait(self, reading: Reading) -> Answer | None:
        if reading.outcome is None:
            reading.outcome = asyncio.get_running_loop().create_future()
        answer = await asyncio.shield(reading.outcome)
        if answer is not None:
            self.hits += 1
        return answer

    def end(self, reading: Reading, answer: Answer | None) -> None:
        """Keep the answer, unless what it says may have changed since its reading began."""
        if self._readings.get(reading.url) is reading:
            del self._readings[reading.url]
        if reading.outcome is not None:
            reading.outcome.set_result(answer)
        if answer is not None and self._is_true(reading):
            self._keep(reading, answer)

    def _is_true(self, reading: Reading) -> bool:
        changed = self._changes.get(reading.topic, self._change_of_all)
        return self._open and reading.since >= changed

    def _keep(self, reading: Reading, answer: Answer) -> None:
        url, topic = reading.url, reading.topic
        weight = _weight(url, answer)
        if weight > self.most_bytes:
            return
        self._forget(url)
        self._answers[url] = answer, topic, time.monotonic() + reading.lifetime
        self._urls.setdefault(topic, set()).add(url)
        self._bytes += weight
        while self._bytes > self.most_bytes:
            self._forget(next(iter(self._answers)))

    def drop(self, topic: str) -> None:
        """What belongs to this topic has changed."""
        self._change += 1
        if len(self._changes) >= MOST_CHANGES:
            self._forget_changes()
        self._changes[topic] = self._change
        for url in list(self._urls.get(topic, ())):
            self._forget(url)

    def open(self) -> None:
        """From now on all changes are heard of."""
        self._open = True

    def close(self) -> None:
        """Changes may have been missed: forget everything."""
        self._open = False
        self._change += 1
        self._forget_changes()
        self._answers.clear()
        self._urls.clear()
        self._bytes = 0

    def _forget_changes(self) -> None:
        """Answers in the making will not be kept, whatever they are about."""
        self._changes.clear()
        self._change_of_all = self._change

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
    return len(answer.body) + len(url) + OVERHEAD
