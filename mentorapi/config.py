"""Every setting, read from the environment once and checked before anything starts."""

import difflib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_type_hints
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

from mentorapi.auth.keys import UnusableKey, key_from_pem, key_from_secret
from mentorapi.errors import StartupError
from mentorapi.schemas.validation import is_web_url

PREFIX = "MENTORAPI_"
#: How the host of a Unix socket begins.
UNIX = "unix:"

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:[^\s/?#@:\[\]]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")


class ConfigError(StartupError):
    """A wrong setting. The message names its variable."""

    exit_code = 2


# Parsers, one for each kind of value. The text of their ValueError follows the variable's name ----


def _path(value: str) -> Path:
    try:
        return Path(value).expanduser()
    except RuntimeError:
        raise ValueError("begins with the home folder of a user that does not exist") from None


def _number_from(lowest: int, highest: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", value) or not lowest <= int(value) <= highest:
            raise ValueError(f"must be a whole number from {lowest} to {highest}")
        return int(value)

    return parse


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    # Some calls of asyncio and of the system count milliseconds in 32 bits.
    if not 0 < seconds <= 86_400:
        raise ValueError("must be a number of seconds above 0, a day (86400) at most")
    return seconds


def _address(value: str) -> tuple[str, int]:
    found = re.fullmatch(r"(?:([^\s/:@]+)|\[([0-9a-fA-F:.]+)\]):([0-9]{1,5})", value)
    if not found or int(found[3]) > 65_535:
        raise ValueError("must be a host and a port, like 127.0.0.1:9100 or [::1]:9100")
    return found[1] or found[2], int(found[3])


def _flag(value: str) -> bool:
    if value.lower() in ("true", "yes", "on", "1"):
        return True
    if value.lower() in ("false", "no", "off", "0"):
        return False
    raise ValueError("must be true or false")


def _log_format(value: str) -> str:
    if value not in ("text", "json"):
        raise ValueError("must be text or json")
    return value


def _database_url(value: str) -> str:
    # The parsers' own messages quote the URL, and with it the password.
    complaint = "must be a URL like postgresql://user:password@host:5432/database"
    if not value.startswith(("postgresql://", "postgres://")):
        raise ValueError(complaint)
    try:
        urlsplit(value)
        ports = str(conninfo_to_dict(value).get("port", ""))
        is_valid = re.fullmatch(r"[0-9,]*", ports) is not None
    except (psycopg.ProgrammingError, ValueError):
        is_valid = False
    if not is_valid:
        raise ValueError(f"{complaint}; are special characters in the password percent-encoded?")
    return value


def _secret(value: str) -> str:
    key_from_secret(value)
    return value


def _public_key(value: str) -> str:
    try:
        is_pem = "-----BEGIN" in value
        pem = value.replace("\\n", "\n") if is_pem else _path(value).read_text()
        key_from_pem(pem)
    except OSError as error:
        complaint = f"is neither PEM text nor a file that can be read ({error.strerror})"
        raise ValueError(complaint) from None
    except UnicodeDecodeError:
        raise ValueError("names a file that holds no PEM text") from None
    return pem


def _text(value: str) -> str:
    """Text in UTF-8. Raises UnicodeError: os.environ has surrogates for other bytes."""
    value.encode()
    return value


def _host(value: str) -> str:
    if value.startswith(UNIX) and not value.startswith(f"{UNIX}/"):
        raise ValueError("must be unix:/path for a Unix socket: the path starts at the root")
    return _text(value)


def _http_url(value: str) -> str:
    if not is_web_url(value):
        raise ValueError("must be a http:// or https:// URL")
    return value


def _media_url(value: str) -> str:
    """A bucket as s3://bucket/prefix; everything else as a path."""
    scheme, separator, rest = _text(value).partition("://")
    if not separator:
        return value
    if scheme.lower() == "file":
        path = unquote(rest.removeprefix("localhost"))
        if not path.startswith("/"):
            raise ValueError("must be file:///path for a folder: the path starts at the root")
        return path
    if scheme.lower() != "s3" or not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,62}(/[^?#\s]*)?", rest):
        raise ValueError("must be a folder, file:///path or s3://bucket/prefix")
    return f"s3://{rest.rstrip('/')}"


def _base_url(value: str) -> str:
    parts = urlsplit(_http_url(value))
    if parts.query or parts.fragment:
        raise ValueError("must be a URL without query and fragment")
    return value.rstrip("/")


def _origins(value: str) -> tuple[str, ...]:
    origins = tuple(dict.fromkeys(word.lower() for word in re.split(r"[,\s]+", value) if word))
    for origin in origins:
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise ValueError(
                f"must list origins like https://app.example.com, or *; {origin!r} is none"
            )
    return origins


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The variable of the field ``port`` is ``MENTORAPI_PORT``, and so on; empty means not set.

    Beside its type, each field has the parser of its variable.
    """

    data_dir: Annotated[Path, _path] = Path("var")
    database_url: Annotated[str | None, _database_url] = field(default=None, repr=False)
    # A host, or a Unix socket as unix:/path.
    host: Annotated[str, _host] = "127.0.0.1"
    port: Annotated[int, _number_from(0, 65_535)] = 8000
    # Let several processes listen on the port.
    reuse_port: Annotated[bool, _flag] = False
    jwt_secret: Annotated[str | None, _secret] = field(default=None, repr=False)
    # PEM text; the variable may name a file instead.
    jwt_public_key: Annotated[str | None, _public_key] = None
    jwks_url: Annotated[str | None, _http_url] = field(default=None, repr=False)
    jwt_issuer: Annotated[str | None, _text] = None
    jwt_audience: Annotated[str | None, _text] = None
    cors_origins: Annotated[tuple[str, ...], _origins] = ()
    # Seconds.
    sweep_interval: Annotated[float, _seconds] = 300.0
    media_url: Annotated[str | None, _media_url] = field(default=None, repr=False)
    pool_size: Annotated[int, _number_from(1, 1_000)] = 10
    log_format: Annotated[Literal["text", "json"], _log_format] = "text"
    # Host and port; without it, the metrics are on the main address.
    metrics_address: Annotated[tuple[str, int] | None, _address] = None
    trace_sql: Annotated[bool, _flag] = False
    # Base of absolute links in responses; without it, the address that the server listens on.
    public_url: Annotated[str | None, _base_url] = None
    behind_proxy: Annotated[bool, _flag] = False

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Self:
        """Read the environment. Raises ConfigError."""
        hints = get_type_hints(cls, include_extras=True)
        fields = {PREFIX + name.upper(): name for name in hints}
        values: dict[str, Any] = {}
        for variable, value in env.items():
            if not variable.startswith(PREFIX) or not value.strip():
                continue
            if variable not in fields:
                close = difflib.get_close_matches(variable, fields, n=1)
                hint = f"; did you mean {close[0]}?" if close else ""
                raise ConfigError(f"{variable} is no setting of mentorapi{hint}")
            name = fields[variable]
            try:
                values[name] = hints[name].__metadata__[0](value.strip())
            except UnicodeError:
                raise ConfigError(f"{variable} is not UTF-8 text") from None
            except UnusableKey as error:
                raise ConfigError(f"{variable} is unusable: {error}") from None
            except ValueError as error:
                raise ConfigError(f"{variable} {error}") from None
        settings = cls(**values)
        _check(settings)
        return settings

    @property
    def key_variables(self) -> list[str]:
        """The names of the variables that set a key: one at most."""
        names = ("jwt_secret", "jwt_public_key", "jwks_url")
        return [PREFIX + name.upper() for name in names if getattr(self, name)]


def _check(settings: Settings) -> None:
    """Check what concerns more than one setting."""
    keys = settings.key_variables
    if len(keys) > 1:
        raise ConfigError(f"{' and '.join(keys)} exclude each other: set one of them")
    if settings.reuse_port and settings.host.startswith(UNIX):
        raise ConfigError("MENTORAPI_REUSE_PORT needs a port; MENTORAPI_HOST is a Unix socket")
