"""Enqueuing of hand-overs: messages, recipients and bodies in one transaction. Bounces take the same path."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from bodystore import BodyStore
from mailkit.ids import new_id
from mailkit.mail.header import Header, header_of
from mailkit.postgres.pool import Connection
from queue_worker.intake.flows import flow_of
from queue_worker.models import NO_FLOW, Pair
from queue_worker.storage.queue import sql
from queue_worker_api.wire import Submission


@dataclass(frozen=True, slots=True)
class Entry:
    """A submission to insert, with the id of its body and its flow. `bounce`: it is our own bounce."""

    submission: Submission
    body_id: UUID
    bounce: bool = False
    flow: UUID = NO_FLOW

    @property
    def queue_id(self) -> UUID:
        """The hand-over's id, which Received, the 250 reply and every log line name (docs/decisions/0019)."""
        return self.submission.submission_id


def entry(submission: Submission, *, bounce: bool = False) -> Entry:
    """Return the entry for `submission`, with its flow and a new id for its body."""
    flow = flow_of(submission.account, submission.client_address, submission.mail_from)
    return Entry(submission, new_id(), bounce, NO_FLOW if bounce else flow)


async def insert(
    connection: Connection, bodies: BodyStore, entries: Sequence[Entry], now: datetime, lifetime: timedelta
) -> set[UUID]:
    """Insert `entries` and their bodies in one statement; return the hand-over ids that are new.

    Where the bodies are in another database, the caller has stored them with `put` and is inside `first_reference`. The
    body of a repeated hand-over gets no reference; the collector finds it by its candidate row.
    """
    if not entries:
        return set()
    items = [e.submission for e in entries]
    senders = [item.sender_target for item in items]
    recipients = [row for e in entries for row in _recipients(e)]
    args = (
        [e.queue_id for e in entries],
        [item.mail_from for item in items],
        [e.body_id for e in entries],
        [len(item.body) for item in items],
        [item.account for item in items],
        [item.client_address for item in items],
        [item.eight_bit for item in items],
        [item.smtputf8 for item in items],
        [e.bounce for e in entries],
        [target.mailbox_id if target else None for target in senders],
        [target.quota_limit if target else 0 for target in senders],
        [target.limit_version if target else 0 for target in senders],
        now,
        now + lifetime,
        *(list(column) for column in zip(*recipients, strict=True)),
    )
    if bodies.shared:
        put = [(e.body_id, e.submission.body) for e in entries]
        rows = await bodies.put_with(put, now, connection, sql.enqueue, *args)
    else:
        rows = await connection.fetch(sql.enqueue, *args)
    return {row["id"] for row in rows}


def _recipients(e: Entry) -> list[tuple[object, ...]]:
    """Return the rows of the recipients of `e`."""
    recipients = e.submission.recipients
    seen = delivered_to(e.submission.body) if any(r.loop_address for r in recipients) else frozenset()
    return [
        (
            e.queue_id, n, "" if r.mailbox_id else destination(r.address), r.address, r.original, r.mailbox_id,
            r.quota_limit, r.limit_version, bool(seen) and r.loop_address.lower() in seen,
            NO_FLOW if r.mailbox_id else e.flow, r.via,
        )
        for n, r in enumerate(recipients)
    ]  # fmt: skip


def destination(address: str) -> str:
    """Return the domain that a remote recipient's mail goes to, by which attempts are grouped."""
    return address.rpartition("@")[2].lower()


def destinations(entries: Sequence[Entry]) -> set[Pair]:
    """Return the pairs of flow and remote domain of `entries`, "" for local mailboxes, to wake the delivery loops with."""
    return {
        (NO_FLOW, "") if r.mailbox_id else (e.flow, destination(r.address))
        for e in entries
        for r in e.submission.recipients
    }


def delivered_to(body: bytes) -> frozenset[str]:
    """Return the addresses of the header's Delivered-To lines in lower case; one of ours means a loop (spec "Loops")."""
    values = Header(header_of(body)).values(b"delivered-to")
    return frozenset(value.decode("utf-8", "replace").lower() for value in values if value)
