"""Bearer tokens: from an Authorization header to the caller it speaks for.

One `Verifier` per process. It trusts one source of keys, and each key has exactly one algorithm;
what a token's header claims only selects among the keys, never how a key is used. So there is no
``alg: none`` and no public key taken for an HMAC secret.

Times are seconds since 1970 in UTC. ``exp`` is exact; ``nbf`` and ``iat`` may be `CLOCK_SKEW`
seconds ahead, since a token is often used in the second it was issued, by another machine's clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import math
import os
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from tornado.httpclient import AsyncHTTPClient

from mentorapi import errors
from mentorapi.schemas.validation import is_visible

log = logging.getLogger(__name__)

SECRET_BYTES = 32
RSA_BITS = 2048
CLOCK_SKEW = 5
TOKEN_LENGTH = 8192
#: Levels of lists and objects in a token or a key set. The limit of Python's own reader is a
#: thousand levels in 3.11 and many more in 3.13.
MAX_NESTING = 64
CACHED_TOKENS = 4096

SUBJECT_LENGTH = 255
NAME_LENGTH = 120
EMAIL_LENGTH = 320
URL_LENGTH = 2048

JWKS_INTERVAL = 300
JWKS_RETRY_INTERVAL = 10
JWKS_TIMEOUT = 5
JWKS_BYTES = 1024 * 1024

# What PostgreSQL or UTF-8 cannot hold (NUL, lone surrogates), and what no name or id contains.
_UNCLEAN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_WEB_URL = re.compile(r"https?://[^\s<>\"\\]+")

_NO_TOKEN = errors.Unauthorized.default_message()
_EXPIRED = "Token has expired"


class UnusableKey(ValueError):
    """A configured key, secret or key set cannot be used; the message is for the operator."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a verified token speaks for. Optional claims that are malformed count as absent."""

    user_id: str
    name: str | None
    email: str | None
    picture: str | None
    roles: frozenset[str]
    expires_at: float
    #: Whole seconds since 1970; None for a token without ``iat``.
    issued_at: int | None = None


PublicKey: TypeAlias = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class Key:
    algorithm: str
    material: bytes | PublicKey


#: By ``kid``, then by algorithm.
KeysById: TypeAlias = dict[str | None, dict[str, Key]]


class KeySource(Protocol):
    async def start(self, on_change: Callable[[], None]) -> None:
        """Make the keys ready; call `on_change` whenever a key is withdrawn or replaced later."""

    async def close(self) -> None: ...

    async def key_for(self, token: str) -> Key:
        """The one key that may have signed the token. Raises Unauthorized or a PyJWTError."""


class FixedKey:
    """The one key named by the configuration."""

    def __init__(self, key: Key) -> None:
        self._key = key

    async def start(self, on_change: Callable[[], None]) -> None:
        pass

    async def close(self) -> None:
        pass

    async def key_for(self, token: str) -> Key:
        return self._key


