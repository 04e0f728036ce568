"""DATA reads the message (RFC 5321 4.1.1.4)."""

from smtp_gateway import replies
from smtp_gateway.smtp.receiving import Receiving
from smtp_gateway.smtp.session import SmtpSession
from smtp_gateway.smtp.taking import finish


async def data(session: SmtpSession, argument: str) -> None:
    context, transaction = session.context, session.transaction
    if argument:
        return await session.say(replies.NO_ARGUMENT, "DATA")
    if transaction.mail_from is None:
        return await session.say(replies.MAIL_FIRST, "DATA")
    if not transaction.recipients:
        return await session.say(replies.RCPT_FIRST, "DATA")
    if session.chunks is not None:
        return await session.say(replies.CHUNKS_BEGAN, "DATA")
    if not context.bodies.take(1):
        return await session.say(replies.NO_ROOM, "DATA")
    context.bodies.give_back(1)
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
