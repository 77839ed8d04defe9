"""A start that fails says why in one line on stderr, without secrets."""

from __future__ import annotations

import gc
import re
import socket
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest

from mentorapi.auth.jwks import KeySet
from mentorapi.auth.keys import UnusableKey
from mentorapi.auth.tokens import Verifier
from mentorapi.config import ConfigError, Settings
from mentorapi.database import embedded
from mentorapi.errors import StartupError
from mentorapi.http.sockets import bind
from tests.conftest import FirstStarts, copy_folder, on
from tests.starting import Process, run, wait_until

SECRET = "not-to-be-printed-" * 3
PRIVATE = "-----BEGIN PRIVATE KEY-----\nnot-to-be-printed\n-----END PRIVATE KEY-----"
PUBLIC = PRIVATE.replace("PRIVATE", "PUBLIC")


def assert_one_line(ended: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    assert ended.returncode == code
    assert ended.stdout == ""
    assert ended.stderr.startswith("mentorapi: ")
    assert ended.stderr.endswith("\n")
    assert ended.stderr.count("\n") == 1
    assert "not-to-be-printed" not in ended.stderr
    for word in words:
        assert word in ended.stderr


WRONG = [
    ({"PORT": "http"}, "MENTORAPI_PORT must be a whole number from 0 to 65535"),
    ({"PORT": "65536"}, "MENTORAPI_PORT must be a whole number from 0 to 65535"),
    ({"PORT": "-1"}, "MENTORAPI_PORT must be a whole number from 0 to 65535"),
    ({"DATA_DIR": "~no-such-user/x"}, "MENTORAPI_DATA_DIR begins with the home folder of a user"),
    ({"POOL_SIZE": "0"}, "MENTORAPI_POOL_SIZE must be a whole number from 1 to 1000"),
    ({"SWEEP_INTERVAL": "0"}, "MENTORAPI_SWEEP_INTERVAL must be a number of seconds above 0"),
    ({"SWEEP_INTERVAL": "nan"}, "MENTORAPI_SWEEP_INTERVAL must be a number of seconds above 0"),
    ({"SWEEP_INTERVAL": "soon"}, "MENTORAPI_SWEEP_INTERVAL must be a number of seconds above 0"),
    ({"LOG_FORMAT": "xml"}, "MENTORAPI_LOG_FORMAT must be text or json"),
    ({"BEHIND_PROXY": "maybe"}, "MENTORAPI_BEHIND_PROXY must be true or false"),
    ({"PUBLIC_URL": "api.example.com"}, "MENTORAPI_PUBLIC_URL must be a http:// or https:// URL"),
    ({"PUBLIC_URL": "https://x.org/?a=1"}, "MENTORAPI_PUBLIC_URL must be a URL without query"),
    ({"CORS_ORIGINS": "app.example.com"}, "'app.example.com' is none"),
    ({"CORS_ORIGINS": "https://a.org, https://b.org/path"}, "'https://b.org/path' is none"),
    (
        {"JWT_SECRET": "not-to-be-printed"},
        "MENTORAPI_JWT_SECRET is unusable: The signing secret must have at least 32 bytes",
    ),
    ({"JWT_SECRET": PUBLIC}, "MENTORAPI_JWT_SECRET is unusable: The signing secret is a public"),
    (
        {"JWT_PUBLIC_KEY": "/no/such/file"},
        "MENTORAPI_JWT_PUBLIC_KEY is neither PEM text nor a file",
    ),
    ({"JWT_PUBLIC_KEY": PRIVATE}, "MENTORAPI_JWT_PUBLIC_KEY is unusable: The key is a private key"),
    ({"JWKS_URL": "file:///keys"}, "MENTORAPI_JWKS_URL must be a http:// or https:// URL"),
    (
        {"JWT_SECRET": SECRET, "JWKS_URL": "https://id.example.com/keys"},
        "MENTORAPI_JWT_SECRET and MENTORAPI_JWKS_URL exclude each other",
    ),
    (
        {"DATABASE_URL": "mysql://me:not-to-be-printed@db/x", "JWT_SECRET": SECRET},
        "MENTORAPI_DATABASE_URL must be a URL like postgresql://",
    ),
    (
        {"DATABASE_URL": "postgresql://me:not-to-be-printed/5@db:x/x", "JWT_SECRET": SECRET},
        "special characters in the password",
    ),
    ({"MEDIA_URL": "ftp://host/x"}, "MENTORAPI_MEDIA_URL must be a folder, file:///path or s3://"),
    ({"MEDIA_URL": "s3://"}, "MENTORAPI_MEDIA_URL must be a folder, file:///path or s3://"),
    ({"MEDIA_URL": "s3://pictures?x=not-to-be-printed"}, "MENTORAPI_MEDIA_URL must be a folder"),
    ({"MEDIA_URL": "file://pictures"}, "MENTORAPI_MEDIA_URL must be file:///path for a folder"),
    ({"DATBASE_URL": "x"}, "did you mean MENTORAPI_DATABASE_URL?"),
    ({"NONSENSE": "x"}, "MENTORAPI_NONSENSE is no setting of mentorapi"),
    ({"HOST": "unix:api.sock"}, "MENTORAPI_HOST must be unix:/path for a Unix socket"),
    ({"HOST": "unix:/api.sock", "REUSE_PORT": "on"}, "MENTORAPI_REUSE_PORT needs a port"),
]


@pytest.mark.parametrize(("settings", "complaint"), WRONG, ids=lambda value: str(value)[:40])
def test_parse_wrong_setting_names_it(settings: dict[str, str], complaint: str) -> None:
    env = {f"MENTORAPI_{name}": value for name, value in settings.items()}
    with pytest.raises(ConfigError) as raised:
        Settings.from_env(env)
    assert complaint in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "not-to-be-printed" not in str(raised.value)


def test_parse_settings_gives_their_values() -> None:
    settings = Settings.from_env(
        {
            "MENTORAPI_CORS_ORIGINS": "https://App.example.com, http://localhost:3000",
            "MENTORAPI_BEHIND_PROXY": "Yes",
            "MENTORAPI_SWEEP_INTERVAL": " 0.5 ",
            "MENTORAPI_PUBLIC_URL": "https://api.example.com/",
            "MENTORAPI_PORT": "",
            "PATH": "/bin",
        }
    )
    assert settings.cors_origins == ("https://app.example.com", "http://localhost:3000")
    assert settings.behind_proxy
    assert settings.sweep_interval == 0.5
    assert settings.public_url == "https://api.example.com"
    assert settings.port == 8000


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("pictures", "pictures"),
        ("/srv/pictures", "/srv/pictures"),
        ("file:///srv/my%20pictures", "/srv/my pictures"),
        ("file://localhost/srv/pictures", "/srv/pictures"),
        ("s3://pictures", "s3://pictures"),
        ("S3://pictures/faces/", "s3://pictures/faces"),
    ],
)
def test_parse_media_url_gives_folder_or_bucket(given: str, meant: str) -> None:
    assert Settings.from_env({"MENTORAPI_MEDIA_URL": given}).media_url == meant


