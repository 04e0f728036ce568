"""The statements of the check: what rows say of each other, and their repair under the mailbox's lock."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from mailkit.postgres.pool import Connection, Queries, translated
from mailstore.storage.new_messages import NewMessage
from mailstore.storage.notifications import Notifications

queries = Queries("mailstore.storage", "check.sql")

Record = dict[str, Any]


class CheckedMailbox:
    """The rows of one mailbox, read in one statement each, or within a transaction that has locked the mailbox."""

    def __init__(self, database: asyncpg.Pool | Connection, mailbox_id: UUID) -> None:
        self._database = database
        self._mailbox_id = mailbox_id

    async def _rows(self, statement: str, *arguments: object) -> list[Record]:
        async with translated():
            return [dict(row) for row in await self._database.fetch(statement, self._mailbox_id, *arguments)]

    async def folders(self) -> list[Record]:
        """Return each folder with what it says and, with the ending `_there`, what its messages say."""
        return await self._rows(queries.folder_counts)

    async def mailbox(self) -> list[Record]:
        return await self._rows(queries.mailbox_counts)

    async def without_folder(self) -> list[Record]:
        return await self._rows(queries.without_folder)

    async def without_message(self) -> list[Record]:
        return await self._rows(queries.without_message)

    async def messages(self, folder_id: int, uid: int, most: int) -> list[Record]:
        return await self._rows(queries.checked_messages, folder_id, uid, most)

    async def set_folder(self, folder: Record) -> None:
        """Set a folder's counters to what its messages say."""
        there = [folder[f"{name}_there"] for name in ("messages", "unseen", "octets", "recent", "uidnext", "modseq")]
        await self._database.execute(queries.set_folder_counts, self._mailbox_id, folder["folder_id"], *there)

    async def set_mailbox(self, found: Record) -> None:
        there = [found[f"{name}_there"] for name in ("usage", "recoverable_messages", "recoverable_octets")]
        await self._database.execute(queries.set_mailbox_counts, self._mailbox_id, *there)

    async def make_folder(self, folder_id: int, name: str, last_uid: int, modseq: int, now: datetime) -> None:
        uidvalidity = int(now.timestamp())
        await self._database.execute(
            queries.make_lost_folder, self._mailbox_id, folder_id, name, uidvalidity, last_uid + 1, modseq + 1
        )

    async def drop_rendered(self, keys: Sequence[tuple[int, int]]) -> None:
        folder_ids, uids = [key[0] for key in keys], [key[1] for key in keys]
        await self._database.execute(queries.drop_without_message, self._mailbox_id, folder_ids, uids)

    async def set_size(self, folder_id: int, uid: int, size: int) -> None:
        await self._database.execute(queries.set_size, self._mailbox_id, folder_id, uid, size)

    async def insert_rendered(self, rows: Sequence[NewMessage]) -> None:
        await self._database.execute(queries.insert_rendered, rows)


class CheckRows:
    """The mailboxes in order, and repairs."""

    def __init__(self, pool: asyncpg.Pool, notifications: Notifications) -> None:
        self._pool = pool
        self._notifications = notifications

    async def next(self, mailbox_id: UUID) -> UUID | None:
        """Return the first mailbox from this id on."""
        async with translated():
            found: UUID | None = await self._pool.fetchval(queries.next_mailbox, mailbox_id)
            return found

    async def messages_about(self) -> int:
        async with translated():
            return int(await self._pool.fetchval(queries.messages_about))

    def of(self, mailbox_id: UUID) -> CheckedMailbox:
        return CheckedMailbox(self._pool, mailbox_id)

    @asynccontextmanager
    async def repair(self, mailbox_id: UUID) -> AsyncIterator[CheckedMailbox]:
        """Begin a transaction that locks the mailbox and its folders; sessions hear of it at its end."""
        with self._notifications.after_commit() as committing:
            async with translated(), self._pool.acquire() as connection, connection.transaction():
                await connection.fetch(queries.lock_checked, mailbox_id)
                await connection.fetch(queries.lock_checked_folders, mailbox_id)
                yield CheckedMailbox(connection, mailbox_id)
                committing.add(mailbox_id)
