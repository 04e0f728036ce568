"""The idle time of one connection: one timer, which runs only while the client is waited for."""

import asyncio

#: The slowest a client may send a literal (bytes per second), beside the idle time.
SLOWEST = 1024


class IdleTimeout(Exception):
    """The client was silent, or did not read, for longer than `set_idle` allows."""


class Deadlines(asyncio.Protocol):
    """What waits for a client (`_waiter`: its octets, `_draining`: that it reads) ends with IdleTimeout in the end."""

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
        """A read (a whole line) or a drain that takes longer raises IdleTimeout; 0: never."""
        self._idle = seconds

    def _by(self, count: int) -> float:
        """By when `count` bytes have to be read; 0: there is no such time."""
        return self._loop.time() + self._idle + count / SLOWEST if self._idle else 0.0

    def _arm(self, deadline: float) -> None:
        """One timer a connection, moved only when it would ring too late."""
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
        """Cut the connection at once; what was not sent is lost."""
        if self._transport is not None:
            self._transport.abort()
