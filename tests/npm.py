"""The packages of ``tests/node``: installed once for all workers of a test run."""

from __future__ import annotations

import fcntl
import os
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
    """A copy of ``tests/node`` in this worker's temporary folder, with the shared packages."""
    folder = base / "node"
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("node_modules", "dist"))
    # pytest-xdist gives each worker a folder inside that of the run.
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "node_packages"
    (folder / "node_modules").symlink_to(_install(shared) / "node_modules")
    return folder


def _install(shared: Path) -> Path:
    """Install the packages, unless another worker has done it. Wait for one that is doing it."""
    done = shared / "installed"
    with shared.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(shared, ignore_errors=True)
            shared.mkdir()
            for name in ("package.json", "package-lock.json", ".npmrc"):
                shutil.copy(SOURCE / name, shared)
            options = ("--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund")
            run(shared, "npm", "ci", *options)
            done.touch()
    return shared


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}{done.stderr}"
    return done.stdout
