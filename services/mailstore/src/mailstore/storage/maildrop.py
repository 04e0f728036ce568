"""The lock of a maildrop with its lease, and the maildrop's messages (RFC 1939 4)."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from mailkit.postgres.pool import Connection, Queries, translated

queries = Queries("mailstore.storage", "maildrop.sql")

#: A mailbox, and the session that has locked its maildrop.
Lease = tuple[UUID, UUID]


class Maildrop:
    """The maildrop of one mailbox, in a transaction that has locked the mailbox's row."""

    def __init__(self, connection: Connection, mailbox_id: UUID) -> None:
        self._connection = connection
        self._mailbox_id = mailbox_id

    async def take(self, session_id: UUID, now: datetime, until: datetime) -> bool:
        """Take the lock; False if another session has it, or if this session has already closed the maildrop."""
        taken = await self._connection.fetchval(queries.take_maildrop, self._mailbox_id, session_id, now, until)
        return taken is not None

    async def release(self, session_id: UUID, now: datetime) -> bool:
        """Release the lock; False if the session had lost it."""
        return await self._connection.fetchval(queries.free_maildrop, self._mailbox_id, session_id, now) is not None

    async def messages(self) -> tuple[list[int], list[int], list[str | None]]:
        """Return the UIDs, the sizes as POP3 sends the messages, and the UIDLs of imported ones."""
        rows = await self._connection.fetch(queries.maildrop_messages, self._mailbox_id)
        return [row["uid"] for row in rows], [row["size"] for row in rows], [row["uidl"] for row in rows]


class LeaseRows:
    """The leases of all maildrops."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def renew(self, leases: Sequence[Lease], now: datetime, until: datetime) -> set[Lease]:
        """Renew leases; return those that the session still had."""
        mailbox_ids, session_ids = [each for each, _ in leases], [each for _, each in leases]
        async with translated():
            rows = await self._pool.fetch(queries.renew_maildrops, mailbox_ids, session_ids, now, until)
        return {(row["mailbox_id"], row["session_id"]) for row in rows}
