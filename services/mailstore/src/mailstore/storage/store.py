"""The named SQL of mailstore, and the locking, notification and packing that several steps share."""

from array import array
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import msgspec

from mailkit.errors import BadRequest, NotFound, Unavailable
from mailkit.postgres.pool import Connection, Queries
from mailstore_api.wire import Ranges

sql = Queries("mailstore.storage", "filing.sql", "folders.sql", "messages.sql", "maildrop.sql")
#: Statements of maintenance, the only ones that read all mailboxes.
upkeep = Queries("mailstore.storage", "maintain.sql")

T = TypeVar("T")

#: The default folders of each mailbox, INBOX first (folder id 1), with their special use (RFC 6154).
FOLDERS = {"INBOX": "", "Drafts": "\\Drafts", "Sent": "\\Sent", "Junk": "\\Junk", "Trash": "\\Trash"}
INBOX_ID = 1
LAST_UID = 2**32 - 1

#: Milliseconds that a filing waits for a mailbox that another session has locked.
IN_LINE_MS = 200

#: Payloads stay below 7,900 octets; above _MOST_NAMED mailboxes the payload is `*`, for any mailbox (decision 8).
_IDS_A_PAYLOAD = 235
_MOST_NAMED = 5000

_encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode


@asynccontextmanager
async def locked(
    pool: asyncpg.Pool, mailbox_ids: Iterable[UUID], now: datetime
) -> AsyncIterator[tuple[Connection, dict[UUID, Any]]]:
    """Begin a transaction that locks these mailboxes' rows in the order of their ids: (connection, rows by id).

    New mailboxes are created with their folders in a transaction before this one: a transaction that holds locks and waits
    for another that creates mailboxes could deadlock. Raises Unavailable if they vanish meanwhile.
    """
    ids = sorted(set(mailbox_ids))
    async with pool.acquire() as connection:
        for _ in range(2):
            async with connection.transaction():
                found = {row["mailbox_id"]: row for row in await connection.fetch(sql.lock_mailboxes, ids)}
                if len(found) == len(ids):
                    yield connection, found
                    return
            await make_mailboxes(connection, [i for i in ids if i not in found], now)
    raise Unavailable("mailboxes vanish while they are made")


@asynccontextmanager
async def locked_free(
    pool: asyncpg.Pool, mailbox_ids: Iterable[UUID], now: datetime
) -> AsyncIterator[tuple[Connection, dict[UUID, Any]]]:
    """`locked` for filing: mailboxes that another session has locked, or is creating, are missing from the rows, so that a
    lock delays its own mailbox only (decision 0034). INBOXes are locked, too."""
    ids = sorted(set(mailbox_ids))
    async with pool.acquire() as connection:
        async with connection.transaction():
            found = {row["mailbox_id"]: row for row in await connection.fetch(sql.lock_free_mailboxes, ids)}
            missing = [i for i in ids if i not in found]
            there = {row["mailbox_id"] for row in await connection.fetch(sql.sizes, missing)} if missing else set()
            new = [i for i in missing if i not in there]
            if not new:
                yield connection, found
                return
        await _make_free(connection, new, now)
        async with connection.transaction():
            yield connection, {row["mailbox_id"]: row for row in await connection.fetch(sql.lock_free_mailboxes, ids)}


@asynccontextmanager
async def locked_in_line(
    pool: asyncpg.Pool, mailbox_ids: Iterable[UUID]
) -> AsyncIterator[tuple[Connection, dict[UUID, Any]]]:
    """`locked` for mailboxes that exist, and their INBOXes, waiting at most IN_LINE_MS for each lock.

    Raises asyncpg.LockNotAvailableError if another session does not release one of them."""
    ids = sorted(set(mailbox_ids))
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(f"set local lock_timeout = '{IN_LINE_MS}ms'")
        found = {row["mailbox_id"]: row for row in await connection.fetch(sql.lock_mailboxes, ids)}
        await connection.fetch(sql.lock_inboxes, ids)
        yield connection, found


async def _make_free(connection: Connection, mailbox_ids: Sequence[UUID], now: datetime) -> None:
    """Create mailboxes, except those that another session is creating and does not commit within IN_LINE_MS."""
    try:
        async with connection.transaction():
            await connection.execute(f"set local lock_timeout = '{IN_LINE_MS}ms'")
            await make_mailboxes(connection, mailbox_ids, now)
    except asyncpg.LockNotAvailableError:
        middle = len(mailbox_ids) // 2
        for half in (mailbox_ids[:middle], mailbox_ids[middle:]):
            if middle:  # a single one is left out
                await _make_free(connection, half, now)


async def make_mailboxes(connection: Connection, mailbox_ids: Sequence[UUID], now: datetime) -> None:
    """Create the mailboxes that do not exist, with their folders."""
    await connection.execute(
        sql.make_mailboxes, list(mailbox_ids), list(FOLDERS), list(FOLDERS.values()), int(now.timestamp())
    )


async def notify(connection: Connection, mailbox_ids: Iterable[UUID]) -> None:
    """Announce a change of these mailboxes at commit: one call per transaction (decision 8)."""
    ids = sorted({mailbox_id.hex for mailbox_id in mailbox_ids})
    if len(ids) > _MOST_NAMED:
        payloads = ["*"]
    else:
        payloads = [" ".join(ids[at : at + _IDS_A_PAYLOAD]) for at in range(0, len(ids), _IDS_A_PAYLOAD)]
    await connection.execute(sql.notify, payloads)


def pack(uids: Iterable[int]) -> bytes:
    return array("I", uids).tobytes()


def pack_uids(rows: Sequence[asyncpg.Record]) -> bytes:
    return array("I", [row["uid"] for row in rows]).tobytes()


def pack_flags(rows: Sequence[asyncpg.Record]) -> bytes:
    return array("Q", [row["flags"] for row in rows]).tobytes()


def split(ranges: Ranges) -> tuple[list[int], list[int]]:
    """Split ranges into the two arrays that the statements take. Raises BadRequest unless they ascend without overlap."""
    last = 0
    for low, high in ranges:
        if low <= last or high < low or high > LAST_UID:
            raise BadRequest("ranges ascend and do not meet")
        last = high
    return [low for low, _ in ranges], [high for _, high in ranges]


async def remembered(connection: Connection, mailbox_id: UUID, operation_id: UUID, kind: type[T]) -> T | None:
    """Return the answer this operation already got (decision 3), else None. Call it with a row of the mailbox locked."""
    answer = await connection.fetchval(sql.known_operation, mailbox_id, operation_id)
    return None if answer is None else msgspec.msgpack.decode(answer, type=kind)


async def remember(connection: Connection, mailbox_id: UUID, operation_id: UUID, answer: T, now: datetime) -> T:
    """Store the answer in the transaction of the change, and return it."""
    await connection.execute(sql.remember_operation, mailbox_id, operation_id, _encode(answer), now)
    return answer


def not_purged(mailboxes: dict[UUID, Any], mailbox_id: UUID) -> Any:
    """Return the mailbox's locked row. Raises NotFound for a tombstone."""
    row = mailboxes[mailbox_id]
    if row["purged_at"] is not None:
        raise NotFound("this mailbox was removed")
    return row
