"""Rows of releases before 0007, which lack the columns of SORT and THREAD (decision 0059)."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from mailkit.postgres.pool import Queries
from mailkit.postgres.rows import Row, column
from mailkit.postgres.singleton import Singleton
from mailstore.mime.compared import Compared
from mailstore.storage.new_messages import columns, search_texts, sort_columns

queries = Queries("mailstore.storage", "backfill.sql")


class UnfilledRow(Row):
    """A row to fill in."""

    envelope: bytes = column("envelope")
    body_id: UUID = column("body_id")

    def filled(self, values: Compared) -> tuple[object, ...]:
        """Return the arguments of `fill` for this row."""
        key = self["mailbox_id"], self["folder_id"], self["uid"]
        return *key, *search_texts(values), *sort_columns(values)


class Backfill:
    """The rows that are not filled in yet, of all mailboxes."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def unfilled(self, most: int, octets: int) -> list[UnfilledRow]:
        """Return the first rows, at most `most` of about `octets` octets with the beginnings of their bodies."""
        return await self._pool.fetch(queries.unfilled, most, octets, record_class=UnfilledRow)

    async def fill(self, lease: Singleton, rows: Sequence[tuple[object, ...]]) -> None:
        """Fill in rows as `UnfilledRow.filled` returns them. Raises LeaseLost; fails after 1 s if one is locked."""
        async with lease.step() as connection:
            await connection.execute("set local lock_timeout = '1s'")
            await connection.execute(queries.fill, *columns(rows))
