"""requirements.lock lists what a deployment installs: one version of each package, with hashes."""

from __future__ import annotations

import re
from configparser import ConfigParser
from importlib.metadata import requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCK = (ROOT / "requirements.lock").read_text()

#: Name of a package, and its entry.
ENTRIES = {
    entry.partition("==")[0]: entry
    for entry in re.sub(r"\\\n", "", LOCK).splitlines()
    if entry and not entry.lstrip().startswith("#")
}


def required() -> list[Requirement]:
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config["options"]["install_requires"].strip().splitlines()
    return [Requirement(line) for line in lines if not line.startswith("#")]


def locked(name: str) -> str | None:
    entry = ENTRIES.get(canonicalize_name(name), "")
    found = re.match(r"\S+==(\S+)", entry)
    return found and found[1]


@pytest.mark.parametrize("requirement", required(), ids=lambda requirement: requirement.name)
def test_compare_lock_with_setup_cfg_finds_each_package(requirement: Requirement) -> None:
    assert requirement.specifier.contains(locked(requirement.name))


@pytest.mark.parametrize("name", ENTRIES)
def test_read_lock_finds_one_version_and_hashes_of_each_package(name: str) -> None:
    assert re.fullmatch(
        r"[a-z0-9-]+==[0-9][\w.]*( ; [^;]+?)?( +--hash=sha256:[0-9a-f]{64})+", ENTRIES[name]
    )


def test_follow_dependencies_finds_each_in_the_lock() -> None:
    wanted, seen = required(), set()
    while wanted:
        requirement = wanted.pop()
        for extra in requirement.extras or {""}:
            if (requirement.name, extra) in seen:
                continue
            seen.add((requirement.name, extra))
            if version(requirement.name) != locked(requirement.name):
                # The requirements of another version may differ.
                continue
            wanted += [
                needed
                for needed in map(Requirement, requires(requirement.name) or [])
                if needed.marker is None or needed.marker.evaluate({"extra": extra})
            ]
    assert {canonicalize_name(name) for name, _ in seen} <= ENTRIES.keys()


def test_read_lock_finds_no_registry() -> None:
    assert "://" not in LOCK
    assert "--index" not in LOCK
    assert "--find-links" not in LOCK
