"""Operators' changes to forwards, badmailfrom and grants."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from mailkit.ids import new_id
from mailkit.postgres.pool import Queries, translated

queries = Queries("auth.storage", "aliases.sql")
Row = asyncpg.Record


class Aliases:
    """The statements of `aliases.sql`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def add_forward(self, address: str, domain: str, targets: Sequence[str], keep: bool, now: datetime) -> bool:
        """Add a forward (L2); False if the address has one already or the domain is not an open one of ours."""
        async with translated():
            made = await self._pool.fetchval(queries.add_forward, new_id(), address, domain, targets, keep, now)
        return made is not None

    async def forward(self, address: str) -> Row | None:
        async with translated():
            return await self._pool.fetchrow(queries.forward, address)

    async def forwards(self, domain: str | None, after: str, limit: int) -> list[Row]:
        """Return forwards by address, above `after`, of one domain or all."""
        async with translated():
            if domain is None:
                return list(await self._pool.fetch(queries.forwards, after, limit))
            return list(await self._pool.fetch(queries.forwards_of, after, limit, domain))

    async def delete_forward(self, address: str) -> bool:
        async with translated():
            return await self._pool.fetchval(queries.delete_forward, address) is not None

    async def add_badmailfrom(self, entry: str, now: datetime) -> bool:
        """Add an entry (S12); False if it is on the list already."""
        async with translated():
            return await self._pool.fetchval(queries.add_badmailfrom, new_id(), entry, now) is not None

    async def badmailfrom_entry(self, entry: str) -> Row | None:
        async with translated():
            return await self._pool.fetchrow(queries.badmailfrom_entry, entry)

    async def badmailfrom(self, after: str, limit: int) -> list[Row]:
        """Return entries in order, above `after`."""
        async with translated():
            return list(await self._pool.fetch(queries.badmailfrom, after, limit))

    async def delete_badmailfrom(self, entry: str) -> bool:
        async with translated():
            return await self._pool.fetchval(queries.delete_badmailfrom, entry) is not None

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
                return list(await self._pool.fetch(queries.grants_of_mailbox, *given, mailbox, client))
            if client is not None:
                return list(await self._pool.fetch(queries.grants_of_client, *given, client))
            return list(await self._pool.fetch(queries.grants, *given))

    async def revoke(self, grants: Sequence[UUID]) -> None:
        async with translated():
            await self._pool.execute(queries.revoke, grants)