def test_print_settings_hides_secrets() -> None:
    env = {"JWT_SECRET": SECRET, "DATABASE_URL": "postgresql://me:not-to-be-printed@db/x"}
    settings = Settings.from_env({f"MENTORAPI_{name}": value for name, value in env.items()})
    assert "not-to-be-printed" not in repr(settings)


def test_start_with_wrong_setting_prints_one_line(tmp_path: Path) -> None:
    ended = run(data_dir=tmp_path / "var", PORT="http")
    assert_one_line(ended, 2, "MENTORAPI_PORT")
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize("command", ["serve", "demo", "token --sub ada"])
def test_start_on_own_database_without_a_key_is_refused(command: str, tmp_path: Path) -> None:
    url = "postgresql://me:not-to-be-printed@127.0.0.1:1/x"
    ended = run(*command.split(), data_dir=tmp_path / "var", PORT="0", DATABASE_URL=url)
    assert_one_line(ended, 2, "MENTORAPI_DATABASE_URL is set, so a key must be set too")
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_start_on_database_of_another_encoding_is_refused(
    encoding: str, postgres: str, tmp_path: Path
) -> None:
    name = f"encoded_in_{encoding}".lower()
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(
            f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0"
            " STRATEGY file_copy"
        )
        ended = run("sweep", data_dir=tmp_path, DATABASE_URL=on(postgres, name))
        admin.execute(f"DROP DATABASE {name}")
    assert_one_line(ended, 1, f"the encoding of the database is {encoding}", "UTF8")


def test_start_on_port_in_use_is_refused(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = run(data_dir=tmp_path / "var", PORT=port)
    assert_one_line(ended, 1, "127.0.0.1", port, "MENTORAPI_PORT", "in use")
    assert not (tmp_path / "var").exists()


def test_start_on_foreign_address_is_refused(tmp_path: Path) -> None:
    ended = run(data_dir=tmp_path / "var", HOST="192.0.2.1")
    assert_one_line(ended, 1, "192.0.2.1", "MENTORAPI_HOST")


#: Tornado leaves the socket of a failed attempt open until the garbage collector runs.
leaves_sockets = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"
)


def bind_error(**settings: Any) -> str:
    with pytest.raises(StartupError) as raised:
        bind(Settings(**settings))
    gc.collect()
    return str(raised.value)


@leaves_sockets
def test_start_on_a_port_that_a_server_does_not_share_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert "in use" in bind_error(port=port, reuse_port=True)


