"""The Idempotency-Key header of POST requests (draft-ietf-httpapi-idempotency-key-header)."""

import re

from mentorapi import errors

HEADER = "Idempotency-Key"

#: The draft wants a quoted string; most clients send a UUID without quotes.
_KEY = re.compile(r'"?([!#-~]{1,255})"?')


def read_key(header: str | None) -> str | None:
    """The key in a header, None without a header. Raises ValidationFailed."""
    if header is None:
        return None
    key = _KEY.fullmatch(header)
    if key is None:
        raise errors.ValidationFailed.of(
            HEADER, "must be 1 to 255 visible ASCII characters", "format"
        )
    return key[1]
