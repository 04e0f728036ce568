"""RCPT adds a recipient (RFC 5321 4.1.1.3): the policy on recipients, and the targets they resolve to."""

import time

from auth_api.wire import RecipientQuestion
from mailkit.mail.reply import Reply
from smtp_gateway import metrics, replies
from smtp_gateway.smtp import dsn
from smtp_gateway.smtp.client import Client
from smtp_gateway.smtp.paths import parse_rcpt
from smtp_gateway.smtp.session import SmtpSession


async def rcpt(session: SmtpSession, argument: str) -> None:
    started = time.perf_counter()
    reply = await decide(session, argument)
    metrics.RCPT_SECONDS.observe(time.perf_counter() - started)
    await session.say(reply, "RCPT", about=argument)


async def decide(client: Client, argument: str) -> Reply:
    """Return the reply to RCPT; a recipient that is accepted is added to the client's transaction."""
    transaction, settings = client.transaction, client.context.settings
    if transaction.mail_from is None:
        return replies.MAIL_FIRST
    if client.chunks is not None:
        return replies.CHUNKS_BEGAN
    path = parse_rcpt(argument, strict=settings.smtp_strict)
    if path is None or not path.address:
        return replies.RCPT_SYNTAX
    if path.parameters.keys() - {"NOTIFY", "ORCPT"}:
        return replies.UNKNOWN_PARAMETER
    notify, orcpt = (path.parameters.get(name, "") or "" for name in ("NOTIFY", "ORCPT"))
    notify = notify.upper()
    if ("NOTIFY" in path.parameters and not dsn.is_notify(notify)) or (
        "ORCPT" in path.parameters and not dsn.is_orcpt(orcpt)
    ):
        return replies.BAD_PARAMETER
    if not path.address.isascii() and not transaction.smtputf8:
        return replies.NEEDS_SMTPUTF8
    if len(transaction.recipients) >= settings.recipients_per_message:
        return replies.TOO_MANY_RECIPIENTS
    question = RecipientQuestion(
        path.address,
        transaction.mail_from,
        client.peer.address,
        client.login.mailbox_id if client.login else None,
        first=transaction.relay is not None and not transaction.leaves,
    )
    refusal, targets = await client.context.recipients.check(question, transaction.declared_size, client.consulted)
    if refusal is not None:
        return refusal
    if transaction.relay is None:
        notify = dsn.without_success(notify)
    if not transaction.add(path.address, targets, settings.targets_per_message, notify, orcpt):
        return replies.TOO_MANY_RECIPIENTS
    return replies.RECIPIENT_OK
