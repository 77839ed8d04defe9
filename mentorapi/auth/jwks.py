"""Key sets that an issuer publishes at a URL (RFC 7517)."""

import asyncio
import contextlib
import json
import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import jwt
from tornado.httpclient import AsyncHTTPClient
from tornado.ioloop import PeriodicCallback

from mentorapi import errors
from mentorapi.auth.keys import Key, UnusableKey, key_from_public_key
from mentorapi.schemas.validation import MAX_NESTING, is_nested_deeper

log = logging.getLogger(__name__)

REFRESH_SECONDS = 300
#: Unknown keys cause one fetch in this time at most.
RETRY_SECONDS = 10
FETCH_TIMEOUT_SECONDS = 5
MAX_DOCUMENT_BYTES = 1024 * 1024


class KeySet:
    """The published keys of an issuer, fetched every `REFRESH_SECONDS`.

    While the issuer cannot be reached, the last copy stays in use. A token with an unknown key
    waits for a fetch, so that a new key is accepted at once. Anybody can invent such tokens, so
    they cause one fetch per `RETRY_SECONDS` at most.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        #: Its name in messages: without a password or a key that the URL may contain.
        self._issuer = f"{urlsplit(url).hostname} (MENTORAPI_JWKS_URL)"
        self._keys: list[Key] = []
        self._fetched_at = -math.inf
        self._fetching = asyncio.Lock()
        self._refreshing = PeriodicCallback(self._refresh, REFRESH_SECONDS * 1000)

    async def start(self, on_change: Callable[[], None]) -> None:
        """Fetch the keys; call `on_change` whenever a later fetch finds other keys.

        Raises UnusableKey if the first fetch fails: a server without keys would send a 401
        to every caller.
        """
        self._on_change = on_change
        try:
            self._keys = await self._fetch()
        except Exception as error:
            raise UnusableKey(f"Cannot read the key set of {self._issuer}: {error}") from error
        if not self._keys:
            raise UnusableKey(f"The key set of {self._issuer} has no RS256, ES256 or EdDSA key")
        self._refreshing.start()

    def close(self) -> None:
        self._refreshing.stop()

    async def key_for(self, token: str) -> Key:
        """The one key that may have signed the token. Raises Unauthorized or a PyJWTError."""
        header = jwt.get_unverified_header(token)
        kid, algorithm = header.get("kid"), header.get("alg")
        key = self._find(kid, algorithm)
        if key is None:
            await self._refresh()
            key = self._find(kid, algorithm)
        if key is None:
            raise errors.Unauthorized("Token is signed with an unknown key")
        return key

    def _find(self, kid: str | None, algorithm: str | None) -> Key | None:
        """The key with this kid; of several, the one for this algorithm, else the first.

        A token without a kid gets a key without one, or any key if all have the same kid.
        """
        keys = [key for key in self._keys if key.kid == kid]
        if kid is None and len({key.kid for key in self._keys}) == 1:
            keys = self._keys
        for key in keys:
            if key.algorithm == algorithm:
                return key
        return keys[0] if keys else None

    async def _refresh(self) -> None:
        """Fetch the keys, unless that was done in the last `RETRY_SECONDS`."""
        async with self._fetching:
            if time.monotonic() < self._fetched_at + RETRY_SECONDS:
                return
            try:
                keys = await self._fetch()
            except Exception as error:
                log.warning(
                    "Key set of %s not refreshed, the last copy stays: %s", self._issuer, error
                )
                return
            if keys != self._keys:
                log.info("Key set of %s changed: %d usable keys", self._issuer, len(keys))
                self._keys = keys
                self._on_change()

    async def _fetch(self) -> list[Key]:
        client = AsyncHTTPClient(force_instance=True, max_body_size=MAX_DOCUMENT_BYTES)
        try:
            response = await client.fetch(
                self._url,
                connect_timeout=FETCH_TIMEOUT_SECONDS,
                request_timeout=FETCH_TIMEOUT_SECONDS,
                follow_redirects=False,
            )
        finally:
            client.close()
            self._fetched_at = time.monotonic()
        return read_key_set(response.body)


def read_key_set(document: bytes) -> list[Key]:
    """The usable keys of a JWK set; keys of other kinds are left out.

    Raises ValueError if the document is not a JWK set.
    """
    try:
        members = json.loads(document)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if is_nested_deeper(members, MAX_NESTING):
        raise ValueError("nested too deeply")
    if isinstance(members, dict):
        members = members.get("keys")
    if not isinstance(members, list):
        raise ValueError("not a JWK set")
    keys = []
    for member in members:
        # One malformed key must not make the others unusable.
        with contextlib.suppress(Exception):
            keys.append(_key(member))
    return keys


def _key(member: Mapping[str, Any]) -> Key:
    key = key_from_public_key(jwt.PyJWK(dict(member)).key, member.get("kid"))
    if (
        not isinstance(key.kid, str | None)
        or member.get("use", "sig") != "sig"
        or "verify" not in member.get("key_ops", ["verify"])
        or member.get("alg", key.algorithm) != key.algorithm
    ):
        raise UnusableKey("not for this kind of signature")
    return key
