"""Run ``run.py`` in a process of its own, as its users do."""

from __future__ import annotations

import itertools
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path

import psutil
import psycopg

RUN = Path(__file__).parent.parent / "run.py"
PATIENCE = 180


def environment(data_dir: Path, **settings: str) -> dict[str, str]:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("MENTORAPI_")}
    given = {"DATA_DIR": str(data_dir), "PORT": "0"} | settings
    return bare | {f"MENTORAPI_{name}": value for name, value in given.items()}


def run(
    *arguments: str, data_dir: Path, elsewhere: Path | None = None, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run a command, and wait for its end."""
    return subprocess.run(
        [sys.executable, RUN, *arguments],
        env=environment(data_dir, **settings),
        cwd=elsewhere or data_dir.parent,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


class Process:
    """A process of ``run.py serve``."""

    def __init__(
        self,
        data_dir: Path,
        *arguments: str,
        complaints: Path | None = None,
        open_files: tuple[int, int] | None = None,
        before: Sequence[str] = (),
        pass_fds: Sequence[int] = (),
        **settings: str,
    ) -> None:
        """Start it. ``complaints``: a file for stderr, if that is more than a pipe holds.

        ``open_files``: the soft and the hard limit. ``before``: a program that starts it, and its
        arguments.
        """
        self.data_dir = data_dir
        self.printed = ""
        with nullcontext(subprocess.PIPE) if complaints is None else complaints.open("a") as stderr:
            self._process = subprocess.Popen(
                [*before, sys.executable, RUN, *arguments],
                env=environment(data_dir, **settings),
                cwd=data_dir.parent,
                pass_fds=pass_fds,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                start_new_session=True,
                preexec_fn=partial(_prepare, open_files),
            )

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.signal(signal.SIGTERM)
            self.ended()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def listening(self) -> str:
        """Wait until it serves; return the URL that it prints."""
        out = self._process.stdout
        assert out is not None
        with self._killed_if_it_hangs():
            for line in out:
                self.printed += line
                if found := re.search(r"Listening on (\S+)", line):
                    return found[1]
        raise AssertionError(f"it ended instead of listening: {self.complaint()}")

    def next_line(self) -> str:
        """Return the next line that it prints."""
        assert self._process.stdout is not None
        with self._killed_if_it_hangs():
            return self._process.stdout.readline()

    def imported(self, module: str) -> None:
        """Wait until Python has imported a module. Needs ``PYTHONPROFILEIMPORTTIME``."""
        assert self._process.stderr is not None
        with self._killed_if_it_hangs():
            lines = iter(self._process.stderr.readline, "")
            assert any(line.split("|")[-1].strip() == module for line in lines)

    def complaint(self) -> str:
        assert self._process.stderr is not None
        return self._process.stderr.read()

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def press_ctrl_c(self) -> None:
        """Send SIGINT to the process and its children, as a terminal does."""
        os.killpg(self._process.pid, signal.SIGINT)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(PATIENCE)

    def reached(self, milestone: str) -> None:
        """Wait until its data folder contains a file that matches this pattern."""
        # The first files of a start are a millisecond apart.
        wait_until(
            lambda: any(self.data_dir.glob(milestone)) or self._process.poll() is not None, 0.002
        )
        assert self._process.returncode is None, f"it ended before {milestone}"

    def ended(self) -> int:
        """Wait for its end; return the exit code."""
        with self._killed_if_it_hangs():
            self._process.communicate()
        return self._process.returncode

    @contextmanager
    def _killed_if_it_hangs(self) -> Iterator[None]:
        timer = threading.Timer(PATIENCE, self._process.kill)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def _prepare(open_files: tuple[int, int] | None) -> None:
    # A shell ignores SIGINT for what it runs in the background, and nohup SIGHUP. So would all
    # children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if open_files is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, open_files)


#: Below those that the system chooses for sockets; each worker of pytest-xdist has 1,000.
_ports = itertools.count(
    20_000 + 1000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) + os.getpid() % 900
)


def free_port() -> int:
    """A port that nothing else takes until the test, or a process of it, listens there."""
    for port in _ports:
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("unreachable")


def responds(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/mentors") as response:
            return bool(response.status == 200)
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except OSError:
        return False


def postgres_processes(data_dir: Path) -> list[psutil.Process]:
    here = str(data_dir.resolve() / "postgres")
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.name().startswith("postgres") and process.cwd() == here:
                found.append(process)
    return found


def wait_until(condition: Callable[[], object], pause: float = 0.02) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(pause)


def nothing_left_of(data_dir: Path) -> bool:
    return not postgres_processes(data_dir)


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def database(data_dir: Path) -> psycopg.Connection[tuple[str, ...]]:
    return psycopg.connect(
        host=str(data_dir / "postgres"), user="postgres", dbname="mentorapi", autocommit=True
    )


def remember(data_dir: Path, text: str) -> None:
    with database(data_dir) as connection:
        connection.execute("CREATE TABLE memory AS SELECT %s AS text", [text])


def remembered(data_dir: Path) -> str | None:
    with database(data_dir) as connection:
        row = connection.execute("SELECT text FROM memory").fetchone()
    return row and row[0]
