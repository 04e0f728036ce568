"""The named SQL of mailstore, and what several steps need around it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from mailkit.db import Connection, Queries
from mailkit.errors import NotFound
from mailstore_client.wire import Ranges

sql = Queries("mailstore.storage", "mailstore.sql")

T = TypeVar("T")

#: The folders of every mailbox, INBOX first (folder id 1), with their special use (RFC 6154).
FOLDERS = {"INBOX": "", "Drafts": "\\Drafts", "Sent": "\\Sent", "Junk": "\\Junk", "Trash": "\\Trash"}
INBOX_ID = 1

#: Payloads stay under 7,900 bytes; above so many mailboxes `*` says "anything" (decision 8).
_IDS_A_PAYLOAD = 235
_MOST_NAMED = 5000

_encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode


async def lock_mailboxes(connection: Connection, mailbox_ids: Iterable[UUID], now: datetime) -> dict[UUID, Any]:
    """Lock these mailboxes' rows in the order of their ids; the ones never seen before are made with their folders."""
    ids = sorted(set(mailbox_ids))
    rows = await connection.fetch(sql.lock_mailboxes, ids)
    if len(rows) < len(ids):
        found = {row["mailbox_id"] for row in rows}
        await make_mailboxes(connection, [i for i in ids if i not in found], now)
        rows = await connection.fetch(sql.lock_mailboxes, ids)
    return {row["mailbox_id"]: row for row in rows}


async def make_mailboxes(connection: Connection, mailbox_ids: Sequence[UUID], now: datetime) -> None:
    """Make mailboxes that are not there yet."""
    await connection.execute(
        sql.make_mailboxes, list(mailbox_ids), list(FOLDERS), list(FOLDERS.values()), int(now.timestamp())
    )


async def notify(connection: Connection, mailbox_ids: Iterable[UUID]) -> None:
    """Announce a change of these mailboxes when the transaction commits: one call a transaction (decision 8)."""
    ids = sorted({mailbox_id.hex for mailbox_id in mailbox_ids})
    if len(ids) > _MOST_NAMED:
        payloads = ["*"]
    else:
        payloads = [" ".join(ids[at : at + _IDS_A_PAYLOAD]) for at in range(0, len(ids), _IDS_A_PAYLOAD)]
    await connection.execute(sql.notify, payloads)


def split(ranges: Ranges) -> tuple[list[int], list[int]]:
    """Ranges as the two arrays that the statements take."""
    return [low for low, _ in ranges], [high for _, high in ranges]


async def remembered(connection: Connection, mailbox_id: UUID, operation_id: UUID, kind: type[T]) -> T | None:
    """The answer this operation got already (decision 3), or None. Ask with a row of the mailbox locked."""
    answer = await connection.fetchval(sql.known_operation, mailbox_id, operation_id)
    return None if answer is None else msgspec.msgpack.decode(answer, type=kind)


async def remember(connection: Connection, mailbox_id: UUID, operation_id: UUID, answer: T, now: datetime) -> T:
    """Keep the answer with the change."""
    await connection.execute(sql.remember_operation, mailbox_id, operation_id, _encode(answer), now)
    return answer


def not_purged(mailboxes: dict[UUID, Any], mailbox_id: UUID) -> Any:
    """The mailbox's locked row. Raises NotFound for a tombstone."""
    row = mailboxes[mailbox_id]
    if row["purged_at"] is not None:
        raise NotFound("this mailbox was removed")
    return row
