"""What is stored of a hand-over: the message, its recipients and a new id for its body. Bounces take the same path."""

from collections.abc import Iterable
from uuid import UUID

from mailkit.ids import new_id
from mailkit.mail.header import Header, header_of
from queue_worker.intake.flows import flow_of
from queue_worker.models import NO_FLOW, DsnRequest, NewRecipient, Pair, QueueEntry
from queue_worker_api.wire import Submission

#: Octets of a message in which its Message-ID is looked for, and the longest one stored (RFC 5322 2.1.1).
HEAD, MOST_ID = 8192, 250


def entry(submission: Submission, *, bounce_of: UUID | None = None, own: bool = False) -> QueueEntry:
    """Return the entry for `submission`, with its flow and a new id for its body.

    `bounce_of`: it is our bounce of that message; `own`: other mail of ours, which is treated as a bounce.
    """
    s, sender = submission, submission.sender_target
    bounce = own or bounce_of is not None
    flow = NO_FLOW if bounce else flow_of(s.account, s.client_address, s.mail_from)
    return QueueEntry(
        s.submission_id,
        s.mail_from,
        new_id(),
        s.body,
        s.account,
        s.client_address,
        s.eight_bit,
        s.smtputf8,
        bounce,
        sender.mailbox_id if sender else None,
        sender.quota_limit if sender else 0,
        sender.limit_version if sender else 0,
        _recipients(s, flow),
        s.origin,
        _header_id(s.body),
        bounce_of,
        _asked(s),
        s.stamp,
        s.traceparent,
        sender.address if sender and not sender.mailbox_id and sender.address != s.mail_from else "",
    )


def _header_id(body: bytes) -> str | None:
    """Return the Message-ID within the first octets of a message, where senders and the gateway write it."""
    value = next(Header(header_of(body, HEAD)).values(b"message-id"), None)
    return value[:MOST_ID].decode("utf-8", "replace").replace("\0", "").strip("<>") or None if value else None


def _recipients(submission: Submission, flow: UUID) -> tuple[NewRecipient, ...]:
    recipients = submission.recipients
    seen = delivered_to(submission.body) if any(r.loop_address for r in recipients) else frozenset()
    return tuple(
        NewRecipient(
            n,
            "" if r.mailbox_id else destination(r.address),
            r.address,
            r.original,
            r.mailbox_id,
            r.quota_limit,
            r.limit_version,
            bool(seen) and r.loop_address.lower() in seen,
            NO_FLOW if r.mailbox_id else flow,
            r.via,
            r.sender,
        )
        for n, r in enumerate(recipients)
    )


def _asked(submission: Submission) -> tuple[DsnRequest, ...]:
    s = submission
    if not (s.ret or s.envid or s.tls or any(r.notify or r.orcpt for r in s.recipients)):
        return ()
    return tuple(DsnRequest(r.notify, r.orcpt, s.ret, s.envid, s.tls) for r in s.recipients)


def destination(address: str) -> str:
    """Return the domain that a remote recipient's mail goes to, by which attempts are grouped."""
    return address.rpartition("@")[2].lower()


def destinations(entries: Iterable[QueueEntry]) -> set[Pair]:
    """Return the pairs of flow and remote domain of `entries`, "" for local mailboxes, to wake the delivery loops with."""
    return {(r.flow, r.destination) for e in entries for r in e.recipients}


def delivered_to(body: bytes) -> frozenset[str]:
    """Return the addresses of the header's Delivered-To lines in lower case; one of ours means a loop (spec "Loops")."""
    values = Header(header_of(body)).values(b"delivered-to")
    return frozenset(value.decode("utf-8", "replace").lower() for value in values if value)
