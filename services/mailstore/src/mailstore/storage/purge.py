"""Removal of a mailbox: its tombstone, its messages in slices, the rest."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import asyncpg

from mailkit.postgres.pool import Queries, translated
from mailstore.storage import mailboxes
from mailstore.storage.notifications import Notifications
from mailstore.storage.operations import MailboxTransaction

queries = Queries("mailstore.storage", "purge.sql")


class PurgeSlice(MailboxTransaction):
    """A transaction that removes a part of a mailbox, whose row it has locked."""

    async def take_messages(self, most: int) -> list[UUID]:
        """Remove at most `most` messages; return their body ids."""
        rows = await self._connection.fetch(queries.purge_slice, self._mailbox_id, most)
        await self._connection.execute(queries.purge_signatures, self._mailbox_id, most)
        return [row["body_id"] for row in rows]

    async def take_recoverable(self, most: int) -> list[UUID]:
        """Remove at most `most` messages that could be undeleted; return their body ids."""
        oldest = await self.recoverable.oldest(most)
        return [each.body_id for each in await self.recoverable.take([each.number for each in oldest])]

    async def remove_rest(self) -> None:
        """Remove the folders, subscriptions, annotations, tombstones of messages, answers, the lease, the rest of the text index."""
        await self._connection.execute(queries.purge_rest, self._mailbox_id)


class Purges:
    """Removals of mailboxes."""

    def __init__(self, pool: asyncpg.Pool, notifications: Notifications) -> None:
        self._pool = pool
        self._notifications = notifications

    async def mark(self, mailbox_id: UUID, now: datetime) -> None:
        """Make the mailbox a tombstone, also if it does not exist."""
        async with translated():
            await self._pool.execute(queries.mark_purged, mailbox_id, now)

    @asynccontextmanager
    async def slice(self, mailbox_id: UUID) -> AsyncIterator[PurgeSlice]:
        with self._notifications.after_commit() as committing:
            async with translated(), self._pool.acquire() as connection, connection.transaction():
                await mailboxes.lock(connection, [mailbox_id])
                slice_ = PurgeSlice(connection, mailbox_id)
                yield slice_
                committing |= slice_.changed
