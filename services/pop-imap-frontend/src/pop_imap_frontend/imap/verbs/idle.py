"""IDLE (RFC 2177): the client waits, and the change feed wakes its session."""

import asyncio
from typing import Any

from mailkit.errors import PostriderError
from pop_imap_frontend.imap import metrics
from pop_imap_frontend.imap.grammar import Cursor
from pop_imap_frontend.imap.refusals import BadCommand
from pop_imap_frontend.imap.session import ImapSession

#: Seconds until the next attempt if mailstore does not answer.
_AGAIN = 2.0


async def idle(session: ImapSession, cursor: Cursor) -> str:
    cursor.end()
    session.stream.write(b"+ idling\r\n")
    done = asyncio.ensure_future(session.stream.readline(1024))
    metrics.IDLING.inc()
    try:
        if session.selected is not None:
            session.changed.set()  # changes from before IDLE are sent at once
        with session.waiting():
            while not done.done():
                await _change_or_done(session, done)
        line = await done
    finally:
        metrics.IDLING.dec()
        done.cancel()
    if line.strip().upper() != b"DONE":
        raise BadCommand("expected DONE")
    return "IDLE completed"


async def _change_or_done(session: ImapSession, done: "asyncio.Future[Any]") -> None:
    """Wait for a change or the end of IDLE, and send the changes.

    After `keepalive_seconds` of silence send a response, so that NAT devices keep the connection and a lost client is noticed.
    """
    await session.hint_or(done, session.context.keepalive_seconds)
    if done.done():
        return
    if session.changed.is_set() or (session.notifier is not None and session.notifier.due):
        await _send(session, done)
    else:
        session.stream.write(b"* OK Still here\r\n")
        await session.stream.drain()


async def _send(session: ImapSession, done: "asyncio.Future[bytes]") -> None:
    try:
        await session.send_notifications(expunges=True)
        await session.stream.drain()
    except PostriderError:
        await asyncio.wait({done}, timeout=_AGAIN)
