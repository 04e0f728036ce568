"""Retention: operations for 10 minutes, tombstones for a week, messages that can be undeleted for their days, the trace for its days, and hand-over ids while a message that old can be in a queue."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

from mailkit.ids import id_floor
from mailkit.postgres.singleton import LeaseLost, Singleton
from mailkit.process.clock import Clock
from mailkit.process.logs import get_logger
from mailkit.process.report import report
from mailstore.storage.retention import PARTITIONED, Retention
from mailstore.upkeep.backfill import Filler
from mailstore.upkeep.clear import Clearer
from mailstore.upkeep.forget import Forgetter

log = get_logger()

PERIOD = timedelta(minutes=5)
OPERATIONS = timedelta(minutes=10)
TOMBSTONES = timedelta(days=7)
#: Days for which partitions are made in advance.
AHEAD = 7
#: Limit of the rows removed by one transaction.
SLICE = 5000
#: Limit of the slices of a back-fill in one round.
MOST_SLICES = 1000


class Maintenance:
    """Maintenance, done by one replica at a time under a fenced lease that every step renews."""

    def __init__(
        self,
        retention: Retention,
        filler: Filler,
        forgetter: Forgetter,
        clearer: Clearer,
        lease: Singleton,
        clock: Clock,
        lifetime: int,
        history_days: int,
    ) -> None:
        self._retention = retention
        self._filler = filler
        self._forgetter = forgetter
        self._clearer = clearer
        self._lease = lease
        self._clock = clock
        self._history = timedelta(days=history_days)
        self._keep = max(self._history, timedelta(seconds=lifetime) + timedelta(hours=24))
        self.oldest_queue_id: UUID | None = None
        """The oldest queue id not yet done, from the last filing list; None until one arrives."""

    async def run(self) -> None:
        """Run a round now and every PERIOD, without end."""
        while True:
            try:
                await self.round()
            except Exception as error:
                report(error, "maintenance")
            await asyncio.sleep(PERIOD.total_seconds())

    async def round(self) -> None:
        """Remove what has expired, in slices; do nothing while another replica does it."""
        try:
            with self._lease.round():
                for step in (self._operations, self._tombstones):
                    while await self._lease.mine():
                        if await step() < SLICE:
                            break
                await self._clearer.round(self._lease)
                await self._forgetter.round(self._lease)
                if await self._lease.mine():
                    await self._make_partitions()
                    await self._drop_partitions()
                for _ in range(MOST_SLICES):
                    if not await self._lease.mine() or not await self._filler.fill(self._lease):
                        break
        except LeaseLost:
            log.info("maintenance", error="another replica does it")

    async def end(self) -> None:
        """Release the lease at shutdown; if the database does not answer, it expires by itself."""
        try:
            await self._lease.release()
        except Exception as error:
            report(error, "maintenance")

    async def _operations(self) -> int:
        return await self._retention.forget_operations(self._clock.now() - OPERATIONS, SLICE)

    async def _tombstones(self) -> int:
        return await self._retention.forget_tombstones(self._clock.now() - TOMBSTONES, SLICE)

    async def _make_partitions(self) -> None:
        """Create partitions for today and the next week; rows already in the default one stay there."""
        today = self._clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
        for table in PARTITIONED:
            for ahead in range(AHEAD + 1):
                day = today + timedelta(days=ahead)
                low, high = id_floor(day.timestamp()), id_floor((day + timedelta(days=1)).timestamp())
                if not await self._retention.make_partition(table, day.date(), low, high):
                    log.info("maintenance", step="partition", day=f"{day:%Y-%m-%d}", error="rows came before it")

    async def _drop_partitions(self) -> None:
        """Remove the trace older than its days, and hand-over ids only if older than the oldest queue id not yet done."""
        now = self._clock.now()
        for table in ("fetched", "event"):
            await self._drop(table, id_floor((now - self._history).timestamp()))
        if self.oldest_queue_id is not None:
            await self._drop("filed", min(id_floor((now - self._keep).timestamp()), self.oldest_queue_id))

    async def _drop(self, table: str, limit: UUID) -> None:
        """Remove the partitions of `table` that end before the id `limit`, and such rows of the default one."""
        for name, bound in await self._retention.partitions(table):
            if bound is not None and bound <= limit:
                day = datetime.strptime(name.rpartition("_")[2], "%Y%m%d").date()
                await self._retention.drop_partition(table, day)
                log.info("maintenance", step="partition", dropped=name)
        await self._retention.forget_rest(table, limit)