class KeySet:
    """The published keys of an issuer (RFC 7517), fetched every `JWKS_INTERVAL` seconds.

    While the issuer cannot be reached, the last copy stays in use. A token signed with a key that
    is not in the copy waits for a fetch, so that a new key drops no request; such tokens cause one
    fetch per `JWKS_RETRY_INTERVAL` seconds at most, since anybody can make them up.
    """

    def __init__(self, url: str) -> None:
        if not _is_web_url(url):
            raise UnusableKey("The address of the key set must be an http or https URL")
        self._url = url
        self._keys: KeysById = {}
        self._fetched_at = -math.inf
        self._fetching: asyncio.Task[None] | None = None
        self._refreshing: asyncio.Task[None] | None = None

    async def start(self, on_change: Callable[[], None]) -> None:
        """Raises UnusableKey if the first fetch fails: better no service than one that answers
        every caller with 401."""
        self._on_change = on_change
        self._client = AsyncHTTPClient(force_instance=True, max_body_size=JWKS_BYTES)
        try:
            self._keys = await self._fetch()
        except Exception as error:
            self._client.close()
            raise UnusableKey(f"Cannot read the key set at {self._url}: {error}") from error
        if not self._keys:
            self._client.close()
            raise UnusableKey(f"The key set at {self._url} has no RS256, ES256 or EdDSA key")
        self._refreshing = asyncio.create_task(self._refresh_forever())

    async def close(self) -> None:
        for task in (self._refreshing, self._fetching):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        self._client.close()

    async def key_for(self, token: str) -> Key:
        header = jwt.get_unverified_header(token)
        kid, algorithm = header.get("kid"), header.get("alg")
        key = self._find(kid, algorithm)
        if key is None:
            await self._refresh_for_unknown_key()
            key = self._find(kid, algorithm)
        if key is None:
            raise errors.Unauthorized("Token is signed with an unknown key")
        return key

    def _find(self, kid: str | None, algorithm: str | None) -> Key | None:
        """Of keys that share a kid, or have none, the one that fits the token's algorithm."""
        keys = self._keys.get(kid)
        if kid is None and len(self._keys) == 1:
            (keys,) = self._keys.values()
        if keys is None:
            return None
        return keys.get(algorithm or "") or next(iter(keys.values()))

    async def _refresh_forever(self) -> None:
        while True:
            await asyncio.sleep(JWKS_INTERVAL)
            await self._refresh()

    async def _refresh_for_unknown_key(self) -> None:
        if self._fetching is None and time.monotonic() - self._fetched_at < JWKS_RETRY_INTERVAL:
            return
        await self._refresh()

    async def _refresh(self) -> None:
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._replace_keys())
        # Shielded: whoever waits may be cancelled without taking the fetch from the others.
        await asyncio.shield(self._fetching)

    async def _replace_keys(self) -> None:
        try:
            keys = await self._fetch()
        except Exception as error:
            log.warning("Key set at %s not refreshed, the last copy stays: %s", self._url, error)
        else:
            if keys != self._keys:
                count = sum(map(len, keys.values()))
                log.info("Key set at %s changed: %d usable keys", self._url, count)
                self._keys = keys
                self._on_change()
        finally:
            self._fetching = None

    async def _fetch(self) -> KeysById:
        self._fetched_at = time.monotonic()
        response = await self._client.fetch(
            self._url,
            connect_timeout=JWKS_TIMEOUT,
            request_timeout=JWKS_TIMEOUT,
            follow_redirects=False,
        )
        return read_key_set(response.body)


