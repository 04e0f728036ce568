"""Periodic maintenance: partitions of the hand-over ids and of the history, the oldest message's id, the queue's depth."""

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta

import asyncpg

from mailkit.ids import id_floor, id_time, new_id
from mailkit.postgres.singleton import Lost, Singleton
from mailkit.process.clock import Clock
from mailkit.process.logs import get_logger
from mailkit.process.report import report
from queue_worker import metrics
from queue_worker.delivery.filing import Filer
from queue_worker.storage.queue import sql

log = get_logger()

#: How long the history is kept: a week from a message's acceptance, and one day more for a message that took its whole
#: lifetime.
HISTORY = timedelta(days=8)
#: Days for which partitions are made in advance.
AHEAD = 3
MAINTAIN_SECONDS = 3600.0
#: Most recipients of each kind that a measurement counts; above it the depth is the database's estimate.
COUNTED = 20_000


class Maintenance:
    """Maintenance, run by every replica; work that one replica does for all is guarded by the singleton."""

    def __init__(
        self, pool: asyncpg.Pool, clock: Clock, filer: Filer, singleton: Singleton, lifetime: int,
        oldest_remote: Callable[[], datetime],
    ) -> None:  # fmt: skip
        self._pool = pool
        self._clock = clock
        self._filer = filer
        self._singleton = singleton
        self._oldest_remote = oldest_remote
        self._keep = timedelta(seconds=lifetime) + timedelta(hours=24)

    async def minute(self) -> None:
        """Read the id of the oldest message under way, which the filer sends to mailstore (decision 3)."""
        self._filer.oldest = await self._pool.fetchval(sql.oldest)

    async def measure(self) -> None:
        """Set the metrics of the queue's depth and of the age of its oldest due recipients."""
        now = self._clock.now()
        seen: Counter[tuple[str, str]] = Counter()
        estimates: dict[str, int] = {}
        for row in await self._pool.fetch(sql.depth, COUNTED):
            seen[row["kind"], row["state"]] = row["recipients"]
            estimates[row["kind"]] = row["estimate"]
        for kind in metrics.KINDS:
            waiting, claimed = seen[kind, "waiting"], seen[kind, "claimed"]
            if waiting + claimed >= COUNTED:
                waiting = max(waiting, estimates[kind] - claimed)
            metrics.DEPTH.labels(kind, "waiting").set(waiting)
            metrics.DEPTH.labels(kind, "claimed").set(claimed)
        local = await self._pool.fetchval(sql.oldest_local)
        for kind, due in (("local", local), ("remote", self._oldest_remote())):
            metrics.OLDEST_DUE.labels(kind).set(max((now - due).total_seconds(), 0.0) if due is not None else 0.0)

    async def hour(self) -> None:
        """Make partitions in advance and drop old ones, by the time in the ids themselves. One replica does it for all."""
        try:
            with self._singleton.round():
                await self._partitions()
        except Lost:
            log.info("maintenance", error="another replica does it")

    async def _partitions(self) -> None:
        now = datetime.fromtimestamp(id_time(new_id()), UTC)  # not `self._clock`: the ids do not have a test's offset
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        for table, keep in (("submission", self._keep), ("finished", HISTORY), ("attempt", HISTORY)):
            if not await self._singleton.mine():
                return
            for ahead in range(1, AHEAD + 1):
                await self._tolerant(self._make(table, today + timedelta(days=ahead)))
            for day in await self._older(table, now - keep):
                await self._tolerant(self._run("select queue.drop_partition($1, $2)", table, day))
            rest = "id" if table == "submission" else "message_id"
            floor = id_floor((now - keep).timestamp())
            await self._tolerant(self._run(f"delete from queue.{table}_rest where {rest} < $1", floor))

    async def end(self) -> None:
        """Release the singleton at shutdown. If the database does not answer, its lease expires."""
        try:
            await self._singleton.release()
        except Exception as error:
            report(error, "maintenance")

    async def _tolerant(self, step: Awaitable[None]) -> None:
        """Run `step` and report an error of the database, such as a lock timeout.

        The step is tried again an hour later; until then the default partition takes the rows.
        """
        try:
            await step
        except asyncpg.PostgresError as error:
            report(error, "maintenance")

    async def _run(self, statement: str, *arguments: object) -> None:
        async with self._singleton.step() as connection:
            await connection.execute("set local lock_timeout = '2s'")
            await connection.execute(statement, *arguments)

    async def _make(self, table: str, day: datetime) -> None:
        """Make the partition of `day` if it does not exist."""
        low, high = id_floor(day.timestamp()), id_floor((day + timedelta(days=1)).timestamp())
        if not await self._pool.fetchval("select to_regclass($1) is not null", f"queue.{table}_{day:%Y%m%d}"):
            await self._run("select queue.make_partition($1, $2, $3, $4)", table, day.date(), low, high)

    async def _older(self, table: str, before: datetime) -> list[date]:
        """Return the days that have a partition and end before `before`."""
        rows = await self._pool.fetch(sql.partitions, f"queue.{table}")
        days = [
            datetime.strptime(row["relname"].rpartition("_")[2], "%Y%m%d").replace(tzinfo=UTC)
            for row in rows if not row["relname"].endswith("_rest")
        ]  # fmt: skip
        return [day.date() for day in days if day + timedelta(days=1) < before]
