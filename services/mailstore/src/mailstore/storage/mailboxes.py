"""The rows of mailboxes: usage, quota, creation, locks."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import asyncpg

from mailkit.errors import NotFound, Unavailable
from mailkit.postgres.pool import Connection, Queries, translated
from mailkit.postgres.rows import Row, column
from mailstore.model.folder_names import FOLDERS
from mailstore.model.quota import Account, Charge, Quota
from mailstore.storage import folders

queries = Queries("mailstore.storage", "mailboxes.sql")


class Mailbox(Row):
    """Usage and quota of a mailbox."""

    mailbox_id: UUID = column("mailbox_id")

    @property
    def purged(self) -> bool:
        """Whether it is a tombstone."""
        purged: bool = self["purged"]
        return purged

    def account(self, charge: Charge) -> Account:
        """Return the account of the mailbox."""
        quota = Quota(self["quota_limit"], self["limit_version"])
        warned = self["quota_warned_at"] is not None
        return Account(self["usage"], self["messages"], quota, charge, warned=warned)


class LockedMailbox(Mailbox):
    """A mailbox whose row the transaction has locked."""

    @property
    def purged(self) -> bool:
        return self["purged_at"] is not None


class Mailboxes:
    """Mailboxes outside a change."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def usage(self, mailbox_ids: Sequence[UUID]) -> dict[UUID, Mailbox]:
        """Return the mailboxes that exist, by id."""
        async with translated():
            return await usage(self._pool, mailbox_ids)

    async def folder_names(self, mailbox_id: UUID) -> list[str]:
        """Return the names of the mailbox's folders in order."""
        return await folders.names(self._pool, mailbox_id)

    async def create(self, mailbox_id: UUID, now: datetime) -> None:
        """Create the mailbox with the default folders unless it exists. Raises NotFound for a tombstone."""
        async with translated(), locked(self._pool, mailbox_id, now):
            pass


@asynccontextmanager
async def locked(
    pool: asyncpg.Pool, mailbox_id: UUID, now: datetime
) -> AsyncIterator[tuple[Connection, LockedMailbox]]:
    """Begin a transaction that locks the mailbox's row.

    A new mailbox is created with its folders in a transaction before this one: a transaction that holds locks and waits for
    another that creates mailboxes could deadlock. Raises NotFound for a tombstone, and Unavailable if the mailbox vanishes.
    """
    async with pool.acquire() as connection:
        for _ in range(2):
            async with connection.transaction():
                if found := await lock(connection, [mailbox_id]):
                    if found[0].purged:
                        raise NotFound("this mailbox was removed")
                    yield connection, found[0]
                    return
            await create(connection, [mailbox_id], now)
    raise Unavailable("mailboxes vanish while they are made")


async def lock(connection: Connection, mailbox_ids: Sequence[UUID]) -> list[LockedMailbox]:
    """Lock the rows of those mailboxes that exist, in the order of their ids."""
    return await connection.fetch(queries.lock_mailboxes, mailbox_ids, record_class=LockedMailbox)


async def usage(database: asyncpg.Pool | Connection, mailbox_ids: Sequence[UUID]) -> dict[UUID, Mailbox]:
    """Return the mailboxes that exist, by id, without locks."""
    rows = await database.fetch(queries.usage, mailbox_ids, record_class=Mailbox)
    return {row.mailbox_id: row for row in rows}


async def create(connection: Connection, mailbox_ids: Iterable[UUID], now: datetime) -> None:
    """Create the mailboxes that do not exist, with their folders."""
    await connection.execute(
        queries.make_mailboxes, list(mailbox_ids), list(FOLDERS), list(FOLDERS.values()), int(now.timestamp())
    )


async def add_usage(connection: Connection, mailbox_id: UUID, octets: int, quota: Quota, *, rearmed: bool) -> None:
    """Add octets, which may be negative, and keep the quota of the higher version; `rearmed` as in Account."""
    await connection.execute(queries.add_usage, [mailbox_id], [octets], [quota.limit], [quota.version], [rearmed])


async def note_warning(connection: Connection, mailbox_id: UUID, now: datetime) -> None:
    """Note that the owner was warned."""
    await connection.execute(queries.note_warning, mailbox_id, now)
