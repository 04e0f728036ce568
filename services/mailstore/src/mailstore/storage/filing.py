"""Transactions that file lists into folders of many mailboxes.

A lock delays its own mailbox only (decision 0034): mailboxes that another session has locked are passed over, or waited for
briefly. The locks are those of all transactions, in the same order (operations.py).
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import asyncpg

from bodystore import Sharing
from mailkit.postgres.pool import Connection, Queries
from mailkit.postgres.rows import Row, column
from mailstore.model.quota import Account
from mailstore.storage import mailboxes
from mailstore.storage.mailboxes import LockedMailbox
from mailstore.storage.messages import insert
from mailstore.storage.new_messages import NewMessage
from mailstore.storage.notifications import Notifications

queries = Queries("mailstore.storage", "filing.sql")

#: Milliseconds that a filing waits for a mailbox that another session has locked.
IN_LINE_MS = 200

T = TypeVar("T")

#: Raised where a lock is not granted in time.
StillLocked = asyncpg.LockNotAvailableError

#: The queue id and the mailbox of a hand-over (decision 3).
HandOver = tuple[UUID, UUID]


#: A mailbox, and the special use of one of its folders, "" for the INBOX.
Place = tuple[UUID, str]


@dataclass(slots=True)
class FilingTarget:
    """A folder into which a list is filed: what is added to it. `keywords` are its own, to which new ones are appended."""

    mailbox_id: UUID
    folder_id: int
    keywords: list[str] = field(default_factory=list)
    had: int = 0
    new: int = 0
    unseen: int = 0
    octets: int = 0


class FolderUids(Row):
    """UIDs of new messages in a folder, from `first_uid` on, and their MODSEQ."""

    mailbox_id: UUID = column("mailbox_id")
    folder_id: int = column("folder_id")
    first_uid: int = column("first_uid")
    modseq: int = column("modseq")


class FilingTransaction:
    """A transaction that has locked mailboxes and their INBOXes."""

    def __init__(self, connection: Connection, locked: Iterable[LockedMailbox]) -> None:
        self._connection = connection
        self.mailboxes = {mailbox.mailbox_id: mailbox for mailbox in locked}
        """The locked mailboxes by id."""
        self.changed: set[UUID] = set()
        """Those whose change is to be announced."""

    async def alive(self, sharing: Sharing) -> set[UUID]:
        """Return the bodies that may be filed; the collector waits for the end of this transaction (decision 4)."""
        return await sharing.alive(self._connection)

    async def filed(self, hand_overs: Sequence[HandOver]) -> set[HandOver]:
        """Return those that are filed already."""
        ids = [queue_id for queue_id, _ in hand_overs]
        rows = await self._connection.fetch(queries.known_filed, *_columns(hand_overs), min(ids), max(ids))
        return {(row["queue_id"], row["mailbox_id"]) for row in rows}

    async def targets(self, places: AbstractSet[Place], *, wait: bool) -> dict[Place, FilingTarget | None]:
        """Lock the folders of `places`, in mailboxes that are locked; None for those that another session has locked.

        A special use that no folder has is the INBOX. `wait`: for each lock as long as the transaction waits for any. Raises
        StillLocked.
        """
        if not places:
            return {}
        wanted = sorted(places)
        rows = await self._connection.fetch(queries.places, *_columns(wanted))
        of = {(row["mailbox_id"], row["use"]): (row["mailbox_id"], row["folder_id"]) for row in rows}
        keys = sorted(set(of.values()))
        columns = [mailbox_id for mailbox_id, _ in keys], [folder_id for _, folder_id in keys]
        if wait:
            await self._connection.execute(queries.wait_for_places, *columns)
        rows = await self._connection.fetch(queries.lock_free_places, *columns)
        locked = {
            (row["mailbox_id"], row["folder_id"]): FilingTarget(
                row["mailbox_id"], row["folder_id"], list(row["keywords"]), len(row["keywords"])
            )
            for row in rows
        }
        return {place: locked.get(of[place]) for place in wanted}

    async def allocate(
        self, accounts: Sequence[tuple[UUID, Account]], targets: Sequence[FilingTarget]
    ) -> list[FolderUids]:
        """Allocate UIDs and a MODSEQ in each folder of `targets`, and add what the accounts of the mailboxes have taken."""
        grown = [each for each in targets if len(each.keywords) > each.had]
        if grown:
            await self._connection.execute(
                queries.keep_keywords,
                [each.mailbox_id for each in grown],
                [each.folder_id for each in grown],
                [" ".join(each.keywords) for each in grown],
            )
        return await self._connection.fetch(
            queries.take_uids_and_usage,
            [mailbox_id for mailbox_id, _ in accounts],
            [each.added for _, each in accounts],
            [each.quota.limit for _, each in accounts],
            [each.quota.version for _, each in accounts],
            [each.rearmed for _, each in accounts],
            [each.mailbox_id for each in targets],
            [each.folder_id for each in targets],
            [each.new for each in targets],
            [each.unseen for each in targets],
            [each.octets for each in targets],
            record_class=FolderUids,
        )

    async def insert(
        self, messages: Sequence[NewMessage], hand_overs: Sequence[HandOver], body_ids: Sequence[UUID], now: datetime
    ) -> None:
        """Insert messages and the hand-overs that they were, with their bodies."""
        await insert(self._connection, messages)
        await self._connection.execute(queries.insert_filed, *_columns(hand_overs), body_ids, now)

    def notify(self, mailbox_ids: Iterable[UUID]) -> None:
        """Announce the changes once they are committed (docs/decisions/0055)."""
        self.changed.update(mailbox_ids)


class Filings:
    """Transactions of filings."""

    def __init__(self, pool: asyncpg.Pool, notifications: Notifications) -> None:
        self._pool = pool
        self._notifications = notifications

    @asynccontextmanager
    async def free(self, mailbox_ids: AbstractSet[UUID], now: datetime) -> AsyncIterator[FilingTransaction]:
        """Begin a transaction that locks the mailboxes that no other session has locked or is creating; new ones are created."""
        ids = sorted(mailbox_ids)
        with self._notifications.after_commit() as committing:
            async with self._pool.acquire() as connection:
                async with connection.transaction():
                    found = await _lock_free(connection, ids)
                    there = {mailbox.mailbox_id for mailbox in found}
                    missing = [each for each in ids if each not in there]
                    known = await mailboxes.usage(connection, missing) if missing else {}
                    new = [each for each in missing if each not in known]
                    if not new:
                        transaction = FilingTransaction(connection, found)
                        yield transaction
                        committing |= transaction.changed
                        return
                await _create(connection, new, now)
                async with connection.transaction():
                    transaction = FilingTransaction(connection, await _lock_free(connection, ids))
                    yield transaction
                    committing |= transaction.changed

    @asynccontextmanager
    async def in_line(self, mailbox_ids: AbstractSet[UUID]) -> AsyncIterator[FilingTransaction]:
        """Begin a transaction that locks mailboxes that exist, waiting at most IN_LINE_MS for each lock. Raises StillLocked."""
        ids = sorted(mailbox_ids)
        with self._notifications.after_commit() as committing:
            async with self._pool.acquire() as connection, connection.transaction():
                await _wait_briefly(connection)
                found = await mailboxes.lock(connection, ids)
                await connection.fetch(queries.lock_inboxes, ids)
                transaction = FilingTransaction(connection, found)
                yield transaction
                committing |= transaction.changed


async def _lock_free(connection: Connection, mailbox_ids: Sequence[UUID]) -> list[LockedMailbox]:
    return await connection.fetch(queries.lock_free_mailboxes, mailbox_ids, record_class=LockedMailbox)


async def _create(connection: Connection, mailbox_ids: Sequence[UUID], now: datetime) -> None:
    """Create mailboxes, except those that another session is creating and does not commit within IN_LINE_MS."""
    try:
        async with connection.transaction():
            await _wait_briefly(connection)
            await mailboxes.create(connection, mailbox_ids, now)
    except StillLocked:
        middle = len(mailbox_ids) // 2
        for half in (mailbox_ids[:middle], mailbox_ids[middle:]):
            if middle:  # a single one is left out
                await _create(connection, half, now)


async def _wait_briefly(connection: Connection) -> None:
    await connection.execute(f"set local lock_timeout = '{IN_LINE_MS}ms'")


def _columns(pairs: Sequence[tuple[UUID, T]]) -> tuple[list[UUID], list[T]]:
    return [first for first, _ in pairs], [second for _, second in pairs]
