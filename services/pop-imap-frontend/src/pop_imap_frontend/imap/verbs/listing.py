"""Commands that list folders.

LIST with its extensions, LSUB, STATUS (RFC 3501 6.3.8 to 6.3.10; RFC 5258 LIST-EXTENDED, RFC 5819 LIST-STATUS, RFC 6154
SPECIAL-USE, RFC 3348 CHILDREN).
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

from mailstore_api.wire import FolderInfo, MailboxQuestion
from pop_imap_frontend.imap.folder_lines import above, attributes, list_line, status_line
from pop_imap_frontend.imap.grammar import Cursor
from pop_imap_frontend.imap.list_options import parse_list, status_items
from pop_imap_frontend.imap.pattern import Pattern
from pop_imap_frontend.imap.refusals import NONEXISTENT, No
from pop_imap_frontend.imap.session import ImapSession

#: Names matched before the event loop runs other tasks: each has at most 400 characters and is matched with 20 patterns.
_TURN = 20


async def _folders(session: ImapSession, items: Sequence[str] = ()) -> list[FolderInfo]:
    """All folders; `items`: the status items that will be sent."""
    if "HIGHESTMODSEQ" in items:
        session.use_condstore()
    question = MailboxQuestion(
        session.mailbox_id,
        recent="RECENT" in items,
        deleted="DELETED" in items or "DELETED-STORAGE" in items,
    )
    return await session.context.mailstore.list_folders(question)


async def _in_turns(folders: list[FolderInfo]) -> AsyncIterator[FolderInfo]:
    """Yield `folders`, and let other tasks run after each _TURN of them."""
    for at, folder in enumerate(folders):
        if at % _TURN == _TURN - 1:
            await asyncio.sleep(0)
        yield folder


def _is_selected(folder: FolderInfo, select: set[str]) -> bool:
    """Whether the selection options match (RFC 5258 3.1); without any, every folder that exists does."""
    if "SUBSCRIBED" not in select and not folder.exists:
        return False
    return ("SUBSCRIBED" not in select or folder.subscribed) and (
        "SPECIAL-USE" not in select or bool(folder.special_use)
    )


async def list_(session: ImapSession, cursor: Cursor) -> str:
    """List names with what is asked of each; STATUS costs no further request, as mailstore's list has the numbers."""
    options = parse_list(cursor)
    if options.asks_delimiter:
        session.stream.write(b'* LIST (\\Noselect) "/" ""\r\n')
        return "LIST completed"
    folders = await _folders(session, options.status)
    parents = {level for folder in folders if folder.exists for level in above(folder.name)}
    above_selected: set[str] = set()
    if "RECURSIVEMATCH" in options.select:
        above_selected = {level for f in folders if _is_selected(f, options.select) for level in above(f.name)}
    criteria = [f'"{name}"' for name in ("SUBSCRIBED", "SPECIAL-USE") if name in options.select]
    child_info = f' ("CHILDINFO" ({" ".join(criteria)}))'.encode()
    async for folder in _in_turns(folders):
        selected, is_above = _is_selected(folder, options.select), folder.name in above_selected
        if not (selected or is_above) or not any(pattern.matches(folder.name) for pattern in options.patterns):
            continue
        given = attributes(folder, parents, subscribed="SUBSCRIBED" in options.select | options.returned)
        session.stream.write(list_line(b"LIST", session.mailbox(folder.name), given, child_info if is_above else b""))
        if options.status and folder.selectable and folder.exists:
            session.stream.write(status_line(session.mailbox(folder.name), folder, options.status))
    return "LIST completed"


async def lsub(session: ImapSession, cursor: Cursor) -> str:
    """List subscribed names; with `%`, a level of which only children are subscribed is \\Noselect (RFC 3501 6.3.9)."""
    cursor.space()
    reference = cursor.mailbox()
    cursor.space()
    wanted = cursor.list_mailbox()
    cursor.end()
    pattern = Pattern(reference, wanted)
    found: dict[str, list[str]] = {}
    async for folder in _in_turns([folder for folder in await _folders(session) if folder.subscribed]):
        name = folder.name
        if not wanted.endswith("%"):
            if pattern.matches(name):
                found[name] = []
            continue
        for end in pattern.ends(name):
            if end == len(name):
                found[name] = []
            else:
                found.setdefault(name[:end], ["\\Noselect"])
    session.stream.write(
        b"".join(list_line(b"LSUB", session.mailbox(name), given) for name, given in sorted(found.items()))
    )
    return "LSUB completed"


async def status(session: ImapSession, cursor: Cursor) -> str:
    cursor.space()
    name = cursor.mailbox()
    cursor.space()
    items = status_items(cursor)
    cursor.end()
    folder = next((f for f in await _folders(session, items) if f.name == name and f.exists and f.selectable), None)
    if folder is None:
        raise No(NONEXISTENT)
    session.stream.write(status_line(session.mailbox(folder.name), folder, items))
    return "STATUS completed"
