"""Retention: operations after 10 minutes, tombstones after a week, hand-over ids when nothing so old is under way."""

from datetime import timedelta
from uuid import UUID

import asyncpg

from mailkit.clock import Clock
from mailkit.ids import id_floor
from mailstore.storage.store import sql

HOLD = timedelta(seconds=60)
OPERATIONS = timedelta(minutes=10)
TOMBSTONES = timedelta(days=7)


class Maintenance:
    """Once for all replicas, by a fenced lease."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock, holder: UUID, lifetime: int) -> None:
        self._pool = pool
        self._clock = clock
        self._holder = holder
        self._keep = timedelta(seconds=lifetime) + timedelta(hours=24)
        self.oldest_queue_id: UUID | None = None
        """The oldest queue id under way, as the last filing list said."""

    async def round(self) -> None:
        now = self._clock.now()
        if await self._pool.fetchval(sql.hold_singleton, "maintain", self._holder, now, now + HOLD) is None:
            return
        await self._pool.execute(sql.forget_operations, now - OPERATIONS)
        await self._pool.execute(sql.forget_tombstones, now - TOMBSTONES)
        await self._partitions()

    async def _partitions(self) -> None:
        """A partition of `filed` per day, made ahead; one that is old enough, and older than all under way, goes."""
        now = self._clock.now()
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        for ahead in (1, 2):
            day = today + timedelta(days=ahead)
            low, high = id_floor(day.timestamp()), id_floor((day + timedelta(days=1)).timestamp())
            await self._pool.execute(
                f"create table if not exists mailstore.filed_{day:%Y%m%d} partition of mailstore.filed "
                f"for values from ('{low}') to ('{high}')"
            )
        if self.oldest_queue_id is None:
            return
        limit = min(id_floor((now - self._keep).timestamp()), self.oldest_queue_id)
        rows = await self._pool.fetch(
            "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid "
            "where i.inhparent = 'mailstore.filed'::regclass and c.relname <> 'filed_rest'"
        )
        for row in rows:
            newest = await self._pool.fetchval(f"select max(queue_id::text)::uuid from mailstore.{row['relname']}")
            name_day = row["relname"].removeprefix("filed_")
            if name_day < f"{now - self._keep - timedelta(days=1):%Y%m%d}" and (newest is None or newest < limit):
                await self._pool.execute(f"drop table mailstore.{row['relname']}")
        await self._pool.execute("delete from mailstore.filed_rest where queue_id < $1", limit)
