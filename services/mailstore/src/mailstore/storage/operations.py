"""Operations: transactions that change one mailbox, each done once.

Locks are taken in one order, so that transactions cannot deadlock (decision 8):

1. rows of mailboxes, in the order of their ids;
2. rows of folders, in the order of their ids. All UIDs, MODSEQs and bits of keywords of a folder are allocated under its lock.

STORE locks the row of its folder only, and filings take the same locks without waiting, or briefly (filing.py).

The answer of an operation is kept under its id for 10 minutes, in the transaction of the change: a repeated operation changes
nothing and gets the same answer (decision 3).
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

import asyncpg
import msgspec

from bodystore import Bodies, BodyStore, Entering
from mailkit.postgres.pool import Connection, Queries, translated
from mailstore.model.quota import Quota
from mailstore.storage import imports as importing
from mailstore.storage import mailboxes
from mailstore.storage.annotations import AnnotationRows
from mailstore.storage.events import EventRows
from mailstore.storage.folders import Folder, FolderRows
from mailstore.storage.imports import ImportRows
from mailstore.storage.mailboxes import LockedMailbox
from mailstore.storage.maildrop import Maildrop
from mailstore.storage.messages import Messages
from mailstore.storage.notifications import Notifications
from mailstore.storage.recoverable import RecoverableRows

queries = Queries("mailstore.storage", "operations.sql")

T = TypeVar("T")

_encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode


class MailboxTransaction:
    """A transaction on the rows of one mailbox."""

    def __init__(self, connection: Connection, mailbox_id: UUID) -> None:
        self._connection = connection
        self._mailbox_id = mailbox_id
        self.changed: set[UUID] = set()
        """The mailbox, if its change is to be announced."""
        self.folders = FolderRows(connection, mailbox_id)
        self.events = EventRows(connection, mailbox_id)
        self.annotations = AnnotationRows(connection, mailbox_id)
        self.messages = Messages(connection, mailbox_id)
        self.maildrop = Maildrop(connection, mailbox_id)
        self.imports = ImportRows(connection, mailbox_id)
        self.recoverable = RecoverableRows(connection, mailbox_id)

    async def store_bodies(self, entering: Entering, bodies: Bodies, now: datetime) -> None:
        """Store bodies to which this transaction makes the first references (decision 4)."""
        await entering.store(self._connection, bodies, now)

    async def release_bodies(self, bodies: BodyStore, body_ids: Sequence[UUID], now: datetime) -> None:
        """Have the collector check bodies that lose a reference in this transaction (decision 4)."""
        await bodies.leaving(self._connection, body_ids, now)

    async def add_usage(self, octets: int, quota: Quota = Quota(), *, rearmed: bool = False) -> None:
        """Add octets to the mailbox's usage, and keep the quota of the higher version; `rearmed` as in Account."""
        await mailboxes.add_usage(self._connection, self._mailbox_id, octets, quota, rearmed=rearmed)

    async def note_warning(self, now: datetime) -> None:
        """Note that the owner was warned of the quota."""
        await mailboxes.note_warning(self._connection, self._mailbox_id, now)

    def notify(self) -> None:
        """Announce the change once it is committed (docs/decisions/0055)."""
        self.changed.add(self._mailbox_id)


class LockedTransaction(MailboxTransaction):
    """A transaction that has locked the mailbox's row."""

    def __init__(self, connection: Connection, mailbox: LockedMailbox) -> None:
        super().__init__(connection, mailbox.mailbox_id)
        self.mailbox = mailbox


class Operation(MailboxTransaction, Generic[T]):
    """A transaction whose answer is kept."""

    answered: T | None = None
    """The answer that this operation already got; the caller returns it and changes nothing."""

    def __init__(self, connection: Connection, mailbox_id: UUID, operation_id: UUID, now: datetime) -> None:
        super().__init__(connection, mailbox_id)
        self._id = operation_id
        self._now = now

    async def look(self, kind: type[T]) -> None:
        """Find the answer of an earlier call. A row of the mailbox is locked."""
        answer = await self._connection.fetchval(queries.known_operation, self._mailbox_id, self._id)
        if answer is not None:
            self.answered = msgspec.msgpack.decode(answer, type=kind)

    async def remember(self, answer: T) -> T:
        """Keep the answer, and return it."""
        await self._connection.execute(
            queries.remember_operation, self._mailbox_id, self._id, _encode(answer), self._now
        )
        return answer


class MailboxOperation(Operation[T]):
    """An operation that has locked the mailbox's row."""

    def __init__(self, connection: Connection, mailbox: LockedMailbox, operation_id: UUID, now: datetime) -> None:
        super().__init__(connection, mailbox.mailbox_id, operation_id, now)
        self.mailbox = mailbox


class Operations:
    """Operations on mailboxes; a mailbox is created by the first one."""

    def __init__(self, pool: asyncpg.Pool, notifications: Notifications) -> None:
        self._pool = pool
        self._notifications = notifications

    @asynccontextmanager
    async def operation(
        self, mailbox_id: UUID, operation_id: UUID, kind: type[T], now: datetime
    ) -> AsyncIterator[MailboxOperation[T]]:
        """Begin an operation, answered with a `kind`, that locks the mailbox's row. Raises NotFound for a purged mailbox."""
        with self._notifications.after_commit() as committing:
            async with translated(), mailboxes.locked(self._pool, mailbox_id, now) as (connection, mailbox):
                operation: MailboxOperation[T] = MailboxOperation(connection, mailbox, operation_id, now)
                await operation.look(kind)
                yield operation
                committing |= operation.changed

    @asynccontextmanager
    async def in_folder(
        self, mailbox_id: UUID, folder_id: int, operation_id: UUID, kind: type[T], now: datetime
    ) -> AsyncIterator[tuple[Operation[T], Folder | None]]:
        """Begin an operation that locks the row of one folder only; without it, nothing may be changed."""
        with self._notifications.after_commit() as committing:
            async with translated(), self._pool.acquire() as connection, connection.transaction():
                operation: Operation[T] = Operation(connection, mailbox_id, operation_id, now)
                folder = await operation.folders.lock(folder_id)
                if folder is not None:
                    await operation.look(kind)
                yield operation, folder
                committing |= operation.changed

    async def known_imports(self, mailbox_id: UUID, keys: Sequence[UUID]) -> set[UUID]:
        """Return those of the keys that were imported into the mailbox; no row is locked."""
        return await importing.known(self._pool, mailbox_id, keys)

    @asynccontextmanager
    async def transaction(self, mailbox_id: UUID, now: datetime) -> AsyncIterator[LockedTransaction]:
        """Begin a transaction that locks the mailbox's row, and has no answer to keep. Raises NotFound for a purged mailbox."""
        with self._notifications.after_commit() as committing:
            async with translated(), mailboxes.locked(self._pool, mailbox_id, now) as (connection, mailbox):
                transaction = LockedTransaction(connection, mailbox)
                yield transaction
                committing |= transaction.changed
