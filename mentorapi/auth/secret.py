"""The secret that signs tokens where no key is configured."""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from mentorapi.startup import StartupError


def kept_secret(data_dir: Path) -> str:
    """The secret in ``<data_dir>/jwt_secret``, made at the first call. Raises StartupError."""
    path = data_dir / "jwt_secret"
    try:
        if not path.exists():
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            _make(path)
        secret = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "it is not text"
        raise StartupError(f"cannot keep the signing secret in {path}: {cause}") from error
    if len(secret.encode()) < 32:
        raise StartupError(
            f"the signing secret in {path} is shorter than 32 bytes: remove the file"
        )
    return secret


def _make(path: Path) -> None:
    """Whole or not at all; of several processes at once, the first one's secret stays."""
    # mkstemp gives mode 0600.
    descriptor, draft = tempfile.mkstemp(prefix="jwt_secret.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.unlink(draft)
