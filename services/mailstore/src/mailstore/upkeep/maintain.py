"""Retention: operations for 10 minutes, tombstones for a week, hand-over ids while a message that old can be in a queue."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from mailkit.ids import id_floor
from mailkit.postgres.singleton import Lost, Singleton
from mailkit.process.clock import Clock
from mailkit.process.logs import get_logger
from mailkit.process.report import report
from mailstore.storage.store import upkeep
from mailstore.upkeep.backfill import fill_addresses

log = get_logger()

PERIOD_SECONDS = 300.0
OPERATIONS = timedelta(minutes=10)
TOMBSTONES = timedelta(days=7)
#: Limit of the rows removed by one transaction.
SLICE = 5000
#: Limit of the slices of a back-fill in one round.
MOST_SLICES = 200


class Maintenance:
    """Maintenance, done by one replica at a time under a fenced lease that every step renews."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock, holder: UUID, lifetime: int) -> None:
        self._pool = pool
        self._clock = clock
        self._singleton = Singleton(
            pool, clock, holder, "mailstore", "maintain", period=timedelta(seconds=PERIOD_SECONDS)
        )
        self._keep = timedelta(seconds=lifetime) + timedelta(hours=24)
        self.oldest_queue_id: UUID | None = None
        """The oldest queue id not yet done, from the last filing list; None until one arrives."""

    async def run(self) -> None:
        """Run a round now and every PERIOD_SECONDS, without end."""
        while True:
            try:
                await self.round()
            except Exception as error:
                report(error, "maintenance")
            await asyncio.sleep(PERIOD_SECONDS)

    async def round(self) -> None:
        """Remove what has expired, in slices; do nothing while another replica does it."""
        try:
            with self._singleton.round():
                for step in (self._operations, self._tombstones):
                    while await self._singleton.mine():
                        if await step() < SLICE:
                            break
                if await self._singleton.mine():
                    await self._make_partitions()
                    await self._drop_partitions()
                for _ in range(MOST_SLICES):
                    if not await self._singleton.mine() or not await self._addresses():
                        break
        except Lost:
            log.info("maintenance", error="another replica does it")

    async def end(self) -> None:
        """Release the lease at shutdown; if the database does not answer, it expires by itself."""
        try:
            await self._singleton.release()
        except Exception as error:
            report(error, "maintenance")

    async def _operations(self) -> int:
        async with self._singleton.step() as connection:
            return len(await connection.fetch(upkeep.forget_operations, self._clock.now() - OPERATIONS, SLICE))

    async def _tombstones(self) -> int:
        """Remove old tombstones and raise `forgotten_modseq`: a session with an older MODSEQ must open the folder anew."""
        async with self._singleton.step() as connection:
            old = await connection.fetch(upkeep.old_tombstones, self._clock.now() - TOMBSTONES, SLICE)
            if old:
                keys = [row["mailbox_id"] for row in old], [row["folder_id"] for row in old]
                await connection.execute(upkeep.forget_tombstones, *keys, [row["uid"] for row in old])
        return len(old)

    async def _addresses(self) -> bool:
        async with self._singleton.step() as connection:
            return await fill_addresses(connection)

    async def _make_partitions(self) -> None:
        """Create partitions of `filed` for today and the next two days; rows already in the default one stay there."""
        today = self._clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
        for ahead in (0, 1, 2):
            day = today + timedelta(days=ahead)
            low, high = id_floor(day.timestamp()), id_floor((day + timedelta(days=1)).timestamp())
            try:
                await self._alter("select mailstore.make_filed_partition($1, $2, $3)", day.date(), low, high)
            except asyncpg.CheckViolationError:
                log.info("maintenance", step="partition", day=f"{day:%Y-%m-%d}", error="rows came before it")

    async def _drop_partitions(self) -> None:
        """Remove hand-over ids older than the queue's lifetime and a day, and than the oldest queue id not yet done."""
        if self.oldest_queue_id is None:
            return
        limit = min(id_floor((self._clock.now() - self._keep).timestamp()), self.oldest_queue_id)
        for row in await self._pool.fetch(upkeep.filed_partitions):
            name, bound = row["name"], row["bound"]
            if bound is not None and UUID(bound) <= limit:
                day = datetime.strptime(name.rpartition("_")[2], "%Y%m%d").date()  # noqa: DTZ007 - a day's name
                await self._alter("select mailstore.drop_filed_partition($1)", day)
                log.info("maintenance", step="partition", dropped=name)
        async with self._singleton.step() as connection:
            await connection.execute(upkeep.forget_filed_rest, limit)

    async def _alter(self, statement: str, *arguments: object) -> None:
        """Run DDL with a short lock timeout, since filings wait behind it."""
        async with self._singleton.step() as connection:
            await connection.execute("set local lock_timeout = '1s'")
            await connection.execute(statement, *arguments)
