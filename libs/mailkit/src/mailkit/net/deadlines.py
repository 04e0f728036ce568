"""The idle timeout of one connection: one timer, which counts only while the connection waits for the client."""

import asyncio

#: Lowest rate at which a client may send a literal (octets per second), in addition to the idle time.
SLOWEST = 1024


class IdleTimeout(Exception):
    """The client sent nothing, or did not read, for longer than `set_idle` allows."""


class Deadlines(asyncio.Protocol):
    """Ends a wait for a client (`_waiter` for its octets, `_draining` until it reads) with IdleTimeout at its deadline."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._draining: asyncio.Future[None] | None = None
        self._idle = 0.0
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    def set_idle(self, seconds: float) -> None:
        """Let a read (of a whole line) or a drain that takes longer raise IdleTimeout; 0: never."""
        self._idle = seconds

    def _by(self, count: int) -> float:
        """Return the deadline for reading `count` octets; 0: none."""
        return self._loop.time() + self._idle + count / SLOWEST if self._idle else 0.0

    def _arm(self, deadline: float) -> None:
        """Set the deadline. The connection's one timer is moved only if it would fire too late."""
        self._deadline = deadline
        if deadline and (self._timer is None or self._timer_at > deadline):
            self._ring_at(deadline)

    def _ring_at(self, moment: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = moment
        self._timer = self._loop.call_at(moment, self._ring)

    def _ring(self) -> None:
        self._timer = None
        waiting = [future for future in (self._waiter, self._draining) if future is not None and not future.done()]
        if not waiting or not self._deadline:
            return None
        if self._loop.time() < self._deadline:
            return self._ring_at(self._deadline)
        for future in waiting:
            future.set_exception(IdleTimeout())

    def abort(self) -> None:
        """Close the connection at once; unsent octets are lost."""
        if self._transport is not None:
            self._transport.abort()