@leaves_sockets
def test_start_on_a_unix_socket_in_use_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    (listening,) = bind(Settings(host=f"unix:{path}")).main
    with listening:
        error = bind_error(host=f"unix:{path}")
    assert error.startswith(f"cannot listen on the Unix socket {path} (MENTORAPI_HOST): ")
    assert "in use" in error


@leaves_sockets
def test_start_on_a_file_that_is_no_socket_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "diary"
    path.write_text("dear")
    assert "the file is not a socket" in bind_error(host=f"unix:{path}")
    assert path.read_text() == "dear"
    assert "No such file or directory" in bind_error(host=f"unix:{tmp_path}/none/api.sock")
    assert "too long" in bind_error(host=f"unix:{tmp_path}/{'a' * 200}")


def test_start_with_impossible_data_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for command in ("serve", "migrate", "token --sub ada"):
        ended = run(*command.split(), data_dir=tmp_path / "file" / "var", elsewhere=tmp_path)
        assert_one_line(ended, 1, str(tmp_path / "file"), "Not a directory")


def test_start_without_room_for_the_database_is_refused(tmp_path: Path) -> None:
    small_files = ("sh", "-c", 'ulimit -f 500; exec "$@"', "sh")
    with Process(tmp_path / "var", "migrate", before=small_files) as migrating:
        complaint = migrating.complaint()
        assert migrating.ended() == 1
    assert re.fullmatch("mentorapi: initdb failed: could not write .*: File too large\n", complaint)


def test_start_with_other_files_in_database_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "var" / "postgres").mkdir(parents=True)
    (tmp_path / "var" / "postgres" / "diary").write_text("")
    assert_one_line(run("migrate", data_dir=tmp_path / "var"), 1, "not empty")


def test_start_with_database_of_another_version_is_refused(data_dir: Path) -> None:
    (data_dir / "postgres" / "PG_VERSION").write_text("13\n")
    ended = run("migrate", data_dir=data_dir)
    assert_one_line(ended, 1, "PostgreSQL did not start", "incompatible")


def test_start_with_truncated_secret_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "jwt_secret").write_text("short\n")
    assert_one_line(run("token", "--sub", "ada", data_dir=tmp_path), 1, "jwt_secret", "32 bytes")


def test_print_token_with_public_key_is_refused(tmp_path: Path) -> None:
    settings = {"JWKS_URL": "https://id.example.com/keys"}
    ended = run("token", "--sub", "ada", data_dir=tmp_path, **settings)
    assert_one_line(ended, 2, "MENTORAPI_JWT_SECRET")


async def test_start_with_unreachable_key_set_hides_its_password() -> None:
    url = "http://me:not-to-be-printed@127.0.0.1:1/keys?key=not-to-be-printed"
    settings = Settings.from_env({"MENTORAPI_JWKS_URL": url})
    assert "not-to-be-printed" not in repr(settings)
    with pytest.raises(UnusableKey, match=r"127.0.0.1.*MENTORAPI_JWKS_URL.*refused") as raised:
        await Verifier(KeySet(url)).start()
    assert "not-to-be-printed" not in str(raised.value)


def test_start_with_unreachable_database_is_refused(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"postgresql://me:not-to-be-printed@127.0.0.1:{free.getsockname()[1]}/x"
        for command in ("serve", "migrate", "sweep"):
            ended = run(command, data_dir=tmp_path, DATABASE_URL=url, JWT_SECRET=SECRET)
            assert_one_line(ended, 1, "MENTORAPI_DATABASE_URL", "refused")


def test_start_with_wrong_password_or_database_is_refused(
    tmp_path: Path, first_starts: FirstStarts
) -> None:
    theirs = copy_folder(first_starts.initialized, tmp_path / "theirs")
    with embedded.running(theirs) as url:
        require_passwords(theirs, url)
        address = url.partition("?")[2]

        def attempt(password: str, database: str) -> subprocess.CompletedProcess[str]:
            other = f"postgresql://guest:{password}@/{database}?{address}"
            return run("serve", data_dir=tmp_path, DATABASE_URL=other, JWT_SECRET=SECRET)

        assert_one_line(attempt("not-to-be-printed-2", "mentorapi"), 1, "password", '"guest"')
        assert_one_line(attempt("not-to-be-printed", "nowhere"), 1, '"nowhere" does not exist')
        # The right password and database, but a guest may not create tables in it.
        assert_one_line(attempt("not-to-be-printed", "mentorapi"), 1, "guest may not create")


def require_passwords(data_dir: Path, url: str) -> None:
    rules = data_dir / "postgres" / "pg_hba.conf"
    rules.write_text("local all guest scram-sha-256\nlocal all all trust\n")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE ROLE guest LOGIN PASSWORD 'not-to-be-printed'")
        connection.execute("SELECT pg_reload_conf()")
    wait_until(lambda: not passwordless(url))


def passwordless(url: str) -> bool:
    try:
        psycopg.connect(url, user="guest", password="wrong").close()
    except psycopg.OperationalError:
        return False
    return True
