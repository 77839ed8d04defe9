"""Key sets that an issuer publishes at a URL (RFC 7517)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import jwt
from tornado.httpclient import AsyncHTTPClient

from mentorapi import errors
from mentorapi.auth.keys import Key, UnusableKey, key_from_public_key
from mentorapi.schemas.validation import MAX_NESTING, is_nested_deeper

log = logging.getLogger(__name__)

REFRESH_SECONDS = 300
#: At most one fetch for unknown keys in this time.
RETRY_SECONDS = 10
FETCH_TIMEOUT_SECONDS = 5
MAX_DOCUMENT_BYTES = 1024 * 1024

#: By ``kid``, then by algorithm.
KeysById: TypeAlias = dict[str | None, dict[str, Key]]


class KeySet:
    """The published keys of an issuer, fetched every `REFRESH_SECONDS`.

    While the issuer cannot be reached, the last copy stays in use. A token with an unknown key
    waits for a fetch, so that a new key is accepted at once. Anybody can invent such tokens, so
    they cause one fetch per `RETRY_SECONDS` at most.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: KeysById = {}
        self._fetched_at = -math.inf
        self._fetching: asyncio.Task[None] | None = None
        self._refreshing: asyncio.Task[None] | None = None

    async def start(self, on_change: Callable[[], None]) -> None:
        """Fetch the keys; call `on_change` whenever a later fetch finds other keys.

        Raises UnusableKey if the first fetch fails: a server without keys would answer every
        caller with 401.
        """
        self._on_change = on_change
        self._client = AsyncHTTPClient(force_instance=True, max_body_size=MAX_DOCUMENT_BYTES)
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
        """The one key that may have signed the token. Raises Unauthorized or a PyJWTError."""
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
        """Of the keys that share a kid, or have none, the one for the token's algorithm."""
        keys = self._keys.get(kid)
        if kid is None and len(self._keys) == 1:
            (keys,) = self._keys.values()
        if keys is None:
            return None
        return keys.get(algorithm or "") or next(iter(keys.values()))

    async def _refresh_forever(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            await self._refresh()

    async def _refresh_for_unknown_key(self) -> None:
        if self._fetching is None and time.monotonic() - self._fetched_at < RETRY_SECONDS:
            return
        await self._refresh()

    async def _refresh(self) -> None:
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._replace_keys())
        # Shielded: other requests wait for the same fetch when this one is cancelled.
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
            connect_timeout=FETCH_TIMEOUT_SECONDS,
            request_timeout=FETCH_TIMEOUT_SECONDS,
            follow_redirects=False,
        )
        return read_key_set(response.body)


def read_key_set(document: bytes) -> KeysById:
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
    keys: KeysById = {}
    for member in members:
        # One malformed key must not make the others unusable.
        with contextlib.suppress(Exception):
            key = _key(member)
            keys.setdefault(_kid(member), {}).setdefault(key.algorithm, key)
    return keys


def _kid(member: Mapping[str, Any]) -> str | None:
    kid = member.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise UnusableKey("kid is not a string")
    return kid


def _key(member: Mapping[str, Any]) -> Key:
    if member.get("kty") == "oct" or "d" in member:
        raise UnusableKey("a secret that is published")
    if member.get("use", "sig") != "sig" or "verify" not in member.get("key_ops", ["verify"]):
        raise UnusableKey("not for signatures")
    key = key_from_public_key(jwt.PyJWK(dict(member)).key)
    if member.get("alg", key.algorithm) != key.algorithm:
        raise UnusableKey("meant for another algorithm")
    return key
