"""DATA reads the message (RFC 5321 4.1.1.4)."""

from mailkit.mail.address import client_host
from mailkit.mail.reply import Reply
from smtp_gateway import replies
from smtp_gateway.smtp.client import Client
from smtp_gateway.smtp.receiving import Receiving
from smtp_gateway.smtp.session import SmtpSession
from smtp_gateway.smtp.taking import finish


async def data(session: SmtpSession, argument: str) -> None:
    transaction = session.transaction
    receiving = begin(session, argument)
    if isinstance(receiving, Reply):
        return await session.say(receiving, "DATA")
    try:  # from the first octet: the client may disconnect before its message is processed
        await session.read_message(receiving)
        reply = await finish(session, receiving.result())
    finally:
        receiving.give_back()
        session.busy = False
    await session.say(reply, "DATA", of=transaction)
    session.drain_if_due()
    return None


def begin(client: Client, argument: str) -> Receiving | Reply:
    """Return what receives the message, with room for the announced octets, or the reply to DATA if none is wanted now."""
    context, transaction = client.context, client.transaction
    if argument:
        return replies.NO_ARGUMENT
    if transaction.mail_from is None:
        return replies.MAIL_FIRST
    if not transaction.recipients:
        return replies.RCPT_FIRST
    if client.chunks is not None:
        return replies.CHUNKS_BEGAN
    room = context.bodies.promise(client_host(client.peer.address or ""), transaction.declared_size)
    if room is None or not context.bodies.fits(0 if transaction.declared_size else 1):
        return replies.NO_ROOM
    return Receiving(context.settings.max_message_bytes, room)
