"""More clients than file descriptors: they wait, and the server stays idle."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from tests.starting import Process, responds, wait_until

SOFT, HARD = 128, 256


@contextmanager
def serving(data_dir: Path) -> Iterator[tuple[psutil.Process, str, Path]]:
    """The process, its URL and its log file."""
    logged = data_dir.parent / "log"
    with Process(data_dir, complaints=logged, open_files=(SOFT, HARD)) as process:
        yield psutil.Process(process.pid), process.listening(), logged


def connect(stack: ExitStack, url: str, count: int) -> list[socket.socket]:
    address = urlsplit(url)
    return [
        stack.enter_context(socket.create_connection((address.hostname, address.port), timeout=30))
        for _ in range(count)
    ]


def cpu_seconds(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def waits(logged: Path) -> list[str]:
    return [line for line in logged.read_text().splitlines() if "have to wait" in line]


def is_idle(process: psutil.Process, logged: Path) -> bool:
    """Whether for a second it uses almost no processor time and logs almost nothing."""
    used, written = cpu_seconds(process), logged.stat().st_size
    time.sleep(1)
    used, written = cpu_seconds(process) - used, logged.stat().st_size - written
    print(f"in 1 s: {used:.2f} s of CPU time, {written} bytes logged")
    return used < 0.3 and written < 1000


@pytest.fixture
def clients() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_open_more_connections_than_files_leaves_the_server_idle(
    data_dir: Path, clients: ExitStack
) -> None:
    with serving(data_dir) as (process, url, logged):
        connected = connect(clients, url, HARD + 40)  # the rest fits in the backlog
        wait_until(lambda: waits(logged))
        # At first it may still be busy with its start.
        wait_until(lambda: is_idle(process, logged))
        assert process.num_fds() < HARD - 20
        for connection in connected[:HARD]:
            connection.close()
        assert responds(url)
        assert len(waits(logged)) == 1


def test_run_out_of_files_elsewhere_leaves_the_server_idle(
    data_dir: Path, clients: ExitStack
) -> None:
    """The number of connections is below its limit, but something else holds the files."""
    with serving(data_dir) as (process, url, logged):
        assert responds(url)
        spare = process.num_fds() + 10
        process.rlimit(resource.RLIMIT_NOFILE, (spare, HARD))
        connected = connect(clients, url, 50)
        wait_until(lambda: waits(logged))
        wait_until(lambda: is_idle(process, logged))
        for connection in connected:
            connection.close()
        assert responds(url)
        assert len(waits(logged)) == 1
