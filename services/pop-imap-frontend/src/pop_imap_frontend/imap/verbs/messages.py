"""Commands about messages in the selected folder, by number and by UID (RFC 3501 6.4; RFC 4315, RFC 6851)."""

from collections.abc import Iterator

from mailkit.ids import new_id
from mailstore_api.wire import (
    MOST_FLAGS,
    MOST_RANGES,
    CopyQuestion,
    ExpungeQuestion,
    FetchQuestion,
    SearchQuestion,
    StoreQuestion,
)
from pop_imap_frontend.imap.fetch import FetchItems, parse_items
from pop_imap_frontend.imap.folder_messages import uids_of
from pop_imap_frontend.imap.grammar import Cursor
from pop_imap_frontend.imap.refusals import GONE, MANY_KEYWORDS, NO_SPACE, BadCommand, Disconnect, No
from pop_imap_frontend.imap.responses import number_set
from pop_imap_frontend.imap.rows import RowWriter, send_rows
from pop_imap_frontend.imap.search import SearchParser
from pop_imap_frontend.imap.session import ImapSession
from pop_imap_frontend.imap.view import Spans
from pop_imap_frontend.imap.view_search import from_view

#: Numbers of a SEARCH response that are written between two turns of the event loop.
_NUMBERS = 10_000
_COPY_REFUSALS = {
    "trycreate": "[TRYCREATE] there is no such mailbox",
    "overquota": "[OVERQUOTA] the mailbox has no room for these messages",
    "no_space": NO_SPACE,
}


def _spans(session: ImapSession, cursor: Cursor, by_uid: bool) -> Spans:
    """Parse the first argument of a command: the messages it names."""
    cursor.space()
    return session.view.spans(cursor.sequence_set(), by_uid)


async def fetch(session: ImapSession, cursor: Cursor, *, by_uid: bool) -> str:
    spans = _spans(session, cursor, by_uid)
    cursor.space()
    items = parse_items(cursor)
    cursor.end()
    view = session.view
    if by_uid:
        items.want_uid()
    if items.marks_seen and not view.read_only:
        unseen = view.unseen_of(spans)
        if unseen:
            await _change_flags(session, unseen, "add", ["\\Seen"])
            items.want_flags()
    writer = RowWriter(items, view)
    if not items.asks_mailstore:
        await session.send(writer.from_view(spans))
    elif spans:
        question = FetchQuestion(
            session.mailbox_id, view.folder_id, view.uid_ranges(spans), items.columns, items.sections, pieces=True
        )
        async with session.in_turn(only_reads=True):
            await send_rows(session.stream, writer, session.context.mailstore.fetch_pieces(question))
    return "FETCH completed"


async def _change_flags(session: ImapSession, spans: Spans, mode: str, flags: list[str]) -> None:
    """Change flags and apply the result to the view, in slices: the messages that a FETCH marks may be many ranges."""
    flags = list(dict.fromkeys(flags))
    if len(flags) > MOST_FLAGS:
        raise No(MANY_KEYWORDS)
    for start in range(0, len(spans), MOST_RANGES):
        await _change_some_flags(session, spans[start : start + MOST_RANGES], mode, flags)


async def _change_some_flags(session: ImapSession, spans: Spans, mode: str, flags: list[str]) -> None:
    view = session.writable()
    answer = await session.context.mailstore.store(
        StoreQuestion(session.mailbox_id, view.folder_id, view.uid_ranges(spans), mode, flags, new_id())  # type: ignore[arg-type]
    )
    if answer.status == "gone":
        raise Disconnect(GONE)
    if answer.status == "limit":
        raise No(MANY_KEYWORDS)
    await session.send(view.stored(answer.uids, answer.flags, answer.keywords))


_MODES = {"FLAGS": "replace", "+FLAGS": "add", "-FLAGS": "remove"}


