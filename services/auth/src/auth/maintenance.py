"""What is over is removed. Every statement may run on every replica at any time: removing twice removes once."""

from datetime import timedelta

import asyncpg

from auth import metrics
from mailkit.clock import Clock
from mailkit.db import Queries, translated
from mailkit.logs import get_logger

log = get_logger()
queries = Queries("auth.storage", "maintenance.sql")

#: Decision 3: how long an operation's answer is remembered.
REMEMBERED = timedelta(minutes=10)
#: Nobody asks about an earlier hour's recipients.
RELAY_USE = timedelta(hours=2)


class Maintenance:
    """Called every minute; see `mailkit.lifecycle.Lifecycle.every`."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock, failure_window: timedelta) -> None:
        self._pool = pool
        self._clock = clock
        self._ages = {
            "grants": timedelta(0),
            "operations": REMEMBERED,
            "login_failures": failure_window,
            "relay_use": RELAY_USE,
        }

    async def run(self) -> dict[str, int]:
        """Remove what is over; how many rows of each table. Raises Unavailable."""
        now = self._clock.now()
        removed = {}
        async with translated():
            for table, age in self._ages.items():
                status = await self._pool.execute(getattr(queries, table), now - age)
                removed[table] = int(status.rpartition(" ")[2])
                metrics.REMOVED.labels(table).inc(removed[table])
        if any(removed.values()):
            log.info("maintenance", **removed)
        return removed