class Verifier:
    """Verifies tokens. Build it with one of the `from_…` methods, `start` it once, then share it.

    Belongs to one event loop.
    """

    def __init__(
        self, keys: KeySource, *, issuer: str | None = None, audience: str | None = None
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._cache: OrderedDict[bytes, Caller] = OrderedDict()

    @classmethod
    def from_secret(
        cls, secret: str | bytes, *, issuer: str | None = None, audience: str | None = None
    ) -> Verifier:
        """HS256. Raises UnusableKey for a secret that is too short or a key in disguise."""
        return cls(FixedKey(Key("HS256", _secret(secret))), issuer=issuer, audience=audience)

    @classmethod
    def from_public_key(
        cls, pem: str | bytes, *, issuer: str | None = None, audience: str | None = None
    ) -> Verifier:
        """RS256, ES256 or EdDSA, as the key's type says. Raises UnusableKey."""
        return cls(FixedKey(read_public_key(pem)), issuer=issuer, audience=audience)

    @classmethod
    def from_jwks(
        cls, url: str, *, issuer: str | None = None, audience: str | None = None
    ) -> Verifier:
        """RS256, ES256 and EdDSA keys published at a URL. Raises UnusableKey; so does `start`."""
        return cls(KeySet(url), issuer=issuer, audience=audience)

    async def start(self) -> None:
        await self._keys.start(on_change=self._cache.clear)

    async def close(self) -> None:
        await self._keys.close()

    async def caller_of(self, authorization: str | None) -> Caller:
        """The caller of a request with this Authorization header. Raises errors.Unauthorized."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            # RFC 6750, section 3.1: no error code where there is no token.
            raise errors.Unauthorized(headers={"WWW-Authenticate": "Bearer"})
        return await self.verify(token.strip(" "))

    async def verify(self, token: str) -> Caller:
        """The caller a compact JWT speaks for. Raises errors.Unauthorized, whatever the input."""
        if not token or len(token) > TOKEN_LENGTH or not token.isascii():
            raise errors.Unauthorized
        # By digest: the cache holds no tokens, and its size does not depend on theirs.
        digest = hashlib.sha256(token.encode()).digest()
        caller = self._cache.get(digest)
        if caller is None:
            caller = await self._check(token)
            self._remember(digest, caller)
        elif caller.expires_at <= time.time():
            del self._cache[digest]
            raise errors.Unauthorized(_EXPIRED)
        else:
            self._cache.move_to_end(digest)
        return caller

    async def _check(self, token: str) -> Caller:
        try:
            return caller_from(self._claims(token, await self._keys.key_for(token)))
        except errors.Unauthorized:
            raise
        except jwt.PyJWTError as error:
            raise errors.Unauthorized(_message(error)) from None
        except Exception as error:
            # A token is anybody's input: what the libraries do not foresee is no fault of ours.
            log.info("Token refused: %s", type(error).__name__)
            raise errors.Unauthorized from None

    def _claims(self, token: str, key: Key) -> dict[str, Any]:
        decoded = jwt.decode_complete(
            token,
            key.material,
            algorithms=[key.algorithm],
            issuer=self._issuer,
            audience=self._audience,
            options={
                # The times and sub are checked in caller_from: PyJWT takes strings for numbers.
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
                "verify_sub": False,
                "verify_jti": False,
                "verify_aud": self._audience is not None,
            },
        )
        if is_nested_deeper(decoded["header"]) or is_nested_deeper(decoded["payload"]):
            raise errors.Unauthorized
        claims: dict[str, Any] = decoded["payload"]
        return claims

    def _remember(self, digest: bytes, caller: Caller) -> None:
        self._cache[digest] = caller
        if len(self._cache) > CACHED_TOKENS:
            self._cache.popitem(last=False)


def is_nested_deeper(value: object, levels: int = MAX_NESTING) -> bool:
    """Whether JSON has more levels of lists and objects than this."""
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return False
    return levels == 0 or any(is_nested_deeper(entry, levels - 1) for entry in value)


def caller_from(claims: Mapping[str, Any]) -> Caller:
    """The caller that verified claims describe. Raises errors.Unauthorized."""
    now = time.time()
    expires_at = _instant(claims, "exp")
    if expires_at is None:
        raise errors.Unauthorized("Token has no valid exp")
    if expires_at <= now:
        raise errors.Unauthorized(_EXPIRED)
    for claim in ("nbf", "iat"):
        valid_from = _instant(claims, claim)
        if valid_from is not None and valid_from > now + CLOCK_SKEW:
            raise errors.Unauthorized("Token is not valid yet")
    name = _text(claims.get("name"))
    if name is not None and not is_visible(name):
        name = None
    return Caller(
        user_id=_subject(claims),
        name=name and name[:NAME_LENGTH].rstrip(),
        email=_text(claims.get("email"), EMAIL_LENGTH),
        picture=_picture(claims),
        roles=_roles(claims),
        expires_at=expires_at,
        issued_at=_issued_at(claims),
    )


def _issued_at(claims: Mapping[str, Any]) -> int | None:
    """None where it makes no sense, too; it was checked not to lie in the future."""
    issued_at = _instant(claims, "iat")
    return int(issued_at) if issued_at is not None and issued_at >= 0 else None


def _subject(claims: Mapping[str, Any]) -> str:
    subject = claims.get("sub")
    # Kept to the letter: a trimmed id could be somebody else's.
    if _text(subject, SUBJECT_LENGTH) is None or not isinstance(subject, str):
        raise errors.Unauthorized("Token has no valid sub")
    return subject


def _instant(claims: Mapping[str, Any], claim: str) -> float | None:
    """None if absent. Raises errors.Unauthorized for anything but a finite number."""
    value = claims.get(claim)
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            instant = float(value)
            if math.isfinite(instant):
                return instant
    raise errors.Unauthorized(f"Token has no valid {claim}")


def _text(value: object, length: int = TOKEN_LENGTH) -> str | None:
    if not isinstance(value, str) or len(value) > length or _UNCLEAN.search(value):
        return None
    return value.strip() or None


def _picture(claims: Mapping[str, Any]) -> str | None:
    url = _text(claims.get("picture"), URL_LENGTH)
    return url if url is not None and _is_web_url(url) else None


def _is_web_url(text: str) -> bool:
    try:
        return _WEB_URL.fullmatch(text) is not None and bool(urlsplit(text).hostname)
    except ValueError:
        return False


def _roles(claims: Mapping[str, Any]) -> frozenset[str]:
    roles = claims.get("roles")
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        return frozenset()
    return frozenset(roles)


def _message(error: jwt.PyJWTError) -> str:
    match error:
        case jwt.InvalidIssuerError():
            return "Token is from another issuer"
        case jwt.InvalidAudienceError():
            return "Token is for another audience"
        case jwt.MissingRequiredClaimError():
            return f"Token has no valid {error.claim}"
        case jwt.InvalidSignatureError():
            return "Token has an invalid signature"
        case jwt.InvalidAlgorithmError():
            return "Token is signed with an algorithm that is not accepted"
        case _:
            return _NO_TOKEN


# Keys -----------------------------------------------------------------------------------------


def _secret(secret: str | bytes) -> bytes:
    # os.environ hands over bytes that are no UTF-8 as lone surrogates.
    material = os.fsencode(secret)
    if len(material) < SECRET_BYTES:
        raise UnusableKey(f"The signing secret must have at least {SECRET_BYTES} bytes")
    try:
        return jwt.get_algorithm_by_name("HS256").prepare_key(material)  # type: ignore[no-any-return]
    except jwt.InvalidKeyError:
        raise UnusableKey("The signing secret is a public key or certificate") from None


def read_public_key(pem: str | bytes) -> Key:
    """Raises UnusableKey for anything but a public RSA, P-256 or Ed25519 key in PEM."""
    material = pem.encode() if isinstance(pem, str) else pem
    if b"PRIVATE KEY" in material:
        raise UnusableKey("The key is a private key: configure its public half")
    try:
        public_key = load_pem_public_key(material)
    except Exception:
        raise UnusableKey("The key is not a public key in PEM format") from None
    return _key(public_key)


def _key(public_key: object) -> Key:
    match public_key:
        case RSAPublicKey():
            if public_key.key_size < RSA_BITS:
                raise UnusableKey(f"The RSA key must have at least {RSA_BITS} bits")
            return Key("RS256", public_key)
        case EllipticCurvePublicKey(curve=SECP256R1()):
            return Key("ES256", public_key)
        case Ed25519PublicKey():
            return Key("EdDSA", public_key)
        case _:
            raise UnusableKey("The key must be an RSA, P-256 or Ed25519 key")


def read_key_set(document: bytes) -> KeysById:
    """The usable keys of a JWK set; members of other kinds are passed over.

    Raises ValueError if the document is no JWK set.
    """
    try:
        members = json.loads(document)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if is_nested_deeper(members):
        raise ValueError("nested too deeply")
    if isinstance(members, dict):
        members = members.get("keys")
    if not isinstance(members, list):
        raise ValueError("not a JWK set")
    keys: KeysById = {}
    for member in members:
        # Whatever is wrong with one key, the others stay good.
        with contextlib.suppress(Exception):
            key = _published_key(member)
            keys.setdefault(_kid(member), {}).setdefault(key.algorithm, key)
    return keys


def _kid(member: Mapping[str, Any]) -> str | None:
    kid = member.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise UnusableKey("kid is not a string")
    return kid


def _published_key(member: Mapping[str, Any]) -> Key:
    if member.get("kty") == "oct" or "d" in member:
        raise UnusableKey("a secret that everybody can read")
    if member.get("use", "sig") != "sig" or "verify" not in member.get("key_ops", ["verify"]):
        raise UnusableKey("not for signatures")
    key = _key(jwt.PyJWK(dict(member)).key)
    if member.get("alg", key.algorithm) != key.algorithm:
        raise UnusableKey("meant for another algorithm")
    return key


# Development ----------------------------------------------------------------------------------


def make_token(secret: str | bytes, *, sub: str, ttl_seconds: float, **claims: object) -> str:
    """An HS256 token for development, as the platform's issuer would sign it.

    Claims that are None are left out. Raises UnusableKey.
    """
    now = int(time.time())
    payload = {"sub": sub, "iat": now, "exp": now + ttl_seconds}
    payload |= {claim: value for claim, value in claims.items() if value is not None}
    return jwt.encode(payload, _secret(secret), algorithm="HS256")
