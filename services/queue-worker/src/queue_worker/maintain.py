"""What has to be done now and then: partitions of hand-over ids, the history's end, the oldest id, the depth."""

from datetime import UTC, datetime, timedelta

import asyncpg

from mailkit.clock import Clock
from mailkit.ids import id_floor
from queue_worker import metrics
from queue_worker.delivery import Delivery
from queue_worker.singleton import Singleton
from queue_worker.storage.queue import sql

#: The history is kept so long.
HISTORY = timedelta(days=7)
AHEAD = 3


class Maintenance:
    """Runs in every replica; what must run once asks its singleton."""

    def __init__(
        self, pool: asyncpg.Pool, clock: Clock, delivery: Delivery, singleton: Singleton, lifetime: int
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._delivery = delivery
        self._singleton = singleton
        self._keep = timedelta(seconds=lifetime) + timedelta(hours=24)

    async def minute(self) -> None:
        """The oldest message under way, for mailstore (decision 3)."""
        self._delivery.oldest = await self._pool.fetchval(sql.oldest)

    async def measure(self) -> None:
        """Depth and age for metrics."""
        now = self._clock.now()
        seen = {("local", "waiting"): 0, ("local", "claimed"): 0, ("remote", "waiting"): 0, ("remote", "claimed"): 0}
        oldest = {"local": 0.0, "remote": 0.0}
        for row in await self._pool.fetch(sql.depth):
            kind = "local" if row["local"] else "remote"
            seen[kind, row["state"]] = row["recipients"]
            oldest[kind] = max(oldest[kind], (now - row["oldest"]).total_seconds())
        for (kind, state), count in seen.items():
            metrics.DEPTH.labels(kind, state).set(count)
        for kind, age in oldest.items():
            metrics.OLDEST_DUE.labels(kind).set(age)

    async def hour(self) -> None:
        """Partitions made ahead and dropped behind, history forgotten; once for all replicas."""
        if not await self._singleton.mine():
            return
        now = self._clock.now()
        await self._pool.execute(sql.forget_finished, now - HISTORY)
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        for day in range(AHEAD):
            await self._make(today + timedelta(days=day + 1))
        await self._drop(now - self._keep)

    async def _make(self, day: datetime) -> None:
        """A partition for one day; ids of days without one are in the default partition, which loses nothing."""
        name = f"submission_{day:%Y%m%d}"
        low, high = id_floor(day.timestamp()), id_floor((day + timedelta(days=1)).timestamp())
        if not await self._pool.fetchval("select to_regclass($1)", f"queue.{name}"):
            await self._pool.execute(
                f"create table if not exists queue.{name} partition of queue.submission for values from ('{low}') to ('{high}')"
            )

    async def _drop(self, before: datetime) -> None:
        rows = await self._pool.fetch(
            "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid "
            "where i.inhparent = 'queue.submission'::regclass and c.relname <> 'submission_rest'"
        )
        for row in rows:
            day = datetime.strptime(row["relname"].removeprefix("submission_"), "%Y%m%d").replace(tzinfo=UTC)
            if day + timedelta(days=1) < before:
                await self._pool.execute(f"drop table queue.{row['relname']}")
        await self._pool.execute("delete from queue.submission_rest where id < $1", id_floor(before.timestamp()))
