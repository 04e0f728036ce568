"""What the door does: messages, recipients and bodies in one transaction. Bounces come in by the same function."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from bodystore import BodyStore
from mailkit.db import Connection
from mailkit.ids import new_id
from queue_worker.storage.queue import sql
from queue_worker_client.wire import Submission


@dataclass(frozen=True, slots=True)
class Entry:
    """A submission on its way in, with the ids it gets."""

    submission: Submission
    queue_id: UUID
    body_id: UUID


def entry(submission: Submission) -> Entry:
    """The hand-over's id becomes the queue id: Received, the 250 and every log line say the same."""
    return Entry(submission, submission.submission_id, new_id())


async def insert(
    connection: Connection, bodies: BodyStore, entries: Sequence[Entry], now: datetime, lifetime: timedelta
) -> None:
    """Insert `entries` in the transaction of `connection`; their hand-over ids are known to be new."""
    if not entries:
        return
    if bodies.shared:
        await bodies.put([(e.body_id, e.submission.body) for e in entries], now, connection)
    items = [e.submission for e in entries]
    senders = [item.sender_target for item in items]
    await connection.execute(
        sql.insert_messages,
        [e.queue_id for e in entries],
        [item.mail_from for item in items],
        [e.body_id for e in entries],
        [len(item.body) for item in items],
        [item.account for item in items],
        [item.client_address for item in items],
        [item.eight_bit for item in items],
        [item.smtputf8 for item in items],
        [target.mailbox_id if target else None for target in senders],
        [target.quota_limit if target else 0 for target in senders],
        [target.limit_version if target else 0 for target in senders],
        now,
        now + lifetime,
    )
    rows = [
        (
            e.queue_id,
            n,
            "" if r.mailbox_id else destination(r.address),
            r.address,
            r.original,
            r.mailbox_id,
            r.quota_limit,
            r.limit_version,
        )
        for e in entries
        for n, r in enumerate(e.submission.recipients)
    ]
    await connection.execute(sql.insert_recipients, *(list(column) for column in zip(*rows, strict=True)), now)


def destination(address: str) -> str:
    """The domain a remote recipient's mail goes to: what attempts are grouped by."""
    return address.rpartition("@")[2].lower()
