"""QUIT: the marked messages are removed, and only then it is answered (RFC 1939 6)."""

from mailkit.errors import PostriderError, Unanswered
from mailkit.process.report import report
from pop_imap_frontend.pop3 import refusals
from pop_imap_frontend.pop3.session import Pop3Session, Pop3State

_BYE = "+OK bye"


async def quit_(session: Pop3Session, argument: str) -> None:
    """Remove the marked messages; the session ends in any case."""
    if session.state is Pop3State.AUTHORIZATION:
        session.state = Pop3State.CLOSED
        session.reply(_BYE)
        return
    marked = session.drop.marked()
    session.begin_update()
    try:
        answer = _BYE if await session.lock.remove(marked) else refusals.LOST
    except PostriderError as error:
        report(error, "remove messages")
        answer = refusals.NOT_KNOWN if isinstance(error, Unanswered) else refusals.NOT_REMOVED
    session.reply(answer if marked else _BYE)
