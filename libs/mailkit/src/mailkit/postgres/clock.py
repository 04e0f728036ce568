"""The database's clock, so that replicas agree about leases; plus an offset for tests (decision 11)."""

import time

import asyncpg

from mailkit.process.clock import SystemClock
from mailkit.process.logs import get_logger

log = get_logger()

#: Longest round trip, in seconds, that measures the server's time closely enough.
LONGEST_TRIP = 2.0
#: Change of the difference to the server's clock, in seconds, that is logged: a step of it, or a failover.
MOVED = 2.0


def steady() -> float:
    """Return the seconds since the machine started, sleep included; this clock is never set."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class DatabaseClock(SystemClock):
    """The database server's clock plus `offset` seconds, so that replicas agree about leases.

    `sync` measures the difference, at start and then every minute (`mailkit.process.lifecycle.every`). In between, the clock advances
    with the machine's steady clock: a step of the wall clock has no effect (docs/decisions/0030).
    """

    def __init__(self, pool: asyncpg.Pool, offset: float = 0.0) -> None:
        super().__init__(offset)
        self._pool = pool
        self._ahead = time.time() - steady()
        self._synchronised = False

    def timestamp(self) -> float:
        return steady() + self._ahead + self._offset

    async def sync(self) -> None:
        """Measure the server's time, less half the round trip. A slow answer is ignored if there is an earlier one."""
        before = steady()
        server: float = await self._pool.fetchval("select extract(epoch from clock_timestamp())::float8")
        after = steady()
        if self._synchronised and after - before > LONGEST_TRIP:
            return
        ahead = server - (before + after) / 2
        if self._synchronised and abs(moved := ahead - self._ahead) > MOVED:
            log.warning("clock_moved", seconds=round(moved, 3))
        self._ahead, self._synchronised = ahead, True
