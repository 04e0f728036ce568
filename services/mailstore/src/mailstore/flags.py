"""Changes by sessions to a folder's messages: STORE and EXPUNGE. Each is one transaction, and its answer is kept for
10 minutes under its operation id; rows are locked in (mailbox, folder) order (decision 8)."""

from uuid import UUID

import asyncpg

from bodystore import BodyStore
from mailkit.clock import Clock
from mailkit.db import Connection, translated
from mailstore import metrics
from mailstore.keywords import TooManyKeywords, mask_of
from mailstore.storage.store import (
    locked,
    not_purged,
    notify,
    pack,
    pack_flags,
    pack_uids,
    remember,
    remembered,
    split,
    sql,
)
from mailstore_client.wire import DELETED, Expunged, ExpungeQuestion, Stored, StoreQuestion

_ALL = (1 << 62) - 1
#: Messages removed by one statement.
BATCH = 5000


class FlagWriter:
    """Changes of flags and removal of messages in folders."""

    def __init__(self, pool: asyncpg.Pool, bodies: BodyStore, clock: Clock) -> None:
        self._pool = pool
        self._bodies = bodies
        self._clock = clock

    async def store(self, question: StoreQuestion) -> Stored:
        """Change flags and return the messages' new masks. Messages whose flags do not change keep their MODSEQ."""
        mailbox_id, folder_id = question.mailbox_id, question.folder_id
        low, high = split(question.ranges)
        async with translated(), self._pool.acquire() as connection, connection.transaction():
            folder = await connection.fetchrow(sql.lock_folder, mailbox_id, folder_id)
            if folder is None:
                return Stored("gone")
            known = await remembered(connection, mailbox_id, question.operation_id, Stored)
            if known is not None:
                return known
            try:
                keywords, mask = mask_of(folder["keywords"], question.flags, grow=question.mode != "remove")
            except TooManyKeywords:
                return Stored("limit")
            if len(keywords) > len(folder["keywords"]):
                await connection.execute(sql.set_keywords, mailbox_id, folder_id, keywords)
            keep, add = {"replace": (0, mask), "add": (_ALL, mask), "remove": (_ALL & ~mask, 0)}[question.mode]
            modseq = await connection.fetchval(sql.store_flags, mailbox_id, folder_id, low, high, keep, add)
            rows = await connection.fetch(sql.flags_of, mailbox_id, folder_id, low, high)
            answer = Stored("ok", modseq or folder["highest_modseq"], pack_uids(rows), pack_flags(rows), keywords)
            if modseq is not None:
                await notify(connection, [mailbox_id])
            await remember(connection, mailbox_id, question.operation_id, answer, self._clock.now())
        metrics.CHANGES.labels("flags").inc(len(rows))
        return answer

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
