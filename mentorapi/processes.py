"""Several serving processes on one port, started by one that serves nobody itself.

The parent binds one socket per child (SO_REUSEPORT: the kernel spreads new connections over them)
and keeps them all, so that who waits at one waits for the child's successor; the kernel resets what
waits at a socket when its last holder closes it.

Between the parent and each child there is a line, a pair of sockets. The child says on it that it
serves. The parent closes it to have the child end, and so does the kernel when the parent dies; a
word before that says that nobody will follow.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from mentorapi.server import Sockets

MOST = 64

#: For a child to serve, and for one that has given up to end.
_START_SECONDS = 60.0
_END_SECONDS = 5.0

#: Between attempts to start one: at first, and at most.
_PAUSE = 0.1
_LONGEST_PAUSE = 30.0

#: Who has served for so long is not taken for one that cannot.
_SETTLED_SECONDS = 10.0

log = logging.getLogger(__name__)


def inherited(words: str) -> Sockets:
    """In the child: what the parent has passed on, named on the command line."""
    line, main, metrics = (
        [socket.socket(fileno=int(number)) for number in part.split(",") if number]
        for part in words.split(":")
    )
    for each in [*line, *main, *metrics]:
        each.setblocking(False)
    return Sockets(main, metrics, line[0])


async def supervise(bound: list[Sockets], ready: Callable[[], None]) -> int:
    """Have one child serve at each, until SIGINT or SIGTERM; the exit code.

    A second signal ends the children's waiting for requests under way. At SIGHUP, each child is
    replaced, one after the other.
    """
    return await _Parent(bound).run(ready)


def tell(sockets: Sockets) -> None:
    """In the child: it serves. A parent that is gone by now will be noticed by reading."""
    assert sockets.line is not None
    with suppress(OSError):
        sockets.line.send(b"!")


def _command(line: socket.socket, sockets: Sockets) -> list[str]:
    parts = ([line], sockets.main, sockets.metrics)
    words = ":".join(",".join(str(each.fileno()) for each in part) for part in parts)
    return [sys.executable, sys.argv[0], "serve", "--inherited", words]


class _Child:
    def __init__(self, process: asyncio.subprocess.Process, line: socket.socket) -> None:
        self.process = process
        self._line = line
        self.since = time.monotonic()

    @classmethod
    async def start(cls, sockets: Sockets) -> _Child:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        passed = [theirs, *sockets.main, *sockets.metrics]
        with theirs:
            # In a session of its own, since a terminal sends Ctrl-C to everybody, and the second
            # signal ends the waiting for requests under way.
            process = await asyncio.create_subprocess_exec(
                *_command(theirs, sockets),
                pass_fds=[each.fileno() for each in passed],
                start_new_session=True,
            )
        return cls(process, ours)

    async def serves(self) -> bool:
        """Wait until it does. False if it has ended instead, or takes too long."""
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_START_SECONDS):
                return await asyncio.get_running_loop().sock_recv(self._line, 1) == b"!"
        return False

    def end(self, for_good: bool = False) -> None:
        if for_good:
            with suppress(OSError):
                self._line.send(b"!")
        self._line.close()

    def signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            self.process.send_signal(number)


@dataclass(eq=False)
class _Place:
    """Where one child serves, and its successors."""

    sockets: Sockets
    child: _Child | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class _Parent:
    def __init__(self, bound: list[Sockets]) -> None:
        self._places = [_Place(sockets) for sockets in bound]
        self._children: set[_Child] = set()
        self._stop = asyncio.Event()
        self._replace = asyncio.Event()

    async def run(self, ready: Callable[[], None]) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._told_to_end)
        loop.add_signal_handler(signal.SIGHUP, self._replace.set)
        work = asyncio.create_task(self._work(ready))
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for task in (work, stopping):
            task.cancel()
        code, _ = await asyncio.gather(work, stopping, return_exceptions=True)
        await self._end()
        if isinstance(code, Exception):
            raise code
        return code if isinstance(code, int) else 0

    def _told_to_end(self) -> None:
        if self._stop.is_set():
            for child in self._children:
                child.signal(signal.SIGTERM)
        self._stop.set()

    async def _end(self) -> None:
        self._stop.set()
        for child in self._children:
            child.end(for_good=True)
        # The children take in who waits. After that, nobody shall.
        for place in self._places:
            for each in [*place.sockets.main, *place.sockets.metrics]:
                each.close()
        await asyncio.gather(*(child.process.wait() for child in self._children))

    async def _work(self, ready: Callable[[], None]) -> int:
        """Comes back only if nobody can serve, with the exit code of the one who tried."""
        # Alone: what keeps one from starting keeps all, and is said once.
        first, *others = self._places
        code = await self._fill(first)
        if code is not None:
            return code or 1
        await asyncio.gather(*map(self._fill, others))
        ready()
        async with asyncio.TaskGroup() as group:
            for place in self._places:
                group.create_task(self._keep_filled(place))
            group.create_task(self._replace_when_told())
        return 0

    async def _fill(self, place: _Place) -> int | None:
        """Start a child there; the exit code of one that does not get to serve."""
        child = await _Child.start(place.sockets)
        self._children.add(child)
        if await child.serves():
            place.child = child
            return None
        with suppress(TimeoutError):
            async with asyncio.timeout(_END_SECONDS):
                await child.process.wait()
        child.signal(signal.SIGKILL)
        return await self._gone(child)

    async def _gone(self, child: _Child) -> int:
        code = await child.process.wait()
        child.end()
        self._children.discard(child)
        return code

    async def _keep_filled(self, place: _Place) -> None:
        pause = _PAUSE
        while True:
            child = place.child
            if child is not None:
                await child.process.wait()
            async with place.turn:
                if place.child is not child:
                    continue
                if child is not None:
                    log.error("A process ended (%d); starting another", await self._gone(child))
                    place.child = None
                    if time.monotonic() > child.since + _SETTLED_SECONDS:
                        pause = _PAUSE
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                if await self._fill(place) is None:
                    log.warning("Another process serves in its place")

    async def _replace_when_told(self) -> None:
        while True:
            await self._replace.wait()
            self._replace.clear()
            for place in self._places:
                async with place.turn:
                    old = place.child
                    if await self._fill(place) is not None:
                        log.error("The new process did not start; those that serve go on")
                        break
                    if old is not None:
                        old.end()
                        await self._gone(old)
            else:
                log.info("All processes are replaced")
