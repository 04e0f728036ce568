"""The rows of messages in a transaction that changes a mailbox."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from mailkit.postgres.pool import Connection, Queries, translated
from mailkit.postgres.rows import Row, column
from mailstore.model.quota import Charge
from mailstore.model.uids import Bounds
from mailstore.storage.new_messages import NewMessage

queries = Queries("mailstore.storage", "messages.sql")

#: Greater than every MODSEQ.
ANY_MODSEQ = 2**63 - 1

#: UIDs in ascending order, and the mask of flags of each.
Flags = tuple[list[int], list[int]]


class MessageState(Row):
    """What STORE changes of a message."""

    uid: int = column("uid")
    flags: int = column("flags")
    modseq: int = column("modseq")


class Totals(Row):
    """What a COPY will add."""

    messages: int = column("messages")
    octets: int = column("octets")
    unseen: int = column("unseen")
    flags: int = column("flags")
    """All flags that one of the messages has."""


class Messages:
    """The messages of one mailbox."""

    def __init__(self, connection: Connection, mailbox_id: UUID) -> None:
        self._connection = connection
        self._mailbox_id = mailbox_id

    async def insert(self, messages: Sequence[NewMessage], uidls: Sequence[str | None] = ()) -> None:
        """Insert messages, with the UIDLs that another system gave them."""
        await insert(self._connection, messages, uidls)

    async def store(
        self, folder_id: int, bounds: Bounds, keep: int, add: int, unchanged_since: int = ANY_MODSEQ
    ) -> int | None:
        """Change flags to (flags & keep) | add; return the new MODSEQ, or None if no message's flags change.

        Messages with a MODSEQ greater than `unchanged_since` stay as they are.
        """
        modseq: int | None = await self._connection.fetchval(
            queries.store_flags, self._mailbox_id, folder_id, *bounds, keep, add, unchanged_since
        )
        return modseq

    async def modified(self, folder_id: int, bounds: Bounds, since: int) -> list[int]:
        """Return the UIDs of messages with a MODSEQ greater than `since`, ascending."""
        rows = await self._connection.fetch(queries.modified_of, self._mailbox_id, folder_id, *bounds, since)
        return [row["uid"] for row in rows]

    async def states(self, folder_id: int, bounds: Bounds) -> list[MessageState]:
        """Return UIDs, flags and MODSEQs in ascending order of the UIDs."""
        return await self._connection.fetch(
            queries.states_of, self._mailbox_id, folder_id, *bounds, record_class=MessageState
        )

    async def flags(self, folder_id: int, bounds: Bounds) -> Flags:
        return _flags(await self._connection.fetch(queries.flags_of, self._mailbox_id, folder_id, *bounds))

    async def flags_in_batches(self, folder_id: int, bounds: Bounds, most: int) -> AsyncIterator[Flags]:
        """Yield the flags of at most `most` messages at a time, all as they were at the first one."""
        cursor = await self._connection.cursor(queries.flags_of, self._mailbox_id, folder_id, *bounds)
        while rows := await cursor.fetch(most):
            yield _flags(rows)

    async def deleted(self, folder_id: int) -> Flags:
        """Return the messages marked \\Deleted."""
        return _flags(await self._connection.fetch(queries.deleted_uids, self._mailbox_id, folder_id))

    async def totals(self, folder_id: int, bounds: Bounds) -> Totals:
        found = await self._connection.fetchrow(
            queries.totals_of, self._mailbox_id, folder_id, *bounds, record_class=Totals
        )
        assert found is not None
        return found

    async def copy(
        self,
        source: int,
        target: int,
        uids: list[int],
        new_uids: list[int],
        modseq: int,
        masks: list[int],
        now: datetime,
    ) -> list[UUID]:
        """Copy messages from folder `source` to `target` under new UIDs, with these masks and the save date `now`.

        Return the ids of their bodies.
        """
        rows = await self._connection.fetch(
            queries.copy_messages, self._mailbox_id, source, target, uids, new_uids, modseq, masks, now
        )
        return [row["body_id"] for row in rows]

    async def expunge(
        self, folder_id: int, uids: list[int], modseq: int, now: datetime, kept: Charge | None = None, folder: str = ""
    ) -> list[UUID]:
        """Remove messages, leave tombstones and subtract the usage; return the body ids of those that were there.

        With `kept` they can be undeleted, charged as it says against what is kept of the mailbox; `folder` is the folder's name.
        """
        charge = (True, folder, kept.row_bytes, kept.most_messages) if kept else (False, "", 0, 0)
        rows = await self._connection.fetch(queries.expunge, self._mailbox_id, folder_id, uids, modseq, now, *charge)
        await self._connection.execute(queries.drop_signatures, self._mailbox_id, folder_id, uids)
        return [row["body_id"] for row in rows]


async def insert(connection: Connection, messages: Sequence[NewMessage], uidls: Sequence[str | None] = ()) -> None:
    """Insert messages, of any mailboxes, with the UIDLs that another system gave them."""
    await connection.execute(queries.insert_messages, messages, uidls)


class References:
    """The references of messages to bodies, of all mailboxes (decision 4)."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def of(self, body_ids: Sequence[UUID]) -> set[UUID]:
        """Return those of the bodies that a message refers to."""
        async with translated():
            return {row["body_id"] for row in await self._pool.fetch(queries.references, body_ids)}


def _flags(rows: Sequence[Row]) -> Flags:
    return [row["uid"] for row in rows], [row["flags"] for row in rows]
