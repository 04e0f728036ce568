"""Forwards, badmailfrom and grants as operators change them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from mailkit.db import Queries, translated
from mailkit.ids import new_id

queries = Queries("auth.storage", "aliases.sql")
Row = asyncpg.Record


class Aliases:
    """The statements of `aliases.sql`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def add_forward(self, address: str, domain: str, targets: Sequence[str], keep: bool, now: datetime) -> bool:
        """L2. False when the address forwards already or the domain is not here."""
        async with translated():
            made = await self._pool.fetchval(queries.add_forward, new_id(), address, domain, targets, keep, now)
        return made is not None

    async def forwards(self, address: str | None = None, domain: str | None = None) -> list[Row]:
        async with translated():
            return list(await self._pool.fetch(queries.forwards, address, domain))

    async def delete_forward(self, address: str) -> bool:
        async with translated():
            return await self._pool.fetchval(queries.delete_forward, address) is not None

    async def add_badmailfrom(self, entry: str, now: datetime) -> bool:
        """S12. False when it is on the list already."""
        async with translated():
            return await self._pool.fetchval(queries.add_badmailfrom, new_id(), entry, now) is not None

    async def badmailfrom(self, entry: str | None = None) -> list[Row]:
        async with translated():
            return list(await self._pool.fetch(queries.badmailfrom, entry))

    async def delete_badmailfrom(self, entry: str) -> bool:
        async with translated():
            return await self._pool.fetchval(queries.delete_badmailfrom, entry) is not None

    async def grants(
        self, now: datetime, address: str | None = None, mailbox: str | None = None, grant: UUID | None = None
    ) -> list[Row]:
        """Grants that still live at `now`."""
        async with translated():
            return list(await self._pool.fetch(queries.grants, now, address, mailbox, grant))

    async def revoke(self, grants: Sequence[UUID]) -> None:
        async with translated():
            await self._pool.execute(queries.revoke, grants)
