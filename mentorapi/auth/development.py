"""Tokens for development, and the secret that signs them when no key is configured."""

import os
import secrets
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import jwt

from mentorapi.auth.keys import UnusableKey, key_from_secret
from mentorapi.errors import StartupError


def make_token(secret: str, *, sub: str, ttl_seconds: float, **claims: object) -> str:
    """An HS256 token, as the platform's issuer would sign it.

    Claims that are None are left out. Raises UnusableKey.
    """
    now = int(time.time())
    payload = {"sub": sub, "iat": now, "exp": now + ttl_seconds}
    payload |= {claim: value for claim, value in claims.items() if value is not None}
    key = key_from_secret(secret)
    return jwt.encode(payload, key.material, algorithm=key.algorithm)  # type: ignore[arg-type]


def load_or_create_secret(data_dir: Path) -> str:
    """The secret in ``<data_dir>/jwt_secret``, created at the first call. Raises StartupError."""
    path = data_dir / "jwt_secret"
    try:
        if not path.exists():
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            _create(path)
        secret = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "it is not text"
        raise StartupError(f"cannot keep the signing secret in {path}: {cause}") from error
    try:
        key_from_secret(secret)
    except UnusableKey as error:
        raise StartupError(f"remove {path}: {error}") from error
    return secret


def _create(path: Path) -> None:
    """Create the file atomically. If several processes do so at once, the first file stays."""
    # The temporary file has mode 0600, and the link is the same file.
    with tempfile.NamedTemporaryFile("w", prefix="jwt_secret.", dir=path.parent) as draft:
        draft.write(secrets.token_urlsafe(48) + "\n")
        draft.flush()
        os.fsync(draft.fileno())
        with suppress(FileExistsError):
            os.link(draft.name, path)
