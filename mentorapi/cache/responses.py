"""Responses to public reads, kept in memory until what they show changes.

A response is kept under its URL and belongs to a topic: a mentor's id, `LISTS` or `ANY`. Changes
are numbered. A response has the number of the last change before the database was read. It is
current as long as its topic has not changed since. Users are topics as well, for `KnownUsers`.
"""

import asyncio
import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import inf
from time import monotonic

from cachetools import LRUCache

#: The topic of lists of mentors, searches and facets.
LISTS = "lists"
#: The topic of responses that a change of any topic makes stale.
ANY = "any"

#: Bytes of bodies and URLs; with Python's overhead some 100 MB per process.
MAX_BYTES = 64 * 1024 * 1024

#: Bytes. A larger response is not kept: it would evict hundreds of others. A full list of 1,000
#: mentors with biographies of a page each fits.
MAX_RESPONSE_BYTES = 2 * 1024 * 1024

#: Bytes that an entry takes beside its body and its URL.
ENTRY_BYTES = 1024

#: Topics whose last change is remembered. When there are more, all responses become stale.
MAX_TOPICS = 10_000


class Response:
    """A body, its compressed form, its ETag and the headers that belong to it."""

    def __init__(self, body: bytes, headers: Mapping[str, str]) -> None:
        self.body, self.headers = body, headers
        # Weak, because the plain and the compressed form share it.
        self.etag = f'W/"{hashlib.sha1(body, usedforsecurity=False).hexdigest()}"'

    @cached_property
    def gzipped(self) -> bytes:
        return compress(self.body)


def compress(body: bytes) -> bytes:
    return gzip.compress(body, 6, mtime=0)


@dataclass(eq=False, slots=True)
class Load:
    """A read of the database, kept with its response."""

    url: str
    topic: str
    #: The number of the last change when the read began.
    since: int
    #: The response; None after an error.
    outcome: asyncio.Future[Response | None]
    #: Until when the response is true if nothing changes, in the time of ``time.monotonic()``.
    expires_at: float = inf
    #: Bytes.
    size: int = 0


class ResponseCache:
    """A least-recently-used cache, for one event loop. Keeps nothing while closed."""

    def __init__(self) -> None:
        self.hits = self.misses = 0
        #: Responses are sent until then, in the time of ``time.monotonic()``.
        self.current_until = 0.0
        self._open = False
        self._kept: LRUCache[str, Load] = LRUCache(MAX_BYTES, lambda load: load.size)
        self._loads: dict[str, Load] = {}
        #: The number of the last change.
        self.last_change = 0
        #: The number of the last change of each topic, and of the last one of all topics.
        self._changes: dict[str, int] = {}
        self._change_of_all = 0

    @property
    def bytes_kept(self) -> int:
        return int(self._kept.currsize)

    def find(self, url: str) -> Response | None:
        load = self._kept.get(url)
        if load is None:
            return None
        if monotonic() >= load.expires_at or not self._is_current(load):
            del self._kept[url]
            return None
        self.hits += 1
        return load.outcome.result()

    def begin(self, url: str, topic: str) -> Load:
        """Call before the database is read. ``end`` must follow, also after an error."""
        self.misses += 1
        outcome = asyncio.get_running_loop().create_future()
        load = self._loads[url] = Load(url, topic, self.last_change, outcome)
        return load

    def end(self, load: Load, response: Response | None, seconds_valid: float) -> None:
        """Keep the response, unless its topic changed after the load began."""
        if self._loads.get(load.url) is load:
            del self._loads[load.url]
        load.expires_at = monotonic() + seconds_valid
        load.outcome.set_result(response)
        if response is None or seconds_valid <= 0 or not self._is_current(load):
            return
        # The URL counts, since a client may make up long ones.
        load.size = len(response.body) + len(load.url) + ENTRY_BYTES
        if load.size <= min(MAX_RESPONSE_BYTES, self._kept.maxsize):
            self._kept[load.url] = load

    async def join(self, url: str) -> Response | None:
        """Wait for the response to another request of this URL, which reads the database already.

        None if there is no such request, if it failed, or if its topic changed since it began.
        """
        load = self._find_load(url)
        if load is not None:
            await asyncio.shield(load.outcome)
            if monotonic() >= load.expires_at:
                # It may show less than what this call has to see: no change makes a response stale
                # that expires at once. A read that runs now began after this call.
                load = self._find_load(url)
        if load is None:
            return None
        response = await asyncio.shield(load.outcome)
        if response is not None:
            self.hits += 1
        return response

    def _find_load(self, url: str) -> Load | None:
        load = self._loads.get(url)
        return load if load is not None and self._is_current(load) else None

    def drop(self, topic: str) -> None:
        """Make the responses of a topic stale, those being loaded included."""
        if len(self._changes) >= MAX_TOPICS:
            self.clear()
        self.last_change += 1
        self._changes[topic] = self._changes[ANY] = self.last_change

    def clear(self) -> None:
        """Make all responses stale, those being loaded included."""
        self.last_change += 1
        self._change_of_all = self.last_change
        self._changes.clear()
        self._kept.clear()

    def open(self) -> None:
        """Keep responses from now on: every change is going to be reported."""
        # A read that began before may have missed a change.
        self.clear()
        self._open = True

    def close(self) -> None:
        """Keep nothing: changes may have been missed."""
        self._open = False
        self.clear()

    def is_unchanged(self, topic: str, since: int) -> bool:
        """Whether the topic has not changed after the change with this number."""
        return since >= self._changes.get(topic, self._change_of_all)

    def _is_current(self, load: Load) -> bool:
        is_open = self._open and monotonic() < self.current_until
        return is_open and self.is_unchanged(load.topic, load.since)
