"""Operators' changes to forwards, badmailfrom and grants."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from auth.storage import counts, events
from auth.storage.callers import CallerPool
from mailkit.ids import new_id
from mailkit.postgres.pool import Connection, Queries, translated
from mailkit.process.clock import Clock

queries = Queries("auth.storage", "aliases.sql")
Row = asyncpg.Record
Check = Callable[[Connection], Awaitable[None]]


class Aliases:
    """The statements of `aliases.sql`. Each change is an event of the trace in its transaction."""

    def __init__(self, pool: CallerPool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock

    async def _change(
        self, kind: str, address: str, statement: str, *values: Any, detail: str = "", first: Check | None = None
    ) -> bool:
        """Make a change and its event of the trace; False if it changes nothing. `first`: what may refuse it."""
        async with translated(), self._pool.acquire() as connection:
            if first is not None:
                await first(connection)
            changed = await connection.fetchval(statement, *values) is not None
            if changed:
                await events.add(connection, kind, address, self._clock.now(), detail=detail)
        return changed

    async def add_forward(self, address: str, domain: str, targets: Sequence[str], keep: bool, now: datetime) -> bool:
        """Add a forward (L2); False if the address has one already or the domain is not an open one of ours. Raises Conflict (the plan)."""
        values, check = (new_id(), address, domain, targets, keep, now), _limited(domain, address, targets)
        return await self._change(
            "forward_added", address, queries.add_forward, *values, detail=" ".join(targets), first=check
        )

    async def set_forward(self, address: str, domain: str, targets: Sequence[str], keep: bool, now: datetime) -> bool:
        """Set a forward in place of the one that there is; False if the domain is not an open one of ours. Raises Conflict (the plan)."""
        values, check = (new_id(), address, domain, targets, keep, now), _limited(domain, address, targets)
        return await self._change(
            "forward_set", address, queries.set_forward, *values, detail=" ".join(targets), first=check
        )

    async def forward(self, address: str) -> Row | None:
        async with translated():
            return await self._pool.fetchrow(queries.forward, address)

    async def forwards(self, domain: str | None, after: str, limit: int) -> list[Row]:
        """Return forwards by address, above `after`, of one domain or all."""
        async with translated():
            if domain is None:
                return await self._pool.fetch(queries.forwards, after, limit)
            return await self._pool.fetch(queries.forwards_of, after, limit, domain)

    async def delete_forward(self, address: str) -> bool:
        return await self._change("forward_removed", address, queries.delete_forward, address)

    async def add_badmailfrom(self, entry: str, now: datetime) -> bool:
        """Add an entry (S12); False if it is on the list already."""
        return await self._change("badmailfrom_added", entry, queries.add_badmailfrom, new_id(), entry, now)

    async def badmailfrom_entry(self, entry: str) -> Row | None:
        async with translated():
            return await self._pool.fetchrow(queries.badmailfrom_entry, entry)

    async def badmailfrom(self, after: str, limit: int) -> list[Row]:
        """Return entries in order, above `after`."""
        async with translated():
            return await self._pool.fetch(queries.badmailfrom, after, limit)

    async def delete_badmailfrom(self, entry: str) -> bool:
        return await self._change("badmailfrom_removed", entry, queries.delete_badmailfrom, entry)

    async def grant(self, now: datetime, grant: UUID) -> Row | None:
        """Return a grant; None if there is none or it has expired at `now`."""
        async with translated():
            return await self._pool.fetchrow(queries.grant, now, grant)

    async def grants(
        self, now: datetime, client: str | None, mailbox: str | None, after: tuple[str, UUID], limit: int
    ) -> list[Row]:
        """Return grants unexpired at `now`, of one client address, one mailbox or all.

        They are in the order of (client address, mailbox's id), above `after`.
        """
        given = (now, *after, limit)
        async with translated():
            if mailbox is not None:
                return await self._pool.fetch(queries.grants_of_mailbox, *given, mailbox, client)
            if client is not None:
                return await self._pool.fetch(queries.grants_of_client, *given, client)
            return await self._pool.fetch(queries.grants, *given)

    async def revoke(self, grants: Sequence[UUID]) -> None:
        async with translated(), self._pool.acquire() as connection:
            for row in await connection.fetch(queries.revoke, grants):
                await events.add(
                    connection,
                    "grant_revoked",
                    row["mailbox"],
                    self._clock.now(),
                    mailbox_id=row["mailbox_id"],
                    detail=row["address"],
                )


def _limited(domain: str, address: str, targets: Sequence[str]) -> Check:
    async def check(connection: Connection) -> None:
        await counts.check_forward(connection, await counts.limits_for(connection, domain), address, targets)

    return check
