"""The maildrop of a POP3 session: a lock with a lease, a snapshot, and the removal at QUIT (RFC 1939 4, 6)."""

from array import array
from collections.abc import Sequence
from datetime import timedelta

import asyncpg

from mailkit.postgres.pool import translated
from mailkit.process.clock import Clock
from mailstore.storage.store import INBOX_ID, locked, not_purged, pack_uids, remember, remembered, sql
from mailstore.writing.expunge import Expunger
from mailstore_api.wire import ClosedMaildrop, CloseMaildrop, Maildrop, MaildropLease, OpenMaildrop

LEASE = timedelta(seconds=60)


class Maildrops:
    """INBOX as POP3 uses it."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock, expunger: Expunger) -> None:
        self._pool = pool
        self._clock = clock
        self._expunger = expunger

    async def open(self, question: OpenMaildrop) -> Maildrop:
        """Lock the maildrop and return its snapshot; a repeated call by the same session gets both again. Raises NotFound."""
        now = self._clock.now()
        async with translated(), locked(self._pool, [question.mailbox_id], now) as (connection, mailboxes):
            not_purged(mailboxes, question.mailbox_id)
            taken = await connection.fetchval(
                sql.take_maildrop, question.mailbox_id, question.session_id, now, now + LEASE
            )
            if taken is None:
                return Maildrop("in_use")
            folder = await connection.fetchrow(sql.lock_folder, question.mailbox_id, INBOX_ID)
            assert folder is not None
            rows = await connection.fetch(sql.maildrop_messages, question.mailbox_id)
        sizes = array("I", [row["size"] for row in rows]).tobytes()
        return Maildrop("ok", folder["uidvalidity"], pack_uids(rows), sizes, INBOX_ID)

    async def renew(self, items: Sequence[MaildropLease]) -> list[bool]:
        """Renew leases; return for each whether the session still has it."""
        now = self._clock.now()
        async with translated():
            rows = await self._pool.fetch(
                sql.renew_maildrops, [i.mailbox_id for i in items], [i.session_id for i in items], now, now + LEASE
            )
        alive = {(row["mailbox_id"], row["session_id"]) for row in rows}
        return [(item.mailbox_id, item.session_id) in alive for item in items]

    async def close(self, question: CloseMaildrop) -> ClosedMaildrop:
        """Remove the messages marked by the session and release the lock, fenced by the session, in one transaction.

        The session's id is the operation id: a repeated close gets the answer of the first (decision 3)."""
        mailbox_id, session_id, now = question.mailbox_id, question.session_id, self._clock.now()
        uids = list(array("I", question.uids))
        async with translated(), locked(self._pool, [mailbox_id], now) as (connection, mailboxes):
            not_purged(mailboxes, mailbox_id)
            known = await remembered(connection, mailbox_id, session_id, ClosedMaildrop)
            if known is not None:
                return known
            if await connection.fetchval(sql.free_maildrop, mailbox_id, session_id, now) is None:
                lost = ClosedMaildrop("lost")  # remembered: an open that arrives after its close must not take the lock
                return await remember(connection, mailbox_id, session_id, lost, now)
            if not uids:
                return ClosedMaildrop("ok")
            await connection.fetchrow(sql.lock_folder, mailbox_id, INBOX_ID)
            removed, _ = await self._expunger.remove(connection, mailbox_id, INBOX_ID, uids)
            return await remember(connection, mailbox_id, session_id, ClosedMaildrop("ok", removed), now)
