"""Addresses that bounced hard, by flow: counted, asked before an attempt, listed and removed by operators, forgotten."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from mailkit.postgres.pool import Connection, Queries

queries = Queries("queue_worker.storage", "suppressions.sql")

#: Most rows that stay after an hour's maintenance; those that expire first go first.
MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class Bounced:
    """New hard bounces of an address (in lower case)."""

    address: str
    flow: UUID
    bounces: int
    status: str
    reply: str


@dataclass(frozen=True, slots=True)
class Suppressed:
    """An address that bounced hard. `flow` is the account, or made of the client without one (docs/decisions/0036)."""

    address: str
    flow: UUID
    bounces: int
    status: str
    reply: str
    since: datetime
    expires: datetime


class Suppressions:
    """The statements of `suppressions.sql`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def of(
        self, keys: Sequence[tuple[UUID, str]], least: int, now: datetime
    ) -> dict[tuple[UUID, str], Suppressed]:
        """Return those of `keys` (flow, address) with `least` bounces or more that are not forgotten."""
        flows, addresses = [flow for flow, _ in keys], [address for _, address in keys]
        rows = await self._pool.fetch(queries.suppressed, addresses, flows, least, now)
        return {(row["flow"], row["address"]): Suppressed(**dict(row)) for row in rows}

    async def page(
        self, after: tuple[str, UUID], address: str | None, least: int, now: datetime, limit: int
    ) -> list[Suppressed]:
        """Return rows above `after` in the order of address and flow, of `address` if it is given."""
        rows = await self._pool.fetch(queries.page, *after, address, least, now, limit)
        return [Suppressed(**dict(row)) for row in rows]

    async def remove(self, address: str, flow: UUID | None) -> int:
        """Forget an address, of one flow or of all; return how many rows that were."""
        return len(await self._pool.fetch(queries.remove, address, flow))

    async def forget(self, now: datetime, most: int = MOST) -> int:
        """Delete what has expired, and of the rest all but `most`; return the number of rows deleted."""
        removed = len(await self._pool.fetch(queries.forget_expired, now))
        return removed + len(await self._pool.fetch(queries.forget_surplus, most))


async def note(connection: Connection, bounced: Sequence[Bounced], now: datetime, life: timedelta) -> None:
    """Count `bounced`, in the transaction that gives their recipients up."""
    if bounced:
        await connection.execute(
            queries.note,
            [each.address for each in bounced],
            [each.flow for each in bounced],
            [each.bounces for each in bounced],
            [each.status for each in bounced],
            [each.reply for each in bounced],
            now,
            now + life,
        )