async def store(session: ImapSession, cursor: Cursor, *, by_uid: bool) -> str:
    spans = _spans(session, cursor, by_uid)
    cursor.space()
    sign = next((s for s in (b"+", b"-") if cursor.accept(s)), b"").decode()
    name = sign + cursor.keyword("FLAGS")
    silent = name.endswith(".SILENT")
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
    view = session.writable()
    if spans:
        await _change_flags(session, spans, mode, flags)
    if not silent:
        items = FetchItems()
        items.want_flags()
        if by_uid:
            items.want_uid()
        await session.send(RowWriter(items, view).from_view(spans))
    return "STORE completed"


async def copy(session: ImapSession, cursor: Cursor, *, by_uid: bool, move: bool) -> str:
    verb = "MOVE" if move else "COPY"
    spans = _spans(session, cursor, by_uid)
    cursor.space()
    target = cursor.mailbox()
    cursor.end()
    view = session.writable() if move else session.view
    if not spans:
        return f"{verb} completed, there was nothing to do"
    account = session.account
    question = CopyQuestion(
        session.mailbox_id,
        view.folder_id,
        view.uid_ranges(spans),
        target,
        move,
        account.quota_limit,
        account.limit_version,
        new_id(),
    )
    async with session.in_turn(only_reads=False):
        answer = await session.context.mailstore.copy(question)
    if answer.status == "gone":
        raise Disconnect(GONE)
    if answer.status != "ok":
        raise No(_COPY_REFUSALS[answer.status])
    session.changed.set()  # the target may be the selected folder
    old, new = uids_of(answer.uids), uids_of(answer.new_uids)
    if not old:
        return f"{verb} completed, there was nothing to do"
    code = f"[COPYUID {answer.uidvalidity} {number_set(list(old)).decode()} {number_set(list(new)).decode()}]"
    if not move:
        return f"{code} COPY completed"
    session.stream.write(f"* OK {code} moved\r\n".encode())  # before the EXPUNGEs (RFC 6851 4.3)
    await session.send(view.expunged(answer.uids))
    return "MOVE completed"


async def expunge(session: ImapSession, cursor: Cursor) -> str:
    cursor.end()
    view = session.writable()
    answer = await session.context.mailstore.expunge(ExpungeQuestion(session.mailbox_id, view.folder_id, new_id()))
    if answer.status == "gone":
        raise Disconnect(GONE)
    await session.send(view.expunged(answer.uids))
    return "EXPUNGE completed"


async def uid_expunge(session: ImapSession, cursor: Cursor) -> str:
    """Remove the messages that are both \\Deleted and named (RFC 4315 2.1)."""
    spans = _spans(session, cursor, by_uid=True)
    cursor.end()
    view = session.writable()
    if spans:
        answer = await session.context.mailstore.expunge(
            ExpungeQuestion(session.mailbox_id, view.folder_id, new_id(), view.uid_ranges(spans))
        )
        if answer.status == "gone":
            raise Disconnect(GONE)
        await session.send(view.expunged(answer.uids))
    return "UID EXPUNGE completed"


async def search(session: ImapSession, cursor: Cursor, *, by_uid: bool) -> str:
    cursor.space()
    view = session.view
    program = SearchParser(cursor, view).parse()
    if by_uid and session.changed.is_set():  # by number, expunges may not be sent before the answer (RFC 3501 7.4.1)
        await session.send_changes()
    found = await from_view(program, view, by_uid=by_uid)
    if found is None:
        async with session.in_turn(only_reads=True):
            answer = await session.context.mailstore.search(SearchQuestion(session.mailbox_id, view.folder_id, program))
        if answer.status == "gone":
            raise Disconnect(GONE)
        found = []
        for uid in uids_of(answer.uids):
            at = view.messages.position(uid)
            if at is not None:
                found.append(uid if by_uid else at + 1)
    await session.send(_search_response(found))
    return "SEARCH completed"


def _search_response(found: list[int]) -> Iterator[bytes]:
    yield b"* SEARCH"
    for start in range(0, len(found), _NUMBERS):
        yield b"".join(map(b" %d".__mod__, found[start : start + _NUMBERS]))
    yield b"\r\n"
