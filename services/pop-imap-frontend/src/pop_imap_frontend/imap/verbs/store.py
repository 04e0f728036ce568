"""STORE and UID STORE (RFC 3501 6.4.6; RFC 7162 3.1.3)."""

from collections.abc import Iterator

from pop_imap_frontend.imap.fetch import FetchItems
from pop_imap_frontend.imap.flag_changes import FlagChange
from pop_imap_frontend.imap.folder.messages import BLOCK
from pop_imap_frontend.imap.folder.spans import Spans
from pop_imap_frontend.imap.grammar import Cursor
from pop_imap_frontend.imap.modseqs import MessageModseqs
from pop_imap_frontend.imap.refusals import BadCommand
from pop_imap_frontend.imap.responses import number_set
from pop_imap_frontend.imap.rows import RowWriter
from pop_imap_frontend.imap.session import ImapSession

_MODES = {"FLAGS": "replace", "+FLAGS": "add", "-FLAGS": "remove"}


async def store(session: ImapSession, cursor: Cursor, *, by_uid: bool) -> str:
    cursor.space()
    spans = session.view.spans(cursor.set_or_saved(), by_uid)
    cursor.space()
    unchanged_since = _unchanged_since(cursor)
    sign = next((s for s in (b"+", b"-") if cursor.accept(s)), b"").decode()
    name = sign + cursor.keyword("FLAGS")
    mode = _MODES.get(name.removesuffix(".SILENT"))
    if mode is None:
        raise BadCommand(f"{name} cannot be stored")
    cursor.space()
    if cursor.peek() == b"(":
        flags = cursor.flags()
    else:
        flags = [cursor.flag()]
        while not cursor.at_end():
            cursor.space()
            flags.append(cursor.flag())
    cursor.end()
    session.writable()
    if unchanged_since is not None:
        session.use_condstore()
    change = FlagChange(session, mode, flags, unchanged_since)
    if spans:
        await change.carry_out(spans)
    items = FetchItems()
    if by_uid or session.qresync:
        items.want_uid()
    if not name.endswith(".SILENT"):
        items.want_flags()
    if session.condstore:
        items.want_modseq()
        await session.send(_stored(session, items, change))
        return await _completed(session, change, by_uid)
    if not name.endswith(".SILENT"):
        await session.send(RowWriter(items, session.view).from_view(spans))
    return "STORE completed"


def _unchanged_since(cursor: Cursor) -> int | None:
    """Parse the modifiers, if there are any."""
    value = None
    if cursor.peek() == b"(":
        for _ in cursor.each("a list of modifiers"):
            name = cursor.keyword("a modifier")
            if name != "UNCHANGEDSINCE":
                raise BadCommand(f"{name} is not a modifier of STORE")
            cursor.space()
            value = cursor.number("a MODSEQ")
        cursor.space()
    return value


def _stored(session: ImapSession, items: FetchItems, change: FlagChange) -> Iterator[bytes]:
    """Yield the responses for the messages that the change left with the wanted flags, also if it is silent."""
    top = max(change.modseqs, default=0)
    for start in range(0, len(change.uids), BLOCK):
        uids, modseqs = change.uids[start : start + BLOCK], change.modseqs[start : start + BLOCK]
        writer = RowWriter(items, session.view, MessageModseqs(uids.tobytes(), modseqs.tobytes(), top))
        yield from writer.from_view(session.view.spans_of(uids))


async def _completed(session: ImapSession, change: FlagChange, by_uid: bool) -> str:
    """The text of the answer; if messages had changed, the client is sent their flags before it."""
    if not change.modified:
        return "STORE completed"
    await session.send_flags()
    uids = [uid for uid in change.modified if session.view.messages.position(uid) is not None]
    spans: Spans = session.view.spans_of(change.modified)
    numbers = uids if by_uid else [at + 1 for span in spans for at in range(*span)]
    return (
        f"[MODIFIED {number_set(numbers).decode()}] conditional STORE failed for these"
        if numbers
        else "STORE completed"
    )
