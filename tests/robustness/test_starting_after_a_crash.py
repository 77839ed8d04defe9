"""After any kill the next start serves, with the data, and ends without leaving a process."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from mentorapi.database import embedded
from tests.conftest import FirstStarts, copy_folder
from tests.starting import (
    Process,
    nothing_left_of,
    postgres_processes,
    postmaster,
    remember,
    remembered,
    responds,
    run,
    wait_until,
)


def assert_starts_and_ends(data_dir: Path) -> None:
    with Process(data_dir) as server:
        assert responds(server.listening())
        server.signal(signal.SIGTERM)
        assert server.ended() == 0
    assert nothing_left_of(data_dir)
    assert [*data_dir.glob("postgres.new-*")] == []


# In the order in which a start reaches them.
MILESTONES = [
    "postgres.lock",
    "postgres*/",
    "postgres*/PG_VERSION",
    "postgres*/base/1",
    "postgres*/base/4",
    "postgres*/base/5",
    "postgres",
    "postgres/start.log",
    "postgres/postmaster.pid",
    "postgres/.s.PGSQL.5432",
    "postgres/base/1[0-9]*",
]


@pytest.mark.parametrize(
    "milestone",
    [
        # The next test kills the server at the others, one after the other.
        pytest.param(
            name, marks=[] if name in ("postgres", "postgres*/base/4") else pytest.mark.long
        )
        for name in MILESTONES
    ],
)
def test_start_after_kill_at_first_start_succeeds(new_data_dir: Path, milestone: str) -> None:
    with Process(new_data_dir) as server:
        server.reached(milestone)
        server.kill()
    assert_starts_and_ends(new_data_dir)


def test_start_after_repeated_kills_succeeds(new_data_dir: Path) -> None:
    for milestone in MILESTONES:
        with Process(new_data_dir) as server:
            server.reached(milestone)
            server.kill()
    assert_starts_and_ends(new_data_dir)


def test_start_after_kill_while_serving_keeps_the_data(data_dir: Path) -> None:
    with Process(data_dir) as server:
        server.listening()
        remember(data_dir, "committed")
        server.kill()
    assert postgres_processes(data_dir)
    with Process(data_dir) as server:
        assert responds(server.listening())
        assert remembered(data_dir) == "committed"
    assert nothing_left_of(data_dir)


def test_start_after_kill_with_database_keeps_the_data(data_dir: Path) -> None:
    with Process(data_dir) as server:
        server.listening()
        remember(data_dir, "committed")
        server.kill()
    for process in postgres_processes(data_dir):
        # The others end once the postmaster is gone.
        with suppress(psutil.NoSuchProcess):
            process.kill()
    with Process(data_dir) as server:
        assert responds(server.listening())
        assert remembered(data_dir) == "committed"
    assert nothing_left_of(data_dir)


def test_start_after_kill_of_postmaster_succeeds(data_dir: Path) -> None:
    with Process(data_dir) as server:
        server.listening()
        os.kill(postmaster(data_dir), signal.SIGKILL)
        server.kill()
    assert_starts_and_ends(data_dir)


def test_start_after_kill_while_ending_succeeds(data_dir: Path) -> None:
    with Process(data_dir) as server:
        server.listening()
        server.signal(signal.SIGTERM)
        wait_until(lambda: len(postgres_processes(data_dir)) < 3)
        server.kill()
    assert_starts_and_ends(data_dir)


def test_start_with_pid_file_of_another_process_succeeds(data_dir: Path) -> None:
    """As after a restart of a container, where process ids repeat."""
    left = f"{os.getpid()}\n{data_dir}/postgres\n1700000000\n5432\n.\n\n  1 1\nready\n"
    (data_dir / "postgres" / "postmaster.pid").write_text(left)
    assert_starts_and_ends(data_dir)


@pytest.mark.parametrize("left", ["", "12", "12\n/half"])
def test_start_with_truncated_pid_file_succeeds(data_dir: Path, left: str) -> None:
    (data_dir / "postgres" / "postmaster.pid").write_text(left)
    assert_starts_and_ends(data_dir)


@pytest.mark.parametrize(
    "blocker",
    [
        pytest.param("CREATE TABLE users ()", id="first table"),
        pytest.param("CREATE TABLE applied_functions ()", id="last table"),
        pytest.param("CREATE VIEW mentor_list AS SELECT", id="functions"),
    ],
)
def test_kill_in_the_middle_of_migrate_leaves_a_start_whole(
    tmp_path: Path, first_starts: FirstStarts, blocker: str
) -> None:
    data_dir = copy_folder(first_starts.initialized, tmp_path / "var")
    with embedded.running(data_dir) as url, psycopg.connect(url) as in_the_way:
        in_the_way.execute(blocker)
        with Process(data_dir) as server:
            with psycopg.connect(url, autocommit=True) as watching:
                wait_until(lambda: waiting_for_locks(watching))
            server.kill()
        in_the_way.rollback()
    assert_starts_and_ends(data_dir)


def test_migrate_with_lock_left_behind_succeeds(data_dir: Path) -> None:
    with embedded.running(data_dir) as url, psycopg.connect(url) as connection:
        connection.execute("INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now(), 1)")
    assert run("migrate", data_dir=data_dir).stdout == "Nothing to apply\n"


def waiting_for_locks(connection: psycopg.Connection) -> bool:
    query = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    return connection.execute(query).fetchone() is not None
