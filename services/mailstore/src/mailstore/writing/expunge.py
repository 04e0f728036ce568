"""EXPUNGE: removal of messages, which leaves tombstones for sessions that still have them in view (RFC 3501 6.4.3)."""

from uuid import UUID

import asyncpg

from bodystore import BodyStore
from mailkit.postgres.pool import Connection, translated
from mailkit.process.clock import Clock
from mailstore import metrics
from mailstore.storage.store import locked, not_purged, notify, pack, remember, remembered, split, sql
from mailstore_api.wire import DELETED, Expunged, ExpungeQuestion

#: Messages removed by one statement.
BATCH = 5000


class Expunger:
    """Removal of messages from folders."""

    def __init__(self, pool: asyncpg.Pool, bodies: BodyStore, clock: Clock) -> None:
        self._pool = pool
        self._bodies = bodies
        self._clock = clock

    async def expunge(self, question: ExpungeQuestion) -> Expunged:
        """Remove the messages marked \\Deleted, all of them or those in the ranges."""
        mailbox_id, folder_id = question.mailbox_id, question.folder_id
        ranges = None if question.ranges is None else split(question.ranges)
        async with translated(), locked(self._pool, [mailbox_id], self._clock.now()) as (connection, mailboxes):
            not_purged(mailboxes, mailbox_id)
            if await connection.fetchrow(sql.lock_folder, mailbox_id, folder_id) is None:
                return Expunged("gone")
            known = await remembered(connection, mailbox_id, question.operation_id, Expunged)
            if known is not None:
                return known
            if ranges is None:
                rows = await connection.fetch(sql.deleted_uids, mailbox_id, folder_id)
            else:
                rows = await connection.fetch(sql.flags_of, mailbox_id, folder_id, *ranges)
            uids = [r["uid"] for r in rows if r["flags"] & DELETED]
            if not uids:
                return Expunged("ok")
            _, modseq = await self.remove(connection, mailbox_id, folder_id, uids)
            answer = Expunged("ok", pack(uids), modseq)
            return await remember(connection, mailbox_id, question.operation_id, answer, self._clock.now())

    async def remove(
        self, connection: Connection, mailbox_id: UUID, folder_id: int, uids: list[int]
    ) -> tuple[int, int]:
        """Remove messages in a transaction that has locked mailbox and folder; return their number and the MODSEQ."""
        now = self._clock.now()
        modseq: int = await connection.fetchval(sql.new_modseq, mailbox_id, folder_id)
        count = 0
        for start in range(0, len(uids), BATCH):
            gone = await connection.fetch(sql.expunge, mailbox_id, folder_id, uids[start : start + BATCH], modseq, now)
            await self._bodies.note_unreferenced(
                [r["body_id"] for r in gone], now, connection if self._bodies.shared else None
            )
            count += len(gone)
        await notify(connection, [mailbox_id])
        metrics.CHANGES.labels("expunged").inc(count)
        return count, modseq
