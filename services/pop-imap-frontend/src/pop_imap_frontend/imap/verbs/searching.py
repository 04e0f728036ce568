"""SEARCH, SORT and THREAD, by number and by UID (RFC 3501 6.4.4, RFC 4731, RFC 5182, RFC 5256, RFC 5267 3, RFC 9394)."""

from array import array

from mailkit.errors import PostriderError
from mailstore_api.wire import (
    MOST_SORT_KEYS,
    ORDER_KEYS,
    SORT_KEYS,
    Found,
    SearchQuestion,
    SortQuestion,
    ThreadQuestion,
)
from pop_imap_frontend.imap.folder.days import FolderDays
from pop_imap_frontend.imap.folder.messages import uids_of
from pop_imap_frontend.imap.folder.order import FolderOrder
from pop_imap_frontend.imap.folder.search import ViewResults, day_keys, from_view, resolved
from pop_imap_frontend.imap.folder.view import FolderView
from pop_imap_frontend.imap.grammar import Cursor
from pop_imap_frontend.imap.refusals import GONE, BadCommand, Disconnect, No
from pop_imap_frontend.imap.results import (
    ListedResults,
    Results,
    ReturnOptions,
    ends,
    esearch,
    known_results,
    listed,
    parse_return,
    saved,
)
from pop_imap_frontend.imap.search import Node, SearchParser
from pop_imap_frontend.imap.session import ImapSession
from pop_imap_frontend.imap.threads import threads

#: Limit of the messages that are looked for in an order, or left out of it.
MOST_CHOSEN = 50_000
_ALGORITHMS = ("ORDEREDSUBJECT", "REFERENCES")


async def search(session: ImapSession, cursor: Cursor, *, by_uid: bool) -> str:
    return await _results(session, cursor, by_uid=by_uid, sort=False)


async def sort(session: ImapSession, cursor: Cursor, *, by_uid: bool) -> str:
    return await _results(session, cursor, by_uid=by_uid, sort=True)


async def thread(session: ImapSession, cursor: Cursor, *, by_uid: bool) -> str:
    cursor.space()
    algorithm = cursor.keyword("a threading algorithm")
    if algorithm not in _ALGORITHMS:
        raise BadCommand(f"{algorithm} is not a threading algorithm here")
    cursor.space()
    view = session.view
    parser = SearchParser(cursor, view)
    program = parser.parse_in_charset()
    await _prepare(session, parser, by_uid=by_uid)
    # messages that arrived since have no number yet
    known: Node = ["AND", ["NOT", ["RECENT", view.messages.last_uid() + 1]], program]
    question = ThreadQuestion(session.mailbox_id, view.folder_id, known, algorithm)  # type: ignore[arg-type]
    async with session.in_progress(), session.in_turn(only_reads=True):
        answer = await session.context.mailstore.thread(question)
    if answer.status == "gone":
        raise Disconnect(GONE)
    await session.send(threads(uids_of(answer.uids), array("I", answer.depths), view, by_uid=by_uid))
    return "THREAD completed"


async def _results(session: ImapSession, cursor: Cursor, *, by_uid: bool, sort: bool) -> str:
    cursor.space()
    options = parse_return(cursor)
    if session.rev2 and not sort:
        options = options or ReturnOptions(frozenset(("ALL",)))  # RFC 9051 6.4.4
    try:
        return await _found(session, cursor, options, by_uid=by_uid, sort=sort)
    except (No, PostriderError):
        if options is not None and options.saves:
            session.view.saved = []  # RFC 5182 2.1
        raise


