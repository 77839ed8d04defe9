"""The sockets on which the server listens: a TCP port, a Unix socket, or sockets of systemd."""

import errno
import os
import socket
from contextlib import suppress
from dataclasses import dataclass

from tornado import netutil

from mentorapi.config import UNIX, Settings
from mentorapi.errors import StartupError

#: The first file descriptor that systemd passes, see sd_listen_fds(3).
_FIRST_INHERITED = 3

_WILDCARDS = ("", "0.0.0.0", "::", "*")

#: The server's user and group may connect: a proxy has to be in that group.
_UNIX_SOCKET_MODE = 0o660


@dataclass(frozen=True)
class Sockets:
    #: The host of the main sockets, or their Unix socket as unix:/path.
    host: str
    main: list[socket.socket]
    #: Empty unless the metrics have an address of their own.
    metrics: list[socket.socket]
    #: Whether systemd holds the main sockets as well: connections wait there while this process
    #: restarts.
    inherited: bool = False

    @property
    def port(self) -> int:
        """The port of the main sockets; 0 for a Unix socket."""
        return 0 if self.host.startswith(UNIX) else port_of(self.main)

    @property
    def address(self) -> str:
        """The address listened on: ``http://127.0.0.1:8000``, or ``unix:/run/mentorapi.sock``."""
        return self.host if self.host.startswith(UNIX) else url_of(self.host, self.port)

    @property
    def client_url(self) -> str:
        return client_url(self.host, self.port)

    def remove_file(self) -> None:
        """Remove the file of a Unix socket that this process made: new clients are refused."""
        if self.host.startswith(UNIX) and not self.inherited:
            with suppress(OSError):
                os.unlink(self.host.removeprefix(UNIX))


def port_of(listening: list[socket.socket]) -> int:
    return int(listening[0].getsockname()[1])


def url_of(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def client_url(host: str, port: int) -> str:
    """The address listened on, or that of the loopback if clients cannot use the former."""
    if host.startswith(UNIX):
        return "http://localhost"
    # A socket of "::" may serve IPv6 only, as Tornado's do.
    loopback = "::1" if host == "::" else "127.0.0.1"
    return url_of(loopback if host in _WILDCARDS else host, port)


def bind(settings: Settings) -> Sockets:
    """Begin to listen. Connections wait from now on, and are served once the server has started.

    Raises StartupError.
    """
    host, inherited = settings.host, _take_inherited()
    if inherited:
        main, name = inherited, inherited[0].getsockname()
        host = f"{UNIX}{name}" if inherited[0].family == socket.AF_UNIX else str(name[0])
    elif host.startswith(UNIX):
        main = [_bind_unix(host.removeprefix(UNIX))]
    else:
        variables = "MENTORAPI_HOST, MENTORAPI_PORT"
        main = _bind_port(host, settings.port, variables, settings.reuse_port)
    metrics = []
    if settings.metrics_address is not None:
        metrics = _bind_port(*settings.metrics_address, "MENTORAPI_METRICS_ADDRESS")
    return Sockets(host, main, metrics, bool(inherited))


def _take_inherited() -> list[socket.socket]:
    """The sockets that systemd has passed to this process."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = int(os.environ["LISTEN_FDS"])
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    inherited = [
        socket.socket(fileno=number) for number in range(_FIRST_INHERITED, _FIRST_INHERITED + count)
    ]
    for each in inherited:
        if not each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise StartupError("systemd passed a socket that does not listen: set Accept=no")
        each.setblocking(False)
        each.set_inheritable(False)
    return inherited


def _bind_port(
    host: str, port: int, variables: str, reuse_port: bool = False
) -> list[socket.socket]:
    try:
        return netutil.bind_sockets(port, host, reuse_port=reuse_port)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no such host"
        raise StartupError(
            f"cannot listen on {host}, port {port} ({variables}): {reason}"
        ) from error


def _bind_unix(path: str) -> socket.socket:
    try:
        if _is_served(path):
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        # Replaces the file that a killed process has left.
        return netutil.bind_unix_socket(path, mode=_UNIX_SOCKET_MODE)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "the file is not a socket"
        raise StartupError(
            f"cannot listen on the Unix socket {path} (MENTORAPI_HOST): {reason or error}"
        ) from error


def _is_served(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True
