"""RETR and TOP: a message, sent piece by piece (RFC 1939 5 and 7), without UTF8 as its surrogate (RFC 6856 2.1)."""

from contextlib import aclosing

from mailkit.errors import PostriderError
from mailkit.process.report import report
from mailstore_api.wire import ReadMaildrop
from pop_imap_frontend.pop3 import refusals
from pop_imap_frontend.pop3.octets import Stuffing, stuffed
from pop_imap_frontend.pop3.refusals import Refused
from pop_imap_frontend.pop3.session import Pop3Session
from pop_imap_frontend.pop3.surrogate import Surrogate, surrogate


async def retr(session: Pop3Session, argument: str) -> None:
    await _send(session, session.drop.position(argument))


async def top(session: Pop3Session, argument: str) -> None:
    number, _, lines = argument.partition(" ")
    lines = lines.strip()
    if not (lines.isascii() and lines.isdecimal() and len(lines) <= 10):
        raise Refused(refusals.SYNTAX)
    await _send(session, session.drop.position(number), int(lines))


async def _send(session: Pop3Session, at: int, lines: int = -1) -> None:
    """Send the message at position `at`, or its header and `lines` lines if `lines` is not negative, byte-stuffed.

    Reads from mailstore no faster than the client reads. Raises ConnectionAbortedError if the message breaks off.
    """
    drop = session.drop
    ok = f"+OK {drop.sizes[at]} octets" if lines < 0 else "+OK"
    raw = await session.prefetch.read(at) if lines < 0 else None
    if raw is not None:
        session.reply(ok)
        return await session.stream.send(stuffed(raw if session.utf8 else surrogate(raw)))
    stuffing, form, begun = Stuffing(), Surrogate(), False
    question = ReadMaildrop(session.mailbox_id, drop.folder_id, drop.uids[at], lines)
    try:
        async with aclosing(session.context.mailstore.read_maildrop(question)) as pieces:
            async for piece in pieces:
                if not begun:
                    session.reply(ok)
                    begun = True
                await session.stream.send(stuffing.add(piece if session.utf8 else form.add(piece)))
    except PostriderError as error:
        if not begun:
            raise
        report(error, "a message")
        session.stream.abort()  # an error response is impossible inside a multi-line response
        raise ConnectionAbortedError("the message broke off") from None
    if not begun:
        session.reply(ok)
    await session.stream.send(stuffing.add(form.end()) + stuffing.end())
