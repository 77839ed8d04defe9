"""Every setting, read from the environment once and checked before anything starts."""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

from mentorapi.auth.keys import MIN_SECRET_BYTES, UnusableKey, key_from_pem
from mentorapi.errors import StartupError
from mentorapi.schemas.validation import is_web_url

PREFIX = "MENTORAPI_"
#: How the host of a Unix socket begins.
UNIX = "unix:"


class ConfigError(StartupError):
    """A setting is wrong; names its variable."""

    exit_code = 2


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The variable of the field ``port`` is ``MENTORAPI_PORT``, and so on; empty means not set."""

    data_dir: Path = Path("var")
    database_url: str | None = field(default=None, repr=False)
    # A host, or a Unix socket as unix:/path.
    host: str = "127.0.0.1"
    port: int = 8000
    # Let several processes listen on the port.
    reuse_port: bool = False
    jwt_secret: str | None = field(default=None, repr=False)
    # PEM text; the variable may name a file instead.
    jwt_public_key: str | None = None
    jwks_url: str | None = None
    jwt_issuer: str | None = None
    jwt_audience: str | None = None
    cors_origins: tuple[str, ...] = ()
    # Seconds.
    sweep_interval: float = 300.0
    media_url: str | None = field(default=None, repr=False)
    pool_size: int = 10
    log_format: Literal["text", "json"] = "text"
    # Host and port; without it, the metrics are on the main address.
    metrics_address: tuple[str, int] | None = None
    trace_sql: bool = False
    # Base of absolute links in answers; without it, the address that the server listens on.
    public_url: str | None = None
    behind_proxy: bool = False

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Settings:
        """Read the environment. Raises ConfigError."""
        given = {
            name: value.strip()
            for name, value in env.items()
            if name.startswith(PREFIX) and value.strip()
        }
        _refuse_unknown(given)
        settings = cls(**{_field(name): _parse(name, value) for name, value in given.items()})
        _check_keys(settings)
        if settings.reuse_port and settings.host.startswith(UNIX):
            raise ConfigError("MENTORAPI_REUSE_PORT needs a port; MENTORAPI_HOST is a Unix socket")
        return settings

    @property
    def has_key(self) -> bool:
        return bool(self.jwt_secret or self.jwt_public_key or self.jwks_url)


def _field(variable: str) -> str:
    return variable.removeprefix(PREFIX).lower()


def _variable(field_name: str) -> str:
    return PREFIX + field_name.upper()


def _refuse_unknown(given: Mapping[str, str]) -> None:
    known = [_variable(name) for name in _PARSERS]
    for name in sorted(set(given) - set(known)):
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise ConfigError(f"{name} is no setting of mentorapi{hint}")


def _parse(variable: str, value: str) -> Any:
    try:
        return _PARSERS[_field(variable)](value)
    except UnicodeError:
        raise ConfigError(f"{variable} is not UTF-8 text") from None
    except ValueError as error:
        raise ConfigError(f"{variable} {error}") from None


def _check_keys(settings: Settings) -> None:
    keys = [
        name for name in ("jwt_secret", "jwt_public_key", "jwks_url") if getattr(settings, name)
    ]
    if len(keys) > 1:
        names = " and ".join(_variable(name) for name in keys)
        raise ConfigError(f"{names} exclude each other: set one of them")
    if settings.database_url and not keys:
        raise ConfigError(
            "MENTORAPI_DATABASE_URL is set, so a key must be set too: one of"
            " MENTORAPI_JWT_SECRET, MENTORAPI_JWT_PUBLIC_KEY, MENTORAPI_JWKS_URL"
        )


# Parsers, one for each kind of value. The text of their ValueError follows the variable's name ----


def _refuse(reason: str) -> NoReturn:
    raise ValueError(reason)


def _number_from(lowest: int, highest: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", value) or not lowest <= int(value) <= highest:
            _refuse(f"must be a whole number from {lowest} to {highest}")
        return int(value)

    return parse


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    # Some calls of asyncio and of the system count milliseconds in 32 bits.
    if not 0 < seconds <= 86_400:
        _refuse("must be a number of seconds above 0, a day (86400) at most")
    return seconds


def _address(value: str) -> tuple[str, int]:
    found = re.fullmatch(r"(?:([^\s/:@]+)|\[([0-9a-fA-F:.]+)\]):([0-9]{1,5})", value)
    if not found or int(found[3]) > 65_535:
        _refuse("must be a host and a port, like 127.0.0.1:9100 or [::1]:9100")
    return found[1] or found[2], int(found[3])


def _flag(value: str) -> bool:
    words = {"true": True, "yes": True, "on": True, "1": True}
    words |= {"false": False, "no": False, "off": False, "0": False}
    if value.lower() not in words:
        _refuse("must be true or false")
    return words[value.lower()]


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in allowed:
            _refuse(f"must be {' or '.join(allowed)}")
        return value

    return parse


def _database_url(value: str) -> str:
    # The parsers' own messages quote the URL, and with it the password.
    complaint = "must be a URL like postgresql://user:password@host:5432/database"
    if not value.startswith(("postgresql://", "postgres://")):
        _refuse(complaint)
    try:
        urlsplit(value)
        ports = str(conninfo_to_dict(value).get("port", ""))
    except (psycopg.ProgrammingError, ValueError):
        ports = "none"
    if not re.fullmatch(r"[0-9,]*", ports):
        _refuse(f"{complaint}; are special characters in the password percent-encoded?")
    return value


def _secret(value: str) -> str:
    if len(os.fsencode(value)) < MIN_SECRET_BYTES:
        _refuse(f"must have at least {MIN_SECRET_BYTES} bytes (try: openssl rand -base64 48)")
    return value


def _public_key(value: str) -> str:
    pem = value.replace("\\n", "\n") if "-----BEGIN" in value else _text_of(Path(value))
    try:
        key_from_pem(pem)
    except UnusableKey as error:
        _refuse(f"is unusable: {error}")
    return pem


def _text_of(path: Path) -> str:
    try:
        return path.expanduser().read_text()
    except OSError as error:
        _refuse(f"is neither PEM text nor a file that can be read ({error.strerror})")
    except (UnicodeDecodeError, RuntimeError):
        _refuse("names a file that holds no PEM text")


def _text(value: str) -> str:
    value.encode()
    return value


def _host(value: str) -> str:
    if value.startswith(UNIX) and not value.startswith(f"{UNIX}/"):
        _refuse("must be unix:/path for a Unix socket: the path starts at the root")
    return _text(value)


def _http_url(value: str) -> str:
    if not is_web_url(value):
        _refuse("must be a http:// or https:// URL")
    return value


def _media_url(value: str) -> str:
    """A bucket as s3://bucket/prefix; everything else as a path."""
    scheme, separator, rest = _text(value).partition("://")
    if not separator:
        return value
    if scheme.lower() == "file":
        path = unquote(rest.removeprefix("localhost"))
        if not path.startswith("/"):
            _refuse("must be file:///path for a folder: the path starts at the root")
        return path
    if scheme.lower() != "s3" or not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,62}(/[^?#\s]*)?", rest):
        _refuse("must be a folder, file:///path or s3://bucket/prefix")
    return f"s3://{rest.rstrip('/')}"


def _base_url(value: str) -> str:
    parts = urlsplit(_http_url(value))
    if parts.query or parts.fragment:
        _refuse("must be a URL without query and fragment")
    return value.rstrip("/")


def _origins(value: str) -> tuple[str, ...]:
    origins = tuple(dict.fromkeys(word.lower() for word in re.split(r"[,\s]+", value) if word))
    for origin in origins:
        if origin != "*" and not _is_origin(origin):
            _refuse(f"must list origins like https://app.example.com, or *; {origin!r} is none")
    return origins


def _is_origin(word: str) -> bool:
    host = r"(?:[^\s/?#@:\[\]]+|\[[0-9a-f:.]+\])"
    return re.fullmatch(rf"[a-z][a-z0-9+.-]*://{host}(?::[0-9]{{1,5}})?", word) is not None


_PARSERS: dict[str, Callable[[str], Any]] = {
    "data_dir": lambda value: Path(value).expanduser(),
    "database_url": _database_url,
    "host": _host,
    "port": _number_from(0, 65_535),
    "reuse_port": _flag,
    "jwt_secret": _secret,
    "jwt_public_key": _public_key,
    "jwks_url": _http_url,
    "jwt_issuer": _text,
    "jwt_audience": _text,
    "cors_origins": _origins,
    "sweep_interval": _seconds,
    "media_url": _media_url,
    "pool_size": _number_from(1, 1_000),
    "log_format": _one_of("text", "json"),
    "metrics_address": _address,
    "trace_sql": _flag,
    "public_url": _base_url,
    "behind_proxy": _flag,
}
