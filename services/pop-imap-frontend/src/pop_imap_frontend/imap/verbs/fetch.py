"""FETCH and UID FETCH (RFC 3501 6.4.5; RFC 7162 3.1.4, 3.2.6)."""

from mailstore_api.wire import FetchQuestion, Modseqs
from pop_imap_frontend.imap.fetch import FetchItems, FetchModifiers, parse_items, parse_modifiers
from pop_imap_frontend.imap.flag_changes import FlagChange
from pop_imap_frontend.imap.folder.spans import Spans
from pop_imap_frontend.imap.grammar import Cursor, SequenceSet
from pop_imap_frontend.imap.modseqs import MessageModseqs
from pop_imap_frontend.imap.refusals import BadCommand, No
from pop_imap_frontend.imap.results import page_of
from pop_imap_frontend.imap.resync import as_of, ask_modseqs, send_vanished, with_uids
from pop_imap_frontend.imap.rows import RowWriter, send_rows
from pop_imap_frontend.imap.session import ImapSession


async def fetch(session: ImapSession, cursor: Cursor, *, by_uid: bool) -> str:
    cursor.space()
    numbers = cursor.set_or_saved()
    view = session.view
    spans = view.spans(numbers, by_uid)
    cursor.space()
    items = parse_items(cursor)
    modifiers = parse_modifiers(cursor)
    cursor.end()
    _require(session, modifiers, by_uid)
    spans = _page(spans, modifiers)
    if by_uid:
        items.want_uid()
    if items.marks_seen and not view.read_only:
        unseen = view.unseen_of(spans)
        if unseen:
            await FlagChange(session, "add", ["\\Seen"]).carry_out(unseen)
            items.want_flags()
            if session.condstore:
                items.want_modseq()
    modseqs = None
    if items.shows_modseq or modifiers.changed_since is not None:
        spans, modseqs = await _with_modseqs(session, numbers, spans, items, modifiers, by_uid)
    writer = RowWriter(items, view, modseqs)
    if not items.asks_mailstore:
        await session.send(writer.from_view(spans))
    elif spans:
        question = FetchQuestion(
            session.mailbox_id, view.folder_id, view.uid_ranges(spans), items.columns, items.sections, pieces=True
        )
        async with session.in_turn(only_reads=True):
            await send_rows(session.stream, writer, session.context.mailstore.fetch_pieces(question))
        if writer.unknown_encoding:
            raise No("[UNKNOWN-CTE] a part of a message has an encoding that is not known here")
    return "FETCH completed"


def _require(session: ImapSession, modifiers: FetchModifiers, by_uid: bool) -> None:
    """Raise BadCommand for VANISHED where RFC 7162 3.2.6 does not allow it, and for PARTIAL without UID (RFC 9394 3.3)."""
    if modifiers.page is not None and not by_uid:
        raise BadCommand("PARTIAL goes with UID FETCH")
    if modifiers.vanished and not (by_uid and session.qresync and modifiers.changed_since is not None):
        raise BadCommand("VANISHED goes with UID FETCH, CHANGEDSINCE and an enabled QRESYNC")


async def _with_modseqs(
    session: ImapSession,
    numbers: SequenceSet | None,
    spans: Spans,
    items: FetchItems,
    modifiers: FetchModifiers,
    by_uid: bool,
) -> tuple[Spans, MessageModseqs]:
    """Return the messages to send, those that changed if only these are wanted, and their MODSEQs."""
    session.use_condstore()
    await session.send_flags()
    view, since = session.view, modifiers.changed_since
    if by_uid:
        spans = _page(view.spans(numbers, by_uid), modifiers)  # with messages that arrived meanwhile
    items.want_modseq()
    if since is not None and since >= view.modseq:
        return [], as_of(view, Modseqs("ok"))
    async with session.in_turn(only_reads=True):
        answer = await ask_modseqs(session, view, spans, since or 0, expunges=modifiers.vanished)
    modseqs = as_of(view, answer)
    if modifiers.vanished and numbers is not None:  # what was expunged is in no saved result
        await send_vanished(session, view, answer, numbers)
    if since is not None:
        spans = await with_uids(view, spans, modseqs.uids)
    return spans, modseqs


def _page(spans: Spans, modifiers: FetchModifiers) -> Spans:
    """The messages of `spans` that PARTIAL names; all without one."""
    if modifiers.page is None:
        return spans
    low, high = page_of(modifiers.page, sum(end - start for start, end in spans))
    found: Spans = []
    for start, end in spans:
        size = end - start
        if low < size and high > 0:
            found.append((start + max(low, 0), start + min(high, size)))
        low, high = low - size, high - size
    return found
