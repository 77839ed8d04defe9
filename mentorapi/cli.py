"""The command line: one subcommand for each task of an operator."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import asyncpg
import uvloop
from psycopg.conninfo import conninfo_to_dict

from mentorapi.auth.development import load_or_create_secret, make_token
from mentorapi.config import ConfigError, Settings
from mentorapi.database import embedded
from mentorapi.database.connections import check_server, open_pool, reason
from mentorapi.database.migrate import migrate
from mentorapi.errors import StartupError, Unavailable
from mentorapi.schemas.common import PREFIX
from mentorapi.telemetry import logs

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from mentorapi.http.sockets import Sockets


def main(arguments: Sequence[str] | None = None) -> int:
    args = _parser().parse_args(arguments)
    received: list[int] = []
    _handle_signals(partial(_leave, received))
    try:
        settings = Settings.from_env()
        logs.configure(settings.log_format)
        args.command(settings, args)
        sys.stdout.flush()
    except StartupError as error:
        if received:
            # The signal is its cause.
            return 128 + received[0]
        print(f"mentorapi: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # As in `run.py demo | head`. When it ends, Python would write again and print the error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    finally:
        # From here on, an exception would be printed.
        _handle_signals(signal.SIG_DFL)
    return 0


def _handle_signals(handler: Any) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A shell ignores SIGINT for what it runs in the background, and nohup SIGHUP.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


def _leave(received: list[int], signum: int, _frame: object) -> None:
    """End the command by an exception, so that the embedded PostgreSQL is stopped."""
    received.append(signum)
    # A second signal would interrupt what the first one has begun.
    _handle_signals(lambda *_: None)
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        sys.exit(128 + signum)
    # Between two callbacks: one that is interrupted may never wake the task that waits for it.
    loop.call_soon_threadsafe(sys.exit, 128 + signum)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run.py",
        description="Mentorship booking over HTTP. Its settings are MENTORAPI_* variables.",
    )
    parser.set_defaults(command=_serve)
    commands = parser.add_subparsers(metavar="command", title="commands")

    def add(name: str, command: Any, help_text: str) -> argparse.ArgumentParser:
        subparser = commands.add_parser(name, help=help_text, description=help_text)
        subparser.set_defaults(command=command)
        return subparser

    add("serve", _serve, "Serve the API (the default).")
    add("migrate", _migrate, "Bring the database's schema up to date.")
    add("sweep", _sweep, "Move on sessions and requests whose time has come, once.")
    add("demo", _demo, "Fill an empty database with people and sessions to look around in.")
    add("openapi", _openapi, "Print the OpenAPI document.")
    token = add("token", _token, "Print a token for development.")
    token.add_argument("--sub", required=True, help="the user's id")
    for claim in ("name", "email", "picture"):
        token.add_argument(f"--{claim}")
    token.add_argument("--role", action="append", default=[], dest="roles", help="may be repeated")
    token.add_argument("--days", type=int, default=30, help="until it expires (30)")
    return parser


def _serve(settings: Settings, _args: argparse.Namespace) -> None:
    # Imported here: the other commands start sooner without the handlers.
    from mentorapi import server
    from mentorapi.http.sockets import bind

    sockets = bind(settings)
    settings = _with_key(settings)
    with _database(settings) as (url, version):
        migrate(url)
        uvloop.run(
            server.serve(settings, url, sockets, lambda: _announce(settings, version, sockets))
        )


def _announce(settings: Settings, version: str, sockets: Sockets) -> None:
    from mentorapi.http.sockets import port_of, url_of

    if settings.database_url is None:
        place = f"embedded in {settings.data_dir / 'postgres'}"
    else:
        parts = conninfo_to_dict(settings.database_url)
        place = f"database {parts.get('dbname', '')} on {parts.get('host', 'this machine')}"
    lines = [f"PostgreSQL {version}, {place}", f"Listening on {sockets.address}{PREFIX}"]
    if settings.metrics_address:
        host = settings.metrics_address[0]
        lines.append(f"Metrics on {url_of(host, port_of(sockets.metrics))}/metrics")
    if settings.jwt_secret:
        lines.append('Next: run.py demo, or run.py token --sub ada --name "Ada". Ctrl-C ends.')
    print("\n".join(lines), flush=True)
    # Clients cannot use the address of a wildcard or of a Unix socket; client_url is another one.
    if settings.public_url is None and sockets.address != sockets.client_url:
        log.warning(
            "MENTORAPI_PUBLIC_URL is not set: addresses of uploaded images begin with %s",
            sockets.client_url,
        )


def _migrate(settings: Settings, _args: argparse.Namespace) -> None:
    with _database(settings) as (url, _):
        applied = migrate(url)
    print("\n".join(f"Applied {name}" for name in applied) or "Nothing to apply")


def _sweep(settings: Settings, _args: argparse.Namespace) -> None:
    from mentorapi.jobs import sweep

    changed = _with_pool(settings, sweep.run)
    sessions, requests = changed["sessions"], changed["requests"]
    print(f"{sessions} session{'' if sessions == 1 else 's'} moved on")
    if requests:
        print(f"{requests} unanswered request{'' if requests == 1 else 's'} expired")


def _demo(settings: Settings, _args: argparse.Namespace) -> None:
    from mentorapi.demo.fill import fill

    settings = _with_key(settings)
    print(_with_pool(settings, lambda pool: fill(pool, settings)))


def _openapi(settings: Settings, _args: argparse.Namespace) -> None:
    from mentorapi.openapi import document

    url = settings.public_url and f"{settings.public_url}{PREFIX}"
    print(json.dumps(document(url), ensure_ascii=False, indent=2))


def _with_pool(settings: Settings, work: Any) -> Any:
    async def run(url: str) -> Any:
        pool = await open_pool(url, settings.pool_size)
        try:
            return await work(pool)
        except (Unavailable, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            why = reason(error.__cause__ or error)
            raise StartupError(f"the database refuses: {why}") from error
        finally:
            await pool.close()

    with _database(settings) as (url, _):
        migrate(url)
        return asyncio.run(run(url))


def _token(settings: Settings, args: argparse.Namespace) -> None:
    settings = _with_key(settings)
    if settings.jwt_secret is None:
        raise ConfigError(
            "token signs with MENTORAPI_JWT_SECRET, but the key that is set can only verify"
        )
    if args.days < 1:
        raise ConfigError("--days must be 1 or more")
    token = make_token(
        settings.jwt_secret,
        sub=args.sub,
        ttl_seconds=args.days * 86_400,
        name=args.name,
        email=args.email,
        picture=args.picture,
        roles=args.roles or None,
        iss=settings.jwt_issuer,
        aud=settings.jwt_audience,
    )
    print(token)


def _with_key(settings: Settings) -> Settings:
    """The settings with a key. Raises ConfigError."""
    if settings.key_variables:
        return settings
    if settings.database_url:
        raise ConfigError(
            "MENTORAPI_DATABASE_URL is set, so a key must be set too: one of"
            " MENTORAPI_JWT_SECRET, MENTORAPI_JWT_PUBLIC_KEY, MENTORAPI_JWKS_URL"
        )
    return replace(settings, jwt_secret=load_or_create_secret(settings.data_dir))


@contextmanager
def _database(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield the URL of the database, and the version of its server."""
    if settings.database_url:
        yield settings.database_url, check_server(settings.database_url)
    else:
        with embedded.running(settings.data_dir) as url:
            yield url, check_server(url)
