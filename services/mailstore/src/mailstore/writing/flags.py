"""STORE: changes of flags, in a transaction that locks the folder's row (RFC 3501 6.4.6)."""

import asyncpg

from mailkit.postgres.pool import translated
from mailkit.process.clock import Clock
from mailstore import metrics
from mailstore.model.keywords import TooManyKeywords, mask_of
from mailstore.storage.store import (
    notify,
    pack_flags,
    pack_uids,
    remember,
    remembered,
    split,
    sql,
)
from mailstore_api.wire import Stored, StoreQuestion

_ALL = (1 << 62) - 1


class FlagWriter:
    """Changes of flags in folders."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock) -> None:
        self._pool = pool
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
