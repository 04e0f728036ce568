"""Retention: operations, tombstones of messages, hand-overs in partitions by day. Every change is a step of a fenced lease."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from itertools import takewhile
from uuid import UUID

import asyncpg

from mailkit.postgres.pool import Connection, Queries
from mailkit.postgres.singleton import Singleton
from mailstore.storage.notifications import Notifications
from mailstore.storage.operations import MailboxTransaction

queries = Queries("mailstore.storage", "retention.sql")


#: A mailbox, and a folder of it.
FolderKey = tuple[UUID, int]

#: Tables with a partition for each day, and the time-ordered ids by which they are divided.
PARTITIONED = {"filed": "queue_id", "fetched": "body_id", "event": "id"}


class Retention:
    """The statements of `retention.sql`, the only ones that read all mailboxes. Its changes raise LeaseLost without the lease."""

    def __init__(self, pool: asyncpg.Pool, lease: Singleton, notifications: Notifications) -> None:
        self._pool = pool
        self._lease = lease
        self._notifications = notifications

    async def forget_operations(self, before: datetime, most: int) -> int:
        """Remove answers made before a time; return their number."""
        async with self._lease.step() as connection:
            return len(await connection.fetch(queries.forget_operations, before, most))

    async def forget_tombstones(self, before: datetime, most: int) -> int:
        """Remove tombstones of messages and raise `forgotten_modseq`; return their number.

        A session with an older MODSEQ must open the folder anew.
        """
        async with self._lease.step() as connection:
            old = await connection.fetch(queries.old_tombstones, before, most)
            if old:
                keys = [row["mailbox_id"] for row in old], [row["folder_id"] for row in old]
                await connection.execute(queries.forget_tombstones, *keys, [row["uid"] for row in old])
        return len(old)

    async def with_recoverable(self, before: datetime, most: int) -> list[UUID]:
        """Return at most `most` mailboxes with messages deleted before a time, or with more than is kept."""
        return [row["mailbox_id"] for row in await self._pool.fetch(queries.recoverable_due, before, most)]

    async def cleared_folders(
        self, after: FolderKey, most: int, junk_before: datetime, trash_before: datetime
    ) -> list[tuple[FolderKey, bool]]:
        """Return at most `most` folders for junk and trash after a key, and whether a message there came before the time."""
        rows = await self._pool.fetch(queries.cleared_folders, *after, most, junk_before, trash_before)
        return [((row["mailbox_id"], row["folder_id"]), row["due"]) for row in rows]

    async def first_before(self, key: FolderKey, most: int, before: datetime) -> list[int]:
        """Return the UIDs of the messages that came before a time, of the first `most` ones and up to one that did not."""
        rows = await self._pool.fetch(queries.first_messages, *key, most)
        return [row["uid"] for row in takewhile(lambda row: row["at"] < before, rows)]

    @asynccontextmanager
    async def of_mailbox(self, mailbox_id: UUID) -> AsyncIterator[MailboxTransaction | None]:
        """Begin a step that locks the mailbox's row; None if another session has locked it."""
        with self._notifications.after_commit() as committing:
            async with self._lease.step() as connection:
                locked = await connection.fetchval(queries.lock_for_upkeep, mailbox_id)
                transaction = None if locked is None else MailboxTransaction(connection, mailbox_id)
                yield transaction
                if transaction is not None:
                    committing |= transaction.changed

    async def make_partition(self, table: str, day: date, low: UUID, high: UUID) -> bool:
        """Create the partition of `table` from id `low` to before `high`; False if there are such rows already."""
        try:
            async with self._lease.step() as connection:
                await _alter(connection, queries.make_partition, table, day, low, high)
        except asyncpg.CheckViolationError:
            return False
        return True

    async def partitions(self, table: str) -> list[tuple[str, UUID | None]]:
        """Return each partition's name and its upper bound, which the default one does not have."""
        rows = await self._pool.fetch(queries.partitions, f"mailstore.{table}")
        return [(row["name"], None if row["bound"] is None else UUID(row["bound"])) for row in rows]

    async def drop_partition(self, table: str, day: date) -> None:
        async with self._lease.step() as connection:
            await _alter(connection, queries.drop_partition, table, day)

    async def forget_rest(self, table: str, limit: UUID) -> None:
        """Remove rows with ids below `limit` from the default partition of `table`."""
        statement = f"delete from mailstore.{table}_rest where {PARTITIONED[table]} < $1"  # noqa: S608 - tables of ours
        async with self._lease.step() as connection:
            await connection.execute(statement, limit)


async def _alter(connection: Connection, statement: str, *arguments: object) -> None:
    """Run DDL with a short lock timeout, since filings wait behind it."""
    await connection.execute("set local lock_timeout = '1s'")
    await connection.execute(statement, *arguments)
