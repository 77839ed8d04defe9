"""The runner of the background jobs: at the start of the server, and then at their intervals."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import structlog
from tornado.ioloop import PeriodicCallback

from mentorapi.database.pool import Database
from mentorapi.telemetry import context
from mentorapi.telemetry.logs import level_and_details
from mentorapi.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Job:
    """``run`` returns the number of rows that it changed, by their kind.

    Several servers run it at the same time, and the next run makes up for a failed one.
    """

    name: str
    #: Seconds from the start of a run to the start of the next one.
    interval: float
    run: Callable[[Database], Awaitable[Mapping[str, int]]]


class Runner:
    """The jobs of a server, each in a task of its own, with log lines of failures and metrics."""

    def __init__(
        self,
        db: Database,
        metrics: Metrics,
        jobs: Sequence[Job],
        on_change: Callable[[], object] = lambda: None,
    ) -> None:
        self._db, self._metrics, self._jobs = db, metrics, jobs
        #: Called after a run that has changed rows.
        self._on_change = on_change
        self._timers: list[PeriodicCallback] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        for job in jobs:
            metrics.job_interval.labels(job.name).set(job.interval)
            # From now on these series exist, so that an alert sees a job that never succeeds.
            metrics.job_last_success.labels(job.name)
            for outcome in ("success", "failure"):
                metrics.job_runs.labels(job.name, outcome)

    def start(self) -> None:
        """Run each job now, and then at its interval."""
        for job in self._jobs:
            self._start(job)
            timer = PeriodicCallback(partial(self._start, job), job.interval * 1000)
            timer.start()
            self._timers.append(timer)

    async def stop(self) -> None:
        """Start no more runs, and wait for those in progress."""
        for timer in self._timers:
            timer.stop()
        await asyncio.gather(*self._tasks.values())

    async def run(self, job: Job) -> None:
        """Run a job once. Failures are logged and counted, not raised."""
        context.current.set(context.ExecutionContext(job.name))
        metrics = self._metrics
        try:
            with metrics.job_duration.labels(job.name).time():
                changed = await job.run(self._db)
        except Exception as error:
            metrics.job_runs.labels(job.name, "failure").inc()
            level, details = level_and_details(error)
            log.log(level, "Job failed; its next run catches up", job=job.name, **details)
            return
        metrics.job_runs.labels(job.name, "success").inc()
        metrics.job_last_success.labels(job.name).set_to_current_time()
        for kind, rows in changed.items():
            metrics.job_rows.labels(job.name, kind).inc(rows)
        if any(changed.values()):
            self._on_change()

    def _start(self, job: Job) -> None:
        task = self._tasks.get(job.name)
        # A run that takes longer than the interval is not joined by another one.
        if task is None or task.done():
            self._tasks[job.name] = asyncio.create_task(self.run(job))
