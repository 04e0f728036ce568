"""What is over is removed, by one replica for all."""

from contextlib import suppress
from datetime import timedelta

from auth import metrics
from auth.storage.logins import NETWORK_KNOWN
from mailkit.clock import Clock
from mailkit.db import Queries, translated
from mailkit.logs import get_logger
from mailkit.report import report
from mailkit.singleton import Lost, Singleton

log = get_logger()
queries = Queries("auth.storage", "maintenance.sql")

PERIOD = timedelta(seconds=60)
#: Decision 3: how long an operation's answer is remembered.
REMEMBERED = timedelta(minutes=10)
#: Nobody asks about an earlier hour's recipients.
RELAY_USE = timedelta(hours=2)


class Maintenance:
    """Called every PERIOD; see `mailkit.lifecycle.Lifecycle.every`."""

    def __init__(self, clock: Clock, failure_window: timedelta, singleton: Singleton) -> None:
        self._clock = clock
        self._singleton = singleton
        self._ages = {
            "grants": timedelta(0),
            "operations": REMEMBERED,
            "login_failures": failure_window,
            "login_networks": NETWORK_KNOWN,
            "relay_use": RELAY_USE,
        }

    async def run(self) -> dict[str, int]:
        """Remove what is over; how many rows of each table, none where another replica does it. Raises Unavailable."""
        removed: dict[str, int] = {}
        with suppress(Lost), self._singleton.round():
            async with translated():
                if not await self._singleton.mine():
                    return removed
                now = self._clock.now()
                for table, age in self._ages.items():
                    async with self._singleton.step() as connection:
                        status = await connection.execute(getattr(queries, table), now - age)
                    removed[table] = int(status.rpartition(" ")[2])
                    metrics.REMOVED.labels(table).inc(removed[table])
        if any(removed.values()):
            log.info("maintenance", **removed)
        return removed

    async def end(self) -> None:
        """Give the work up at our end; a database that is away gives it up by itself."""
        try:
            await self._singleton.release()
        except Exception as error:
            report(error, "maintenance")
