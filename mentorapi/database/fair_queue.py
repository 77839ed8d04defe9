"""The order in which callers get the connections of the pool.

A caller is a user id, or a client's address where there is no token. A connection goes to the
waiting caller that holds the fewest; among equals, to the one served longest ago. While several
callers are active, the last connection is kept for a caller that holds none: otherwise one caller
whose statements all wait for one row lock would make all others wait for that lock, too. A caller
alone may use every connection.
"""

from asyncio import Future, get_running_loop
from collections import OrderedDict
from typing import Any, TypeAlias

#: The caller that is the service itself: probes and jobs. No user id and no address is empty.
SYSTEM = ""

#: Several callers count as active for this time after a request of another caller than before.
SHARED_SECONDS = 1.0

#: Its result is a connection.
Waiter: TypeAlias = Future[Any]


class FairQueue:
    """The waiters of each caller, and how many of ``size`` connections each caller holds."""

    def __init__(self, size: int) -> None:
        self._size = self._unused = size
        #: Only callers that hold a connection, so at most ``size``.
        self._held: dict[str, int] = {}
        #: An ordered set of waiters for each caller; the caller served longest ago is first.
        self._waiters: OrderedDict[str, dict[Waiter, None]] = OrderedDict()
        self._last_caller = SYSTEM
        #: Until when several callers count as active, in the time of the event loop.
        self.shared_until = 0.0

    def __len__(self) -> int:
        return sum(map(len, self._waiters.values()))

    def note_request(self, caller: str) -> None:
        if caller not in (SYSTEM, self._last_caller):
            if self._last_caller != SYSTEM:
                self.shared_until = get_running_loop().time() + SHARED_SECONDS
            self._last_caller = caller

    def may_take(self, caller: str) -> bool:
        """Whether this caller may take one more. The service itself always may: it takes few."""
        return (
            caller not in self._held
            or caller == SYSTEM
            or self._unused > 1
            or get_running_loop().time() >= self.shared_until
        )

    def hold(self, caller: str) -> None:
        self._unused -= 1
        self._held[caller] = self._held.get(caller, 0) + 1

    def release(self, caller: str) -> None:
        self._unused += 1
        self._held[caller] -= 1
        if not self._held[caller]:
            del self._held[caller]

    def add(self, caller: str, waiter: Waiter) -> None:
        self._waiters.setdefault(caller, {})[waiter] = None

    def remove(self, caller: str, waiter: Waiter) -> None:
        waiters = self._waiters.get(caller, {})
        waiters.pop(waiter, None)
        if not waiters:
            self._waiters.pop(caller, None)

    def pop(self) -> tuple[str, Waiter] | None:
        """Remove the next waiter; return its caller and the waiter.

        None if there is no waiter, or if its caller may not take one more.
        """
        while (caller := self._next_caller()) is not None and self.may_take(caller):
            waiter = next(iter(self._waiters[caller]))
            # A waiter that has just expired, or was cancelled, does not count as served.
            if not waiter.done():
                self._waiters.move_to_end(caller)
            self.remove(caller, waiter)
            if not waiter.done():
                return caller, waiter
        return None

    def fail_first(self, error: Exception) -> None:
        """Raise an error in the first waiter, if there is one."""
        if not self._waiters:
            return
        caller, waiters = next(iter(self._waiters.items()))
        waiter = next(iter(waiters))
        self.remove(caller, waiter)
        if not waiter.done():
            waiter.set_exception(error)

    def _next_caller(self) -> str | None:
        best, fewest = None, self._size
        # At most `size` callers hold any, so this ends soon.
        for caller in self._waiters:
            held = self._held.get(caller, 0)
            if held < fewest:
                best, fewest = caller, held
            if not held:
                break
        return best
