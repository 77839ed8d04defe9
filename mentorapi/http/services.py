"""The services that handlers work with."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from cachetools import LRUCache

from mentorapi.auth.tokens import Caller, Verifier
from mentorapi.cache.responses import Response, ResponseCache
from mentorapi.config import Settings
from mentorapi.database.pool import Database, Pool
from mentorapi.events.listener import Listener
from mentorapi.http.limiter import CallerLimiter, acquire
from mentorapi.images import ImageStore
from mentorapi.repositories import account
from mentorapi.repositories.account import Claims
from mentorapi.telemetry.metrics import Metrics

#: Users whose stored claims are kept in memory.
MAX_KNOWN_USERS = 100_000


class KnownUsers:
    """The claims of users as the database has them, so that most requests need not store them.

    A change of a user is a change of a topic of the cache.
    """

    def __init__(self, cache: ResponseCache) -> None:
        self._cache = cache
        #: By id: the claims, and the number of the last change before they were read.
        self._known: LRUCache[str, tuple[Claims, int]] = LRUCache(MAX_KNOWN_USERS)

    async def store(self, db: Database, caller: Caller) -> bool:
        """Store the caller's claims if they are new; returns whether they were."""
        claims = Claims(caller.name, caller.email, caller.picture, caller.issued_at)
        known, read_at = self._known.get(caller.user_id, (None, 0))
        if (
            known is not None
            and self._cache.is_unchanged(f"user:{caller.user_id}", read_at)
            and not claims.change(known)
        ):
            return False
        read_at = self._cache.last_change
        stored = await account.remember(db, caller.user_id, claims)
        if stored is not None:
            self._known[caller.user_id] = stored, read_at
        return True


@dataclass
class Services:
    """One instance per process."""

    db: Pool
    verifier: Verifier
    images: ImageStore
    settings: Settings
    cache: ResponseCache
    listener: Listener
    metrics: Metrics
    #: Ids of the migrations that the code was written for.
    migrations: Sequence[str]
    #: The OpenAPI document.
    description: Response
    #: Held by each running search.
    searches: asyncio.Semaphore
    caller_limiter: CallerLimiter
    known_users: KnownUsers
    draining: bool = False

    @asynccontextmanager
    async def search_slot(self) -> AsyncIterator[None]:
        """Wait until a search may use a connection. Raises Unavailable."""
        await acquire(self.searches)
        try:
            yield
        finally:
            self.searches.release()
