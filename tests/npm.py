"""The packages of ``tests/node``: installed once, for all workers and for later runs."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parent / "node"

#: Required by the packages.
OLDEST_NODE = 20


def _is_there() -> bool:
    if not (shutil.which("node") and shutil.which("npm")):
        return False
    version = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout
    return int(version.lstrip("v").partition(".")[0]) >= OLDEST_NODE


IS_THERE = _is_there()

#: Debian's; Playwright's own browser would have to be downloaded.
CHROMIUM = shutil.which("chromium")


@cache
def installed(base: Path) -> Path:
    """A copy of ``tests/node`` in this worker's temporary folder, with a link to the packages."""
    _install()
    folder = base / "node"
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("node_modules", "dist"))
    (folder / "node_modules").symlink_to(SOURCE / "node_modules")
    return folder


def _install() -> None:
    """Install the packages in ``tests/node``, unless they are those of the lock file already."""
    wanted = (SOURCE / "package-lock.json").read_bytes()
    with (SOURCE / ".npmrc").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = SOURCE / "node_modules" / ".installed"
        if not done.exists() or done.read_bytes() != wanted:
            options = ("--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund")
            run(SOURCE, "npm", "ci", *options)
            done.write_bytes(wanted)


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}{done.stderr}"
    return done.stdout
