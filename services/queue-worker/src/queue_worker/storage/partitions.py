"""Daily partitions of the hand-over ids and the history, by the time in the ids themselves."""

from collections.abc import Awaitable
from datetime import UTC, date, datetime, timedelta

import asyncpg

from mailkit.ids import id_floor
from mailkit.postgres.pool import Queries
from mailkit.postgres.singleton import Singleton
from mailkit.process.report import report

queries = Queries("queue_worker.storage", "partitions.sql")


class Partitions:
    """The statements of `partitions.sql`. Every change is a step of `singleton`, and raises LeaseLost if its lease is lost.

    An error of the database, such as a lock timeout, is reported and not raised: the step is tried again an hour later,
    and until then the default partition takes the rows.
    """

    def __init__(self, pool: asyncpg.Pool, singleton: Singleton) -> None:
        self._pool = pool
        self._singleton = singleton

    async def make(self, table: str, day: datetime) -> None:
        """Make the partition of `day` if it does not exist."""
        await self._tolerant(self._make(table, day))

    async def drop(self, table: str, day: date) -> None:
        """Drop the partition of `day`."""
        await self._tolerant(self._step(queries.drop, table, day))

    async def empty_rest(self, table: str, before: datetime) -> None:
        """Delete the rows older than `before` from the default partition."""
        key = "id" if table in ("submission", "refusal", "operation") else "message_id"
        statement = f"delete from queue.{table}_rest where {key} < $1"  # noqa: S608 - tables of ours
        await self._tolerant(self._step(statement, id_floor(before.timestamp())))

    async def older(self, table: str, before: datetime) -> list[date]:
        """Return the days that have a partition and end before `before`."""
        days = [
            datetime.strptime(name.rpartition("_")[2], "%Y%m%d").replace(tzinfo=UTC)
            for name in await self.names(table)
            if not name.endswith("_rest")
        ]
        return [day.date() for day in days if day + timedelta(days=1) < before]

    async def names(self, table: str) -> list[str]:
        """Return the names of the table's partitions."""
        return [row["relname"] for row in await self._pool.fetch(queries.partitions, f"queue.{table}")]

    async def _make(self, table: str, day: datetime) -> None:
        low, high = id_floor(day.timestamp()), id_floor((day + timedelta(days=1)).timestamp())
        if not await self._pool.fetchval(queries.exists, f"queue.{table}_{day:%Y%m%d}"):
            await self._step(queries.make, table, day.date(), low, high)

    async def _step(self, statement: str, *arguments: object) -> None:
        async with self._singleton.step() as connection:
            await connection.execute("set local lock_timeout = '2s'")
            await connection.execute(statement, *arguments)

    async def _tolerant(self, step: Awaitable[None]) -> None:
        try:
            await step
        except asyncpg.PostgresError as error:
            report(error, "maintenance")
