"""The clock every rule about time is given (decision 11): the database's where there is one, plus an offset tests move."""

import time
from datetime import UTC, datetime
from typing import Protocol

import asyncpg

from mailkit.logs import get_logger

log = get_logger()

#: A round trip that took longer says too little about the server's time (seconds).
LONGEST_TRIP = 2.0
#: A difference to the server's clock that is worth a line in the log: a step of it, or a failover (seconds).
MOVED = 2.0


class Clock(Protocol):
    """Tells the time; nothing else in the product asks the machine for it when a rule depends on the answer."""

    def now(self) -> datetime:
        """The present moment, aware, UTC."""
        ...

    def timestamp(self) -> float:
        """The present moment in seconds since the epoch."""
        ...


class SystemClock:
    """The machine's clock plus `offset` seconds: for services without a database."""

    def __init__(self, offset: float = 0.0) -> None:
        self._offset = offset

    def timestamp(self) -> float:
        return time.time() + self._offset

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.timestamp(), UTC)


def steady() -> float:
    """Seconds since the machine started, its sleep included: this clock is never set."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class DatabaseClock(SystemClock):
    """The database server's clock plus `offset` seconds, so that replicas agree about leases.

    `sync` measures it; call it at start and then every minute (`mailkit.lifecycle.every`). In between it goes on by the
    machine's steady clock: a step of the wall clock moves nothing (docs/decisions/0030).
    """

    def __init__(self, pool: asyncpg.Pool, offset: float = 0.0) -> None:
        super().__init__(offset)
        self._pool = pool
        self._ahead = time.time() - steady()
        self._synchronised = False

    def timestamp(self) -> float:
        return steady() + self._ahead + self._offset

    async def sync(self) -> None:
        """Ask the server; half the round trip is counted away. A slow answer is not believed where there is an earlier one."""
        before = steady()
        server: float = await self._pool.fetchval("select extract(epoch from clock_timestamp())::float8")
        after = steady()
        if self._synchronised and after - before > LONGEST_TRIP:
            return
        ahead = server - (before + after) / 2
        if self._synchronised and abs(moved := ahead - self._ahead) > MOVED:
            log.warning("clock_moved", seconds=round(moved, 3))
        self._ahead, self._synchronised = ahead, True


class ManualClock:
    """A clock a test sets."""

    def __init__(self, start: datetime) -> None:
        self.current = start

    def now(self) -> datetime:
        return self.current

    def timestamp(self) -> float:
        return self.current.timestamp()
