"""Figures for Prometheus, in a registry of their own for each application."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from itertools import accumulate
from math import inf
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Info,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

if TYPE_CHECKING:
    from mentorapi.cache.responses import ResponseCache
    from mentorapi.database.pool import Pool
    from mentorapi.events.listener import Listener


PREFIX = "mentorapi"

#: Seconds.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

#: Anybody can make up methods, and each would be a series for good.
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))

# A series more for each counter and histogram, with the time of its birth.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """What is counted as it happens; ``watch`` adds what can be looked up when somebody asks."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests_in_progress = 0
        self._answers: dict[tuple[str, str, int], Spread] = {}
        self.pool_wait = Spread()
        registry.register(_Spreads(self._answers, self.pool_wait))
        Gauge(
            f"{PREFIX}_http_requests_in_progress", "Requests under way", registry=registry
        ).set_function(lambda: self.requests_in_progress)
        self.slots_refused = Counter(
            f"{PREFIX}_slots_refused",
            "Requests refused since the time slot was no longer available (409)",
            registry=registry,
        )
        self.ready = Gauge(
            f"{PREFIX}_ready", "1 where /readyz would answer 200, as of now", registry=registry
        )
        self._count_sweeps(registry)
        Info(PREFIX + "_build", "What is running", registry=registry).info(
            {"version": version("mentorapi")}
        )
        ProcessCollector(registry=registry)

    def _count_sweeps(self, registry: CollectorRegistry) -> None:
        self.sweep_interval = Gauge(
            f"{PREFIX}_sweep_interval_seconds", "Between two sweeps", registry=registry
        )
        self.sweep_succeeded = Gauge(
            f"{PREFIX}_sweep_last_success_timestamp_seconds",
            "When a sweep last came to its end; 0 before the first",
            registry=registry,
        )
        self.sweep_moved = Counter(
            f"{PREFIX}_sweep_sessions_moved", "Sessions moved on by sweeps", registry=registry
        )
        self.sweep_expired = Counter(
            f"{PREFIX}_sweep_requests_expired",
            "Unanswered requests ended by sweeps",
            registry=registry,
        )
        self.sweep_failures = Counter(
            f"{PREFIX}_sweep_failures", "Sweeps that failed", registry=registry
        )
        self.sweep_lag = Gauge(
            f"{PREFIX}_sweep_lag_seconds",
            "For how long the oldest due session has waited; NaN while nobody can tell",
            registry=registry,
        )

    def watch(self, pool: Pool, cache: ResponseCache, listener: Listener) -> None:
        pool.waited = self.pool_wait.observe
        for name, tells, look in (
            ("pool_connections", "Database connections that are open", pool.get_size),
            ("pool_idle_connections", "Of those, the ones that nobody uses", pool.get_idle_size),
            ("pool_max_connections", "As many as there may be", pool.get_max_size),
            ("pool_waiting", "Those who wait for a connection", lambda: pool.waiting),
            ("cache_bytes", "Kept in the cache of answers", lambda: cache.bytes_kept),
            (
                "listener_connected",
                "1 while changes are heard of, and the cache is in use",
                lambda: listener.connected,
            ),
        ):
            Gauge(f"{PREFIX}_{name}", tells, registry=self.registry).set_function(look)
        self.registry.register(_CacheReads(cache))

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        key = method if method in _METHODS else "other", route, status
        spread = self._answers.get(key)
        if spread is None:
            spread = self._answers[key] = Spread()
        spread.observe(seconds)

    def text(self, accepted: str) -> tuple[bytes, str]:
        """All figures in a format that is accepted, and its content type."""
        encode, content_type = choose_encoder(accepted)
        return encode(self.registry), content_type


class Spread:
    """How many took how long: a histogram's figures.

    For one event loop. The library's are for threads, and their locks and checks take ten times as
    long, two or three times in each request.
    """

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.seconds += seconds

    def add(self, other: Spread) -> None:
        self.counts = [one + more for one, more in zip(self.counts, other.counts, strict=True)]
        self.seconds += other.seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Each with its bound, and with all that took no longer."""
        bounds = (floatToGoString(bound) for bound in (*BUCKETS, inf))  # type: ignore[no-untyped-call]
        return list(zip(bounds, accumulate(self.counts), strict=True))


class _Spreads(Collector):
    def __init__(self, answers: Mapping[tuple[str, str, int], Spread], pool_wait: Spread) -> None:
        self._answers, self._pool_wait = answers, pool_wait

    def collect(self) -> Iterator[CounterMetricFamily | HistogramMetricFamily]:
        requests = CounterMetricFamily(
            f"{PREFIX}_http_requests",
            "Requests answered, by route template, method and status",
            labels=("method", "route", "status"),
        )
        spreads: dict[tuple[str, str], Spread] = {}
        for (method, route, status), spread in self._answers.items():
            requests.add_metric((method, route, str(status)), sum(spread.counts))
            spreads.setdefault((method, route), Spread()).add(spread)
        yield requests
        durations = HistogramMetricFamily(
            f"{PREFIX}_http_request_duration_seconds",
            "From the head of a request to the end of its answer",
            labels=("method", "route"),
        )
        for labels, spread in spreads.items():
            durations.add_metric(labels, spread.buckets(), spread.seconds)
        yield durations
        yield HistogramMetricFamily(
            f"{PREFIX}_pool_wait_seconds",
            "Until a database connection was there, or was given up on",
            buckets=self._pool_wait.buckets(),
            sum_value=self._pool_wait.seconds,
        )


class _CacheReads(Collector):
    def __init__(self, cache: ResponseCache) -> None:
        self._cache = cache

    def collect(self) -> Iterator[CounterMetricFamily]:
        reads = CounterMetricFamily(
            f"{PREFIX}_cache_reads", "Looks into the cache of answers", labels=("result",)
        )
        reads.add_metric(["hit"], self._cache.hits)
        reads.add_metric(["miss"], self._cache.misses)
        yield reads
