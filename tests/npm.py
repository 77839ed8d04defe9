"""Packages of Node's, as ``tests/node`` names them, installed once for all tests that need them."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parent / "node"

#: What the packages want.
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
    """A copy of ``tests/node`` with its packages, below pytest's folder."""
    folder = base / "node"
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("node_modules", "dist"))
    run(folder, "npm", "ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund")
    return folder


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}{done.stderr}"
    return done.stdout
