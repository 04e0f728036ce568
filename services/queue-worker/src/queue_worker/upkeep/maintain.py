"""Periodic maintenance: partitions of the hand-over ids and of the history, the oldest message's id, the queue's depth."""

from datetime import UTC, datetime, timedelta

from mailkit.ids import id_time, new_id
from mailkit.postgres.singleton import LeaseLost, Singleton
from mailkit.process.clock import Clock
from mailkit.process.logs import get_logger
from mailkit.process.report import report
from queue_worker import metrics
from queue_worker.delivery.filing import LocalDelivery
from queue_worker.delivery.leases import LEASE
from queue_worker.delivery.walk import Walk
from queue_worker.storage.partitions import Partitions
from queue_worker.storage.suppressions import Suppressions
from queue_worker.storage.upkeep import Upkeep

log = get_logger()

#: What is partitioned by day; code before 0023 writes `finished`.
TABLES = ("submission", "finished", "ended", "attempt", "refusal", "operation")
#: Days for which partitions are made in advance.
AHEAD = 7
MAINTAIN_SECONDS = 3600.0
MEASURE_SECONDS = 10.0
#: Most recipients of each kind that a measurement of the claimed ones looks at.
LOOKED = 20_000


class Maintenance:
    """Maintenance, run by every replica; work that one replica does for all is guarded by the singleton."""

    def __init__(
        self,
        store: Upkeep,
        partitions: Partitions,
        clock: Clock,
        filer: LocalDelivery,
        walk: Walk,
        singleton: Singleton,
        measuring: Singleton,
        lifetime: int,
        history_days: int,
        suppressions: Suppressions,
    ) -> None:
        self._store = store
        self._suppressions = suppressions
        self._partitions = partitions
        self._clock = clock
        self._filer = filer
        self._walk = walk
        self._singleton = singleton
        self._measuring = measuring
        # a hand-over may be repeated, and a message tried, for so long at least
        self._keep = max(timedelta(days=history_days), timedelta(seconds=lifetime) + timedelta(hours=24))

    async def minute(self) -> None:
        """Read the id of the oldest message under way, which the filer sends to mailstore (decision 3)."""
        self._filer.oldest = await self._store.oldest()

    async def measure(self) -> None:
        """Set the metrics of the queue's depth and of the age of its oldest due recipients. One replica does it for all."""
        with self._measuring.round():
            if await self._measuring.mine():
                await self._measure()
            else:
                for kind in metrics.KINDS:
                    metrics.OLDEST_DUE.labels(kind).set(0)
                    for state in ("waiting", "claimed"):
                        metrics.DEPTH.labels(kind, state).set(0)

    async def _measure(self) -> None:
        now = self._clock.now()
        for kind, depth in (await self._store.depth(now, now + LEASE, LOOKED)).items():
            metrics.DEPTH.labels(kind, "waiting").set(max(depth.recipients - depth.claimed, 0))
            metrics.DEPTH.labels(kind, "claimed").set(depth.claimed)
        local = await self._store.oldest_local(self._filer.floor.bound)
        for kind, due in (("local", local), ("remote", self._walk.oldest_due)):
            metrics.OLDEST_DUE.labels(kind).set(max((now - due).total_seconds(), 0.0) if due is not None else 0.0)

    async def hour(self) -> None:
        """Make partitions in advance, drop old ones by the time in the ids, and forget old bounces. One replica does it for all."""
        try:
            with self._singleton.round():
                await self._renew_partitions()
                if await self._singleton.mine():
                    await self._suppressions.forget(self._clock.now())
        except LeaseLost:
            log.info("maintenance", error="another replica does it")

    async def _renew_partitions(self) -> None:
        now = datetime.fromtimestamp(id_time(new_id()), UTC)  # not `self._clock`: the ids do not have a test's offset
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        for table in TABLES:
            if not await self._singleton.mine():
                return
            for ahead in range(1, AHEAD + 1):
                await self._partitions.make(table, today + timedelta(days=ahead))
            for day in await self._partitions.older(table, now - self._keep):
                await self._partitions.drop(table, day)
            await self._partitions.empty_rest(table, now - self._keep)

    async def end(self) -> None:
        """Release the leases at shutdown. If the database does not answer, they expire."""
        try:
            await self._singleton.release()
            await self._measuring.release()
        except Exception as error:
            report(error, "maintenance")
