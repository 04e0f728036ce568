"""DATA reads the message (RFC 5321 4.1.1.4)."""

from mailkit.mail.reply import Reply
from smtp_gateway import replies
from smtp_gateway.smtp.client import Client
from smtp_gateway.smtp.receiving import Receiving
from smtp_gateway.smtp.session import SmtpSession
from smtp_gateway.smtp.taking import finish


async def data(session: SmtpSession, argument: str) -> None:
    context, transaction = session.context, session.transaction
    misplaced = refusal(session, argument)
    if misplaced is not None:
        return await session.say(misplaced, "DATA")
    receiving = Receiving(context.settings.max_message_bytes, context.bodies)
    try:  # from the first octet: the client may disconnect before its message is processed
        await session.read_message(receiving)
        reply = await finish(session, receiving.result())
    finally:
        receiving.give_back()
        session.busy = False
    await session.say(reply, "DATA", of=transaction)
    session.drain_if_due()
    return None


def refusal(client: Client, argument: str) -> Reply | None:
    """Return the reply to DATA if no message is wanted now."""
    if argument:
        return replies.NO_ARGUMENT
    if client.transaction.mail_from is None:
        return replies.MAIL_FIRST
    if not client.transaction.recipients:
        return replies.RCPT_FIRST
    if client.chunks is not None:
        return replies.CHUNKS_BEGAN
    bodies = client.context.bodies
    if not bodies.take(1):
        return replies.NO_ROOM
    bodies.give_back(1)
    return None
