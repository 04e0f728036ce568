"""Messages as an export reads them (docs/decisions/0106)."""

from uuid import UUID

import asyncpg

from mailkit.postgres.pool import Queries, translated
from mailkit.postgres.rows import Row, column

queries = Queries("mailstore.storage", "exports.sql")


class StoredExport(Row):
    """A message and where its octets are."""

    uid: int = column("uid")
    body_id: UUID = column("body_id")
    prefix: bytes = column("prefix")
    size: int = column("size")
    flags: int = column("flags")
    at: float = column("at")
    uidl: str | None = column("uidl")


class ExportRows:
    """The messages of folders."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def after(self, mailbox_id: UUID, folder_id: int, uid: int, most: int) -> list[StoredExport]:
        """Return at most `most` messages with UIDs above `uid`, ascending."""
        async with translated():
            return await self._pool.fetch(
                queries.exported_messages, mailbox_id, folder_id, uid, most, record_class=StoredExport
            )

    async def has(self, mailbox_id: UUID, folder_id: int) -> bool:
        """Return whether the folder exists."""
        async with translated():
            return await self._pool.fetchval(queries.is_folder, mailbox_id, folder_id) is not None
