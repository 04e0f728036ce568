"""Questions of a session about MODSEQs, and the answer to a client that knew the folder at an earlier one (RFC 7162)."""

import asyncio
from array import array

from mailstore_api.wire import MOST_RANGES, ModseqQuestion, Modseqs
from pop_imap_frontend.imap.fetch import FetchItems
from pop_imap_frontend.imap.folder.messages import BLOCK
from pop_imap_frontend.imap.folder.spans import Spans, common, merged
from pop_imap_frontend.imap.folder.view import FolderView
from pop_imap_frontend.imap.grammar import SequenceSet
from pop_imap_frontend.imap.modseqs import MessageModseqs, absent, known_ranges, vanished
from pop_imap_frontend.imap.refusals import GONE, Disconnect
from pop_imap_frontend.imap.rows import RowWriter
from pop_imap_frontend.imap.select_options import Resync
from pop_imap_frontend.imap.session import ImapSession


async def ask_modseqs(
    session: ImapSession, view: FolderView, spans: Spans, since: int, *, expunges: bool = False
) -> Modseqs:
    """Ask for the MODSEQs greater than `since` of some messages, and for the expunges after it. Raises Disconnect."""
    whole = spans == [(0, len(view))] or len(spans) > MOST_RANGES
    question = ModseqQuestion(
        session.mailbox_id, view.folder_id, since, None if whole else view.uid_ranges(spans), expunges
    )
    answer = await session.context.mailstore.modseqs(question)
    if answer.status == "gone":
        raise Disconnect(GONE)
    return answer


def as_of(view: FolderView, answer: Modseqs) -> MessageModseqs:
    """Return the MODSEQs of an answer as of the view."""
    return MessageModseqs(answer.uids, answer.modseqs, view.modseq)


async def with_uids(view: FolderView, spans: Spans, uids: "array[int]") -> Spans:
    """Return those of ascending `spans` whose messages are among ascending `uids`; the event loop turns after each block."""
    found: Spans = []
    for start in range(0, len(uids), BLOCK):
        found += view.spans_of(uids[start : start + BLOCK])
        await asyncio.sleep(0)
    return common(merged(found), spans)


async def send_vanished(session: ImapSession, view: FolderView, answer: Modseqs, numbers: SequenceSet | None) -> None:
    """Send those UIDs of a client's set, by default of all, that were expunged; all that are not there if not all are known."""
    known = known_ranges(numbers or [(1, None)], view.uidnext - 1)
    if answer.complete:
        await session.send(vanished(answer.vanished, known, view.messages))
    else:
        await session.send(absent(known, view.messages))


async def send_resync(session: ImapSession, view: FolderView, known: Resync, answer: Modseqs) -> None:
    """Send what changed since the client knew the folder (RFC 7162 3.2.5.1)."""
    await send_vanished(session, view, answer, known.known)
    spans = [(0, len(view))] if known.known is None else view.spans(known.known, by_uid=True)
    modseqs = as_of(view, answer)
    items = FetchItems()
    items.want_uid()
    items.want_flags()
    items.want_modseq()
    changed = await with_uids(view, spans, modseqs.uids)
    # expunged after the view was read: shown like the others, so that the client knows the UIDs of all that it has not seen
    leaving = await with_uids(view, spans, array("I", answer.vanished))
    await session.send(RowWriter(items, view, modseqs).from_view(merged(changed + leaving)))
