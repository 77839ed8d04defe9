"""Bearer tokens: from an Authorization header to the caller.

Times are seconds since 1970 in UTC. ``exp`` is exact; ``nbf`` and ``iat`` may be
`CLOCK_SKEW_SECONDS` ahead, since a token is often used in the second in which another machine
issued it.
"""

import hashlib
import logging
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cachetools import LRUCache

from mentorapi import errors
from mentorapi.auth.jwks import KeySet
from mentorapi.auth.keys import Key
from mentorapi.schemas.validation import MAX_NESTING, is_nested_deeper, is_visible, is_web_url

log = logging.getLogger(__name__)

CLOCK_SKEW_SECONDS = 5
MAX_TOKEN_LENGTH = 8192
MAX_CACHED_TOKENS = 4096

MAX_SUBJECT_LENGTH = 255
MAX_NAME_LENGTH = 120
MAX_EMAIL_LENGTH = 320
MAX_URL_LENGTH = 2048

#: NUL and lone surrogates, which PostgreSQL or UTF-8 cannot hold, and control characters.
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

_MESSAGES: dict[type[jwt.PyJWTError], str] = {
    jwt.InvalidIssuerError: "Token is from another issuer",
    jwt.InvalidAudienceError: "Token is for another audience",
    jwt.InvalidSignatureError: "Token has an invalid signature",
    jwt.InvalidAlgorithmError: "Token is signed with an algorithm that is not accepted",
}


@dataclass(frozen=True, slots=True)
class Caller:
    """The user of a verified token. Optional claims that are malformed count as absent."""

    user_id: str
    name: str | None
    email: str | None
    picture: str | None
    expires_at: float
    #: Whole seconds since 1970; None for a token without ``iat``.
    issued_at: int | None = None


class Verifier:
    """A verifier of tokens, with one key or the keys of one key set.

    `start` it once, then share it. Belongs to one event loop.
    """

    def __init__(
        self, keys: Key | KeySet, *, issuer: str | None = None, audience: str | None = None
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._verified: LRUCache[bytes, Caller] = LRUCache(MAX_CACHED_TOKENS)

    async def start(self) -> None:
        """Fetch the key set. Raises UnusableKey."""
        if isinstance(self._keys, KeySet):
            await self._keys.start(on_change=self._verified.clear)

    def close(self) -> None:
        if isinstance(self._keys, KeySet):
            self._keys.close()

    async def caller_of(self, authorization: str | None) -> Caller:
        """The caller of a request with this Authorization header. Raises errors.Unauthorized."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            # RFC 6750, section 3.1: no error code if the request has no token.
            raise errors.Unauthorized(headers={"WWW-Authenticate": "Bearer"})
        return await self.verify(token.strip(" "))

    async def verify(self, token: str) -> Caller:
        """The caller of a compact JWT. Raises errors.Unauthorized for every other input."""
        if not token or len(token) > MAX_TOKEN_LENGTH or not token.isascii():
            raise errors.Unauthorized
        # The key is a digest: tokens stay out of memory, and each entry has the same size.
        digest = hashlib.sha256(token.encode()).digest()
        caller = self._verified.get(digest)
        # An expired token is verified again, which raises the error.
        if caller is None or caller.expires_at <= time.time():
            self._verified[digest] = caller = await self._verify_anew(token)
        return caller

    async def _verify_anew(self, token: str) -> Caller:
        try:
            key = self._keys if isinstance(self._keys, Key) else await self._keys.key_for(token)
            decoded = jwt.decode_complete(
                token,
                key.material,
                algorithms=[key.algorithm],
                issuer=self._issuer,
                audience=self._audience,
                options={
                    # Checked by caller_from: PyJWT accepts strings in place of numbers.
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                    "verify_sub": False,
                    "verify_jti": False,
                    "verify_aud": self._audience is not None,
                },
            )
            if is_nested_deeper([decoded["header"], decoded["payload"]], MAX_NESTING + 1):
                raise errors.Unauthorized
            return caller_from(decoded["payload"])
        except errors.Unauthorized:
            raise
        except jwt.MissingRequiredClaimError as error:
            raise errors.Unauthorized(f"Token has no valid {error.claim}") from None
        except jwt.PyJWTError as error:
            raise errors.Unauthorized(_MESSAGES.get(type(error))) from None
        except Exception as error:
            # Anybody can send a token, and the libraries raise other errors on some of them.
            log.info("Token refused: %s", type(error).__name__)
            raise errors.Unauthorized from None


def caller_from(claims: Mapping[str, Any]) -> Caller:
    """The caller that verified claims describe. Raises errors.Unauthorized."""
    now = time.time()
    expires_at = _instant(claims, "exp")
    if expires_at is None:
        raise errors.Unauthorized("Token has no valid exp")
    if expires_at <= now:
        raise errors.Unauthorized("Token has expired")
    not_before, issued_at = _instant(claims, "nbf"), _instant(claims, "iat")
    if max(not_before or 0, issued_at or 0) > now + CLOCK_SKEW_SECONDS:
        raise errors.Unauthorized("Token is not valid yet")
    subject, name = claims.get("sub"), _text(claims.get("name"))
    # The subject is not trimmed: the trimmed id could be another user's.
    if not isinstance(subject, str) or not _text(subject, MAX_SUBJECT_LENGTH):
        raise errors.Unauthorized("Token has no valid sub")
    picture = _text(claims.get("picture"), MAX_URL_LENGTH)
    return Caller(
        user_id=subject,
        name=name[:MAX_NAME_LENGTH].rstrip() if name and is_visible(name) else None,
        email=_text(claims.get("email"), MAX_EMAIL_LENGTH),
        picture=picture if picture and is_web_url(picture) else None,
        expires_at=expires_at,
        issued_at=int(issued_at) if issued_at is not None and issued_at >= 0 else None,
    )


def _instant(claims: Mapping[str, Any], claim: str) -> float | None:
    """The number of a claim; None if absent. Raises errors.Unauthorized unless it is finite."""
    value = claims.get(claim)
    if value is None:
        return None
    # False for NaN as well.
    if type(value) in (int, float) and abs(value) <= sys.float_info.max:
        return float(value)
    raise errors.Unauthorized(f"Token has no valid {claim}")


def _text(value: object, max_length: int = MAX_TOKEN_LENGTH) -> str | None:
    if not isinstance(value, str) or len(value) > max_length or _FORBIDDEN.search(value):
        return None
    return value.strip() or None
