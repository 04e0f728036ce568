"""MAIL begins a transaction (RFC 5321 4.1.1.2): its parameters, and the policy on senders."""

import time

from mailkit.mail.reply import Reply
from smtp_gateway import metrics, replies
from smtp_gateway.smtp import dsn
from smtp_gateway.smtp.client import Client
from smtp_gateway.smtp.paths import Path, parse_mail, size_of
from smtp_gateway.smtp.session import SmtpSession
from smtp_gateway.transaction import Transaction

_BODIES = ("7BIT", "8BITMIME")


async def mail(session: SmtpSession, argument: str) -> None:
    session.busy = True
    started = time.perf_counter()
    try:
        reply = await decide(session, argument)
        if reply.code == 250 and session.transaction.relay is None:
            session.context.limits.sent(session.peer.address)
        metrics.MAIL_SECONDS.observe(time.perf_counter() - started)
        await session.say(reply, "MAIL", about=argument)
    finally:
        session.busy = False
        session.drain_if_due()


async def decide(client: Client, argument: str) -> Reply:
    """Return the reply to MAIL; a sender that is accepted begins the client's transaction."""
    context, address, consulted = client.context, client.peer.address, client.consulted
    if not client.helo:
        return replies.HELO_FIRST
    if client.transaction.mail_from is not None:
        return replies.NESTED_MAIL
    path = parse_mail(argument, strict=context.settings.smtp_strict)
    if path is None:
        return replies.MAIL_SYNTAX
    transaction = Transaction()
    refusal = _parameters(path, transaction, context.settings.max_message_bytes, tls=client.tls)
    consulted("S7", refusal is replies.TOO_BIG, size=transaction.declared_size, most=context.settings.max_message_bytes)
    if refusal is not None:
        return refusal
    if not context.bodies.fits(transaction.declared_size):
        return replies.NO_ROOM
    answer = await context.senders.answer(path.address, address, client.login.mailbox_id if client.login else None)
    right = answer.relay
    needs = client.peer.listener != "smtp" and right is None
    consulted("right", needs, by=right.how if right else "none", account=right.address if right else None)
    if needs:
        return replies.NEEDS_LOGIN
    refusal = await context.senders.refusal(path.address, answer, consulted)
    if refusal is not None:
        return refusal
    if answer.relay is None:
        allowed = context.limits.may_send(address)
        consulted("throttled", not allowed, messages_per_minute=context.settings.messages_per_minute)
        if not allowed:
            return replies.TOO_MANY_MESSAGES
    transaction.mail_from = path.address.strip()
    transaction.relay = answer.relay
    transaction.from_rule = answer.from_rule
    transaction.sender_local = answer.domain_local and bool(path.address)
    client.transaction = transaction
    return replies.SENDER_OK


def _parameters(path: Path, transaction: Transaction, largest: int, *, tls: bool) -> Reply | None:
    """Set what the parameters declare (RFC 1870, RFC 3461, RFC 6152, RFC 6531, RFC 8689); return the reply that refuses one."""
    for name, value in path.parameters.items():
        if name == "SIZE":
            size = size_of(value)
            if size is None:
                return replies.BAD_PARAMETER
            if size > largest:
                return replies.TOO_BIG
            transaction.declared_size = size
        elif name == "BODY":
            if (value or "").upper() not in _BODIES:
                return replies.BAD_PARAMETER
            transaction.eight_bit = (value or "").upper() == "8BITMIME"
        elif name == "SMTPUTF8" and value is None:
            transaction.smtputf8 = True
        elif name == "REQUIRETLS" and value is None and tls:
            transaction.tls = "required"
        elif name == "RET":
            if (value or "").upper() not in dsn.RETS:
                return replies.BAD_PARAMETER
            transaction.ret = (value or "").upper()
        elif name == "ENVID":
            if not dsn.is_envid(value or ""):
                return replies.BAD_PARAMETER
            transaction.envid = value or ""
        elif name != "AUTH":  # RFC 4954 5: AUTH= is accepted and ignored
            return replies.UNKNOWN_PARAMETER
    if not path.address.isascii() and not transaction.smtputf8:
        return replies.NEEDS_SMTPUTF8
    return None
