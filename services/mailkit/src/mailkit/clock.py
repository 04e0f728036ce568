"""The clock every rule about time is given (decision 11): the database's where there is one, plus an offset tests move."""

import time
from datetime import UTC, datetime
from typing import Protocol

import asyncpg


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


class DatabaseClock(SystemClock):
    """The database server's clock plus `offset` seconds, so that replicas agree about leases.

    `sync` measures the difference; call it at start and then every minute (`mailkit.lifecycle.every`).
    """

    def __init__(self, pool: asyncpg.Pool, offset: float = 0.0) -> None:
        super().__init__(offset)
        self._pool = pool
        self._wanted = offset

    async def sync(self) -> None:
        """Measure the difference to the server; half the round trip is counted away."""
        before = time.time()
        server: float = await self._pool.fetchval("select extract(epoch from clock_timestamp())::float8")
        after = time.time()
        self._offset = self._wanted + server - (before + after) / 2


class ManualClock:
    """A clock a test sets."""

    def __init__(self, start: datetime) -> None:
        self.current = start

    def now(self) -> datetime:
        return self.current

    def timestamp(self) -> float:
        return self.current.timestamp()
