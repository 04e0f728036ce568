"""Responses of RETR and TOP: a message, sent piece by piece (RFC 1939 3)."""

from contextlib import aclosing
from typing import TYPE_CHECKING

from mailkit.errors import PostriderError
from mailkit.report import report
from mailstore_client.wire import ReadMaildrop
from pop_imap_frontend.pop3.octets import Stuffing, stuffed

if TYPE_CHECKING:
    from pop_imap_frontend.pop3.session import Pop3Session


async def send_message(session: "Pop3Session", at: int, lines: int = -1) -> None:
    """Send the message at position `at`, or its header and `lines` lines if `lines` is not negative, byte-stuffed.

    Reads from mailstore no faster than the client reads. Raises ConnectionAbortedError if the message breaks off.
    """
    ok = f"+OK {session.sizes[at]} octets" if lines < 0 else "+OK"
    raw = await session.prefetch.read(at) if lines < 0 else None
    if raw is not None:
        session.say(ok)
        return await session.stream.send(stuffed(raw))
    stuffing, said = Stuffing(), False
    question = ReadMaildrop(session.mailbox_id, session.folder_id, session.uids[at], lines)
    try:
        async with aclosing(session.context.mailstore.read_maildrop(question)) as pieces:
            async for piece in pieces:
                if not said:
                    session.say(ok)
                    said = True
                await session.stream.send(stuffing.add(piece))
    except PostriderError as error:
        if not said:
            raise
        report(error, "a message")
        session.stream.abort()  # an error response is impossible inside a multi-line response
        raise ConnectionAbortedError("the message broke off") from None
    if not said:
        session.say(ok)
    await session.stream.send(stuffing.end())
