"""Metrics for Prometheus, in a registry of their own for each application."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from importlib.metadata import version
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    Summary,
    disable_created_metrics,
)
from prometheus_client.core import CounterMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from mentorapi.cache.responses import ResponseCache
    from mentorapi.database.pool import Pool
    from mentorapi.events.listener import Listener

NAMESPACE = "mentorapi"

BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

#: Clients can invent methods, and each would be a series that stays.
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))

# Otherwise each counter and histogram has one more series, with the time of its creation.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics(Collector):
    """The metrics: counted as events happen, or read at each scrape."""

    def __init__(self, pool: Pool, responses: ResponseCache, listener: Listener) -> None:
        self._responses = responses
        self.registry = CollectorRegistry()
        counter = partial(Counter, namespace=NAMESPACE, registry=self.registry)
        gauge = partial(Gauge, namespace=NAMESPACE, registry=self.registry)
        histogram = partial(
            Histogram, namespace=NAMESPACE, registry=self.registry, buckets=BUCKETS_SECONDS
        )
        summary = partial(Summary, namespace=NAMESPACE, registry=self.registry)

        self.requests_in_progress = 0
        gauge("http_requests_in_progress", "Requests in progress").set_function(
            lambda: self.requests_in_progress
        )
        self._requests = counter(
            "http_requests",
            "Responses sent, by route template, method and status",
            ["method", "route", "status"],
        )
        self._durations = histogram(
            "http_request_duration_seconds",
            "From the head of a request to the end of its response",
            ["method", "route"],
        )
        # To find the series of some labels takes longer than to count.
        self._series = cache(self._find_series)
        self.slots_refused = counter(
            "slots_refused",
            "Requests refused since the time slot was no longer available (409)",
        )
        pool.waited = histogram(
            "pool_wait_seconds", "Wait for a database connection, successful or not"
        ).observe
        self.ready = gauge("ready", "1 while /readyz returns 200")
        self.sweep_lag = gauge(
            "sweep_lag_seconds",
            "How long the oldest due session or request has waited; NaN while unknown",
        )

        # The label is not called job: Prometheus sets a label of that name on all it scrapes.
        self.job_interval = gauge("job_interval_seconds", "Time between two runs", ["name"])
        self.job_runs = counter("job_runs", "Runs, by their outcome", ["name", "outcome"])
        self.job_duration = summary("job_duration_seconds", "Duration of the runs", ["name"])
        self.job_last_success = gauge(
            "job_last_success_timestamp_seconds",
            "When a run last succeeded; 0 before the first",
            ["name"],
        )
        self.job_rows = counter("job_rows_changed", "Rows that runs changed", ["name", "kind"])

        Info("build", "The version that runs", namespace=NAMESPACE, registry=self.registry).info(
            {"version": version("mentorapi")}
        )
        ProcessCollector(registry=self.registry)
        for name, help_text, read in (
            ("pool_connections", "Open database connections", pool.get_size),
            ("pool_idle_connections", "The unused ones among them", pool.get_idle_size),
            ("pool_max_connections", "The most that the pool opens", lambda: pool.max_size),
            ("pool_waiting", "Requests that wait for a connection", lambda: pool.waiting),
            ("cache_bytes", "Size of the cached responses", lambda: responses.bytes_kept),
            (
                "listener_connected",
                "1 while the listener is connected and the cache is in use",
                lambda: listener.connected,
            ),
        ):
            gauge(name, help_text).set_function(read)
        self.registry.register(self)

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request whose response has been sent."""
        method = method if method in METHODS else "other"
        requests, durations = self._series(method, route, status)
        requests.inc()
        durations.observe(seconds)

    def _find_series(self, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        requests = self._requests.labels(method, route, status)
        return requests, self._durations.labels(method, route)

    def render(self, accepted: str) -> tuple[bytes, str]:
        """Return all metrics in a format that is accepted, and its content type."""
        encode, content_type = choose_encoder(accepted)
        return encode(self.registry), content_type

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield the counters that the cache keeps itself. The registry calls this."""
        reads = CounterMetricFamily(
            f"{NAMESPACE}_cache_reads", "Reads of the response cache", labels=("result",)
        )
        reads.add_metric(["hit"], self._responses.hits)
        reads.add_metric(["miss"], self._responses.misses)
        yield reads