async def _found(
    session: ImapSession, cursor: Cursor, options: ReturnOptions | None, *, by_uid: bool, sort: bool
) -> str:
    view = session.view
    keys = _sort_keys(cursor) if sort else []
    parser = SearchParser(cursor, view)
    program = (
        parser.parse_in_charset() if sort else parser.parse(with_charset=session.rev2 or not session.utf8)
    )  # RFC 9755 3
    await _prepare(session, parser, by_uid=by_uid)
    results = await _from_view(session, program, keys)
    modseq = 0
    if results is None:
        answer = await _ask(session, view, program, keys)
        modseq = min(answer.modseq, view.modseq)
        results = await known_results(uids_of(answer.uids), view)
    name = "SORT" if sort else "SEARCH"
    if options is None:
        await session.send(listed(name.encode(), results, modseq, by_uid=by_uid))
        return f"{name} completed"
    if modseq and options.only_ends:
        modseq = min((await _ask(session, view, _modseq_of(ends(options, results)), [])).modseq, view.modseq)
    kept = await saved(options, results, view) if options.saves else None
    if options.responds:
        tag = cursor.data.partition(b" ")[0]
        await session.send(esearch(tag, options, results, modseq, by_uid=by_uid))
    if kept is not None:
        view.saved = kept
    return f"{name} completed"


async def _from_view(session: ImapSession, program: Node, keys: list[str]) -> Results | None:
    """What the view, the days of INTERNALDATE and a known order answer; None if they cannot."""
    view = session.view
    node = resolved(program, view)
    if node is None or (keys and (len(keys) > 1 or keys[0].removeprefix("-") not in ORDER_KEYS)):
        return None
    messages, days, order = view.messages, FolderDays(), None
    if keys or day_keys(node):
        async with session.in_progress(), session.in_turn(only_reads=True):
            if day_keys(node):
                known = await session.context.folders.days(view.folder, messages)
                if known is None:
                    return None
                days = known
            if keys:
                order = await session.context.folders.order(view.folder, keys[0], messages)
                if order is None:
                    return None
                if node == ["ALL"]:
                    return ListedResults(order.uids, view)
    found = await from_view(node, view, days)
    return found if order is None else await _ordered(found, order, node, view, days)


async def _ordered(
    found: ViewResults, order: FolderOrder, node: Node, view: FolderView, days: FolderDays
) -> Results | None:
    """What was found in an order; None if too many messages were, and too many others not."""
    if len(found) == len(view):
        return ListedResults(order.uids, view)
    out = len(found) > len(view) // 2
    few = await from_view(["NOT", node], view, days) if out else found
    if len(few) > MOST_CHOSEN:
        return None
    return ListedResults(await order.chosen(set(few.numbers(0, len(few), by_uid=True)), out=out), view)


async def _prepare(session: ImapSession, parser: SearchParser, *, by_uid: bool) -> None:
    if parser.asks_modseq:
        session.use_condstore()
    if by_uid and session.changed.is_set():
        await session.send_changes()
    await session.send_flags()  # by number, expunges may not be sent before the answer (RFC 3501 7.4.1)


async def _ask(session: ImapSession, view: FolderView, program: Node, keys: list[str]) -> Found:
    mailstore = session.context.mailstore
    async with session.in_progress(), session.in_turn(only_reads=True):
        if keys:
            answer = await mailstore.sort(SortQuestion(session.mailbox_id, view.folder_id, program, keys))
        else:
            answer = await mailstore.search(SearchQuestion(session.mailbox_id, view.folder_id, program))
    if answer.status == "gone":
        raise Disconnect(GONE)
    return answer


def _modseq_of(uids: list[int]) -> Node:
    """A program for the MODSEQ of these messages."""
    return ["AND", ["UID", [(uid, uid) for uid in sorted(set(uids))]], ["MODSEQ", 0]]


def _sort_keys(cursor: Cursor) -> list[str]:
    """Parse the sort criteria and the space after them, with `-` before a key for REVERSE."""
    keys = []
    for _ in cursor.each("a list of sort criteria"):
        name = cursor.keyword("a sort criterion")
        sign = ""
        if name == "REVERSE":
            cursor.space()
            name, sign = cursor.keyword("a sort criterion"), "-"
        if name not in SORT_KEYS:
            raise BadCommand(f"{name} is not a sort criterion")
        keys.append(sign + name)
    if not keys:
        raise BadCommand("expected a sort criterion")
    if len(keys) > MOST_SORT_KEYS:
        raise No(f"[LIMIT] a SORT has at most {MOST_SORT_KEYS} criteria here")
    cursor.space()
    return keys
