"""What follows the last octet of a message, after DATA and BDAT alike: its content is checked and it is handed over."""

import asyncio
import time
from dataclasses import replace
from functools import partial

from auth_api.wire import RecipientQuestion
from mailkit.mail.header import Header, header_of
from mailkit.mail.reply import Reply
from mailkit.process import spans
from queue_worker_api.wire import SubmissionRecipient
from smtp_gateway import metrics, replies
from smtp_gateway.incoming.counted import as_rejected
from smtp_gateway.incoming.examine import MessageEnvelope
from smtp_gateway.incoming.inspection import UNINSPECTED, Inspected, stamped
from smtp_gateway.incoming.large import ON_THE_LOOP
from smtp_gateway.incoming.own_fields import removed
from smtp_gateway.policy import content
from smtp_gateway.policy.author import Author
from smtp_gateway.smtp.client import Client
from smtp_gateway.smtp.session import SmtpSession
from smtp_gateway.trace import from_clause
from smtp_gateway.transaction import Transaction


async def finish(session: SmtpSession, found: bytes | Reply) -> Reply:
    """End the transaction with the message `found`, or the reply that refuses it; return the reply."""
    started = time.perf_counter()
    transaction = session.transaction
    session.transaction = Transaction()
    if isinstance(found, bytes):
        transaction.received_size = len(found)
    reply = found if isinstance(found, Reply) else await _traced(session, transaction, found)
    metrics.DATA_END_SECONDS.observe(time.perf_counter() - started)
    return reply


async def _traced(session: SmtpSession, transaction: Transaction, body: bytes) -> Reply:
    """Take the message within a span, the first one of its trace."""
    with spans.opened("accept") as span:
        transaction.traceparent = span.traceparent
        reply = await _take(session, transaction, body)
        by = transaction.relay.how if transaction.relay else "none"
        span.note(
            listener=session.peer.listener,
            by=by,
            recipients=len(transaction.recipients),
            size=len(body),
            code=reply.code,
        )
    return reply


async def _take(session: SmtpSession, transaction: Transaction, body: bytes) -> Reply:
    """Check the content and hand the message over; return the reply to the final dot."""
    context = session.context
    judged = judge(session, transaction, body)
    if isinstance(judged, Reply):
        return judged
    body, header = judged
    if not transaction.tls and content.needs_no_tls(header):
        transaction.tls = "optional"
    started = time.perf_counter()
    inspected = await inspect(session, transaction, body, header)
    inspected.count(time.perf_counter() - started)
    if inspected.refusal is not None:
        return inspected.refusal
    if not await _scan(session, transaction, body):
        return replies.SPAM
    bcc = context.settings.smtp_remove_bcc and transaction.relay is not None
    clean = partial(removed, header, body, context.settings.helo_name, bcc=bcc)
    header, body = clean() if len(header.raw) <= ON_THE_LOOP else await asyncio.to_thread(clean)
    added, above = b"", inspected.field
    if transaction.relay is not None:
        author = await judge_author(session, transaction, header)
        if isinstance(author, Reply):
            return author
        added = context.acceptor.missing(header)
        if author.signers:
            above = await context.signatures.fields(
                added, header.raw, body, author.address, author.signers, session.peer.address, session.login
            )
    if transaction.sender_local:
        transaction.sender_target = await _sender_target(session, transaction.mail_from or "")
    origin = session.origin(transaction)
    clause = from_clause(
        session.helo,
        session.peer.address,
        extended=session.extended,
        tls=session.tls,
        cipher=origin.tls,
        login=session.login is not None,
    )
    # shielded: a message read to its end is handed over even if the client disconnects (decision 2)
    work = asyncio.ensure_future(
        context.acceptor.accept(
            transaction, body, header, clause, session.peer.address, origin, above=above, added=added
        )
    )
    reply = await asyncio.shield(work)
    if reply.code == 250:
        session.conduct.accepted()
        metrics.ACCEPTED.labels(session.peer.listener).inc()
        metrics.TRANSACTIONS.labels(transaction.relay.how if transaction.relay else "none").inc()
    return reply


def judge(client: Client, transaction: Transaction, body: bytes) -> tuple[bytes, Header] | Reply:
    """Return the message as it is handed over and its header, or the reply that refuses its content."""
    settings = client.context.settings
    body = content.repaired(
        body, nul=settings.smtp_strip_nul, bare_lf=settings.smtp_repair_bare_lf and transaction.relay is not None
    )
    too_big = len(body) > settings.max_message_bytes  # the repair adds octets
    client.consulted("S7", too_big, size=len(body), most=settings.max_message_bytes)
    if too_big:
        return replies.TOO_BIG
    returning = {target.loop_address.lower() for target in transaction.targets.values()}
    header = Header(header_of(body, settings.max_header_bytes))
    refusal = content.refusal(body, header, returning)
    client.consulted("content", refusal is not None, header=len(header.raw), received=header.count(b"received"))
    return refusal or (body, header)


async def inspect(client: Client, transaction: Transaction, body: bytes, header: Header) -> Inspected:
    """Inspect a message from outside, and keep what was found with its transaction; of any other nothing is found."""
    inspection = client.context.inspection
    if inspection is None or transaction.relay is not None:
        return UNINSPECTED
    inspected = await inspection.inspect(
        _envelope(client, transaction), header.raw, body, client.consulted, utf8=transaction.smtputf8
    )
    transaction.stamp = inspected.stamp
    unwanted = inspected.stamp.dmarc_failed and transaction.only_forwards
    client.consulted("not_forwarded", unwanted)
    if unwanted and inspected.refusal is None:
        transaction.stamp = as_rejected(transaction.stamp)
        return replace(inspected, refusal=replies.NOT_FORWARDED)
    return inspected


async def judge_author(client: Client, transaction: Transaction, header: Header) -> Author | Reply:
    """Return what auth says of the From of a client with a right to relay, or the reply that refuses it. Raises Unavailable."""
    author = await client.context.authors.check(
        header.raw, transaction.mail_from or "", transaction.from_rule, client.peer.address, client.login
    )
    client.consulted("from_identity", not author.allowed, addresses=list(author.addresses), readable=author.readable)
    return author if author.allowed else replies.NOT_YOUR_FROM


async def _scan(session: SmtpSession, transaction: Transaction, body: bytes) -> bool:
    """Have a message from outside scanned, if there is a scanner; return whether it is taken."""
    scanner = session.context.scanner
    if scanner is None or transaction.relay is not None:
        return True
    started = time.perf_counter()
    found, verdict = await scanner.scan(_envelope(session, transaction), transaction.recipients, body)
    metrics.SCAN_SECONDS.observe(time.perf_counter() - started)
    transaction.stamp = stamped(transaction.stamp, verdict, junk=found == "junk")
    return found != "reject"


def _envelope(client: Client, transaction: Transaction) -> MessageEnvelope:
    return MessageEnvelope(
        client.peer.address, client.helo, transaction.mail_from or "", client.context.settings.helo_name
    )


async def _sender_target(session: SmtpSession, sender: str) -> SubmissionRecipient | None:
    """Return the target of a bounce to a local sender, if any: the queue makes no look-ups later (decision 5)."""
    targets = await session.context.recipients.targets(RecipientQuestion(sender, "", None, None))
    if not targets:
        return None
    first = next((t for t in targets if t.mailbox_id), targets[0])
    return SubmissionRecipient(first.address, sender, first.mailbox_id, first.quota_limit, first.limit_version)
