"""The runner of the background jobs: first runs, intervals, overlaps and the end."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from mentorapi.database.pool import Database
from mentorapi.jobs import all_jobs
from mentorapi.jobs.runner import Job, Runner
from tests.client import Api


class Recorder:
    """A job whose runs end when ``may_end`` is set."""

    def __init__(self, interval: float) -> None:
        self.job = Job("recorder", interval, self.run)
        #: An item for each run.
        self.started: asyncio.Queue[None] = asyncio.Queue()
        self.ended: asyncio.Queue[None] = asyncio.Queue()
        self.may_end = asyncio.Event()

    async def run(self, _: Database) -> dict[str, int]:
        self.started.put_nowait(None)
        await self.may_end.wait()
        self.ended.put_nowait(None)
        return {}


@asynccontextmanager
async def running(api: Api, *jobs: Job) -> AsyncIterator[Runner]:
    runner = Runner(api.services.db, api.services.metrics, jobs)
    runner.start()
    try:
        async with asyncio.timeout(30):
            yield runner
    finally:
        await runner.stop()


async def test_start_runs_job_at_once(api: Api) -> None:
    recorder = Recorder(interval=3600)
    recorder.may_end.set()
    async with running(api, recorder.job):
        await recorder.ended.get()


async def test_pass_the_interval_runs_job_again(api: Api) -> None:
    recorder = Recorder(interval=0.01)
    recorder.may_end.set()
    async with running(api, recorder.job):
        for _ in range(3):
            await recorder.ended.get()


async def test_run_longer_than_its_interval_is_not_joined(api: Api) -> None:
    slow, quick = Recorder(interval=0.01), Recorder(interval=0.01)
    quick.may_end.set()
    async with running(api, slow.job, Job("quick", 0.01, quick.run)):
        for _ in range(3):
            await quick.ended.get()
        assert (slow.started.qsize(), slow.ended.qsize()) == (1, 0)
        slow.may_end.set()


async def test_stop_waits_for_the_run_in_progress(api: Api) -> None:
    recorder = Recorder(interval=3600)
    async with running(api, recorder.job) as runner:
        await recorder.started.get()
        stopping = asyncio.create_task(runner.stop())
        await asyncio.sleep(0)
        assert not stopping.done()
        recorder.may_end.set()
        await stopping
        assert recorder.ended.qsize() == 1


async def test_fail_job_runs_it_again(api: Api) -> None:
    runs: asyncio.Queue[int] = asyncio.Queue()
    numbers = itertools.count(1)

    async def fail_once(_: Database) -> dict[str, int]:
        runs.put_nowait(number := next(numbers))
        if number == 1:
            raise OSError("gone")
        return {}

    async with running(api, Job("fails", 0.01, fail_once)):
        while await runs.get() < 3:
            pass


@pytest.mark.parametrize("name", [job.name for job in all_jobs(sweep_interval=300)])
async def test_run_job_with_nothing_to_do_changes_nothing(api: Api, name: str) -> None:
    (job,) = (job for job in all_jobs(sweep_interval=300) if job.name == name)
    assert set((await job.run(api.services.db)).values()) == {0}
