"""Events of the trace: changes, in the transaction of the change, and logins, once an hour (docs/decisions/0081)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import asyncpg

from auth.storage.callers import CallerPool
from mailkit.ids import id_floor, new_id
from mailkit.postgres.pool import Connection, Queries, translated
from mailkit.postgres.singleton import Singleton

queries = Queries("auth.storage", "events.sql")

#: Most characters of what is said of an event.
LONGEST_DETAIL = 400


@dataclass(frozen=True, slots=True)
class WantedEvents:
    """Which events are meant; None: any. `address`, in lower case: a mailbox, forward, entry or domain; `client`: an IP address."""

    address: str | None = None
    client: str | None = None


class Events:
    """The statements of `events.sql`."""

    def __init__(self, pool: asyncpg.Pool, callers: CallerPool) -> None:
        self._pool = pool
        self._callers = callers

    async def note_logins(self, rows: Sequence[tuple[object, ...]]) -> None:
        """Insert logins (id, mailbox, at, address, client, protocol, detail, number of the app password or 0).

        Of an id that is there nothing changes. App passwords get the time of their last use.
        """
        async with translated():
            await self._pool.execute(queries.note_logins, *zip(*rows, strict=True))

    async def matching(
        self, low: UUID, high: UUID, wanted: WantedEvents, window: int, limit: int
    ) -> tuple[list[asyncpg.Record], UUID | None]:
        """Look at the last `window` events between `low` and `high`, or of the address.

        Return up to `limit` that match, the latest first, and before which one to go on, None if no more follow.
        """
        async with translated():
            start = await self._callers.fetchval(queries.window_start, low, high, wanted.address, window)
            floor = UUID(int=start.int - 1) if start else low
            rows = await self._callers.fetch(queries.within, floor, high, wanted.address, wanted.client, limit)
        return rows, rows[-1]["id"] if len(rows) == limit else start


async def add(
    connection: Connection, kind: str, address: str, now: datetime, *, mailbox_id: UUID | None = None, detail: str = ""
) -> None:
    """Record a change that the transaction makes."""
    await connection.execute(queries.add, new_id(), now, kind, address, mailbox_id, detail[:LONGEST_DETAIL])


async def make_partition(lease: Singleton, day: datetime) -> None:
    """Make the partition of `day` if it does not exist; rows already in the default one stay there."""
    low, high = id_floor(day.timestamp()), id_floor((day + timedelta(days=1)).timestamp())
    try:
        async with lease.step() as connection:
            if not await connection.fetchval(queries.exists, f"auth.event_{day:%Y%m%d}"):
                await connection.execute("set local lock_timeout = '1s'")
                await connection.execute(queries.make, day.date(), low, high)
    except asyncpg.CheckViolationError:
        return


async def drop_partitions(lease: Singleton, before: date) -> int:
    """Drop the partitions of days before `before`, and such rows of the default one; return the number of partitions."""
    async with lease.step() as connection:
        days = [row["day"] for row in await connection.fetch(queries.partitions) if row["day"] < before]
        await connection.execute("set local lock_timeout = '1s'")
        for day in days:
            await connection.execute(queries.drop, day)
        midnight = datetime.combine(before, time.min, UTC).timestamp()
        await connection.execute(queries.empty_rest, id_floor(midnight))
    return len(days)
