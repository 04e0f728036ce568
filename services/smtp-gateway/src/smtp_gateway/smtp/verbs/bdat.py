"""BDAT reads a message in chunks of announced sizes (RFC 3030 2). BINARYMIME is not offered: lines obey DATA's rules."""

from mailkit.mail.reply import Reply
from smtp_gateway import replies
from smtp_gateway.smtp.chunks import Chunks
from smtp_gateway.smtp.paths import chunk_of
from smtp_gateway.smtp.session import SmtpSession
from smtp_gateway.smtp.taking import finish

#: A chunk with fewer octets that is not the last counts as a useless command (decision 31).
SMALL = 512


async def bdat(session: SmtpSession, argument: str) -> None:
    """Read a chunk, also of a message that is refused (RFC 3030 4.2); the last one ends the transaction."""
    chunk = chunk_of(argument)
    if chunk is None:  # how many octets follow is unknown: none of them may be taken for a command
        session.closing = True
        return await session.say(replies.BDAT_SYNTAX, "BDAT")
    size, last = chunk
    transaction = session.transaction
    misplaced = _misplaced(session)
    chunks = session.chunks or _chunks(session)
    if misplaced is not None:
        chunks.refuse(misplaced)
    else:
        session.chunks = chunks
    session.busy = True
    ended = False
    try:
        await session.read_chunk(chunks, size)
        ended = last and misplaced is None
        if ended:
            session.chunks = None
            reply = await finish(session, chunks.result())
        else:
            reply = chunks.refusal or replies.chunk_taken(size)
    finally:
        if ended or misplaced is not None:
            chunks.give_back()
        session.busy = False
    await session.say(reply, "BDAT", of=transaction, junk=size < SMALL and not last)
    return session.drain_if_due()


def _misplaced(session: SmtpSession) -> Reply | None:
    """Return the reply to a chunk before MAIL or RCPT."""
    if session.transaction.mail_from is None:
        return replies.MAIL_FIRST
    return None if session.transaction.recipients else replies.RCPT_FIRST


def _chunks(session: SmtpSession) -> Chunks:
    settings = session.context.settings
    return Chunks(settings.max_message_bytes, session.context.bodies, settings.smtp_data_seconds, session.timed_out)
