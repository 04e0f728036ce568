"""The rows of imports: what was imported, and UIDs of another system (docs/decisions/0105)."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from mailkit.postgres.pool import Connection, Queries, translated

queries = Queries("mailstore.storage", "imports.sql")


class ImportRows:
    """The import into one mailbox, in a transaction that has locked the mailbox's row."""

    def __init__(self, connection: Connection, mailbox_id: UUID) -> None:
        self._connection = connection
        self._mailbox_id = mailbox_id

    async def known(self, keys: Sequence[UUID]) -> set[UUID]:
        """Return those of the keys that were imported."""
        return {row["key"] for row in await self._connection.fetch(queries.known_keys, self._mailbox_id, keys)}

    async def keep(self, keys: Sequence[UUID]) -> None:
        """Note keys that are not known yet."""
        await self._connection.execute(queries.keep_keys, self._mailbox_id, keys)

    async def adopt(self, folder_id: int, uidvalidity: int, uidnext: int) -> bool:
        """Give a folder that never held a message another UIDVALIDITY and UIDNEXT; False for another folder."""
        adopted = await self._connection.fetchval(queries.adopt, self._mailbox_id, folder_id, uidvalidity, uidnext)
        return adopted is not None

    async def taken(self, folder_id: int, uids: Sequence[int]) -> set[int]:
        """Return those of the UIDs that a message has, or had."""
        rows = await self._connection.fetch(queries.taken_uids, self._mailbox_id, folder_id, uids)
        return {row["uid"] for row in rows}

    async def count(self, folder_id: int, unseen: int, octets: int, uidnext: int, uids: Sequence[int]) -> int:
        """Count new messages with these UIDs, and set UIDNEXT; return their MODSEQ."""
        modseq: int = await self._connection.fetchval(
            queries.count_imported, self._mailbox_id, folder_id, len(uids), unseen, octets, uidnext, uids
        )
        return modseq


async def known(pool: asyncpg.Pool, mailbox_id: UUID, keys: Sequence[UUID]) -> set[UUID]:
    """Return those of the keys that were imported, without a lock."""
    async with translated():
        return {row["key"] for row in await pool.fetch(queries.known_keys, mailbox_id, keys)}
