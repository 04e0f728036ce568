"""Commands about folders as a whole (RFC 3501 6.3; RFC 6154 SPECIAL-USE, RFC 3348 CHILDREN, RFC 3691 UNSELECT)."""

import re
from collections.abc import Iterable

from mailkit.ids import new_id
from mailstore_client.wire import DELIMITER, ExpungeQuestion, FolderChange, FolderInfo, MailboxQuestion, OpenFolder
from pop_imap_frontend.imap.commands import LOGGED_IN, State, command
from pop_imap_frontend.imap.grammar import BadCommand, Cursor
from pop_imap_frontend.imap.responses import No, mailbox
from pop_imap_frontend.imap.selected import Selected
from pop_imap_frontend.imap.session import ImapSession

#: What keeps a change of a folder from being made, as the client reads it (RFC 5530).
_REFUSALS = {
    "nonexistent": "[NONEXISTENT] there is no such mailbox",
    "alreadyexists": "[ALREADYEXISTS] that mailbox exists already",
    "cannot": "[CANNOT] that cannot be done with this name",
    "limit": "[LIMIT] there are too many mailboxes",
    "haschildren": "[HASCHILDREN] the mailbox has children; delete them first",
}
_STATUS = ("MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN")


async def _open(session: ImapSession, cursor: Cursor, *, read_only: bool) -> str:
    cursor.space()
    name = cursor.mailbox()
    cursor.end()
    session.select(None)  # a failed SELECT leaves nothing selected (RFC 3501 6.3.1)
    session.news.clear()
    snapshot = await session.context.mailstore.open_folder(OpenFolder(session.mailbox_id, name, read_only))
    if snapshot.status != "ok":
        raise No(_REFUSALS["nonexistent"])
    view = Selected(name, snapshot, read_only)
    lines = [view.flags_line(), b"* %d EXISTS\r\n* %d RECENT\r\n" % (len(view), view.recent_count())]
    unseen = view.first_unseen()
    if unseen is not None:
        lines.append(b"* OK [UNSEEN %d] first unseen\r\n" % unseen)
    permanent = b"" if read_only else view.names.all_names() + b" \\*"
    lines.append(b"* OK [PERMANENTFLAGS (%b)] kept\r\n" % permanent)
    lines.append(b"* OK [UIDVALIDITY %d] valid\r\n* OK [UIDNEXT %d] next\r\n" % (view.uidvalidity, view.uidnext))
    session.stream.write(b"".join(lines))
    session.select(view)
    return "[READ-ONLY] EXAMINE completed" if read_only else "[READ-WRITE] SELECT completed"


@command("SELECT", LOGGED_IN, tells_changes=False)
async def select(session: ImapSession, cursor: Cursor) -> str:
    return await _open(session, cursor, read_only=False)


@command("EXAMINE", LOGGED_IN, tells_changes=False)
async def examine(session: ImapSession, cursor: Cursor) -> str:
    return await _open(session, cursor, read_only=True)


@command("UNSELECT", State.SELECTED, tells_changes=False)
async def unselect(session: ImapSession, cursor: Cursor) -> str:
    cursor.end()
    session.select(None)
    return "UNSELECT completed"


@command("CLOSE", State.SELECTED, tells_changes=False)
async def close(session: ImapSession, cursor: Cursor) -> str:
    """Removes what is marked \\Deleted without saying so, then unselects (RFC 3501 6.4.2)."""
    cursor.end()
    view = session.view
    if not view.read_only:
        await session.context.mailstore.expunge(ExpungeQuestion(session.mailbox_id, view.folder_id, new_id()))
    session.select(None)
    return "CLOSE completed"


@command("CHECK", State.SELECTED, tells_changes=False)
async def check(session: ImapSession, cursor: Cursor) -> str:
    cursor.end()
    await session.tell_changes()
    return "CHECK completed"


async def _folders(session: ImapSession) -> list[FolderInfo]:
    return await session.context.mailstore.list_folders(MailboxQuestion(session.mailbox_id))


def _pattern(reference: str, pattern: str) -> re.Pattern[str]:
    """LIST's wildcards: `*` matches everything, `%` stops at the delimiter; runs of them count as one."""
    text = re.sub(r"[*%]*\*[*%]*", "*", reference + pattern)
    text = re.sub(r"%+", "%", text)
    parts = {"*": ".*", "%": f"[^{DELIMITER}]*"}
    inner = "".join(parts.get(c) or re.escape(c) for c in text)
    inner = re.sub(r"^(?i:inbox)(?=$|/)", "INBOX", inner)
    return re.compile(inner, re.S)


def _list_line(verb: bytes, folder: FolderInfo, attributes: Iterable[str]) -> bytes:
    return b'* %b (%b) "/" %b\r\n' % (verb, " ".join(attributes).encode(), mailbox(folder.name))


@command("LIST", LOGGED_IN)
async def list_(session: ImapSession, cursor: Cursor) -> str:
    cursor.space()
    reference = cursor.mailbox()
    cursor.space()
    pattern = cursor.list_mailbox()
    cursor.end()
    if not pattern:  # "what is the delimiter?" (RFC 3501 6.3.8)
        session.stream.write(b'* LIST (\\Noselect) "/" ""\r\n')
        return "LIST completed"
    folders = [folder for folder in await _folders(session) if folder.exists]
    parents = {folder.name.rpartition(DELIMITER)[0] for folder in folders}
    matches = _pattern(reference, pattern).fullmatch
    lines = []
    for folder in folders:
        if matches(folder.name):
            attributes = ["\\HasChildren" if folder.name in parents else "\\HasNoChildren"]
            if not folder.selectable:
                attributes.append("\\Noselect")
            if folder.special_use:
                attributes.append(folder.special_use)
            lines.append(_list_line(b"LIST", folder, attributes))
    session.stream.write(b"".join(lines))
    return "LIST completed"


@command("LSUB", LOGGED_IN)
async def lsub(session: ImapSession, cursor: Cursor) -> str:
    """Subscribed names; with `%` a level whose children alone are subscribed shows as \\Noselect (RFC 3501 6.3.9)."""
    cursor.space()
    reference = cursor.mailbox()
    cursor.space()
    pattern = cursor.list_mailbox()
    cursor.end()
    names = sorted(folder.name for folder in await _folders(session) if folder.subscribed)
    matches = _pattern(reference, pattern).fullmatch
    found = {name: b"" for name in names if matches(name)}
    if pattern.endswith("%"):
        for name in names:
            levels = name.split(DELIMITER)
            for depth in range(1, len(levels)):
                parent = DELIMITER.join(levels[:depth])
                if matches(parent):
                    found.setdefault(parent, b"\\Noselect")
    session.stream.write(
        b"".join(b'* LSUB (%b) "/" %b\r\n' % (attribute, mailbox(name)) for name, attribute in sorted(found.items()))
    )
    return "LSUB completed"


@command("STATUS", LOGGED_IN)
async def status(session: ImapSession, cursor: Cursor) -> str:
    cursor.space()
    name = cursor.mailbox()
    cursor.space()
    cursor.literal(b"(", "a list of status items")
    items: list[str] = []
    while not cursor.accept(b")"):
        if items:
            cursor.space()
        items.append(cursor.keyword("a status item"))
        if items[-1] not in _STATUS:
            raise BadCommand(f"{items[-1]} is not a status item")
    cursor.end()
    if not items:
        raise BadCommand("expected a status item")
    folder = next((f for f in await _folders(session) if f.name == name and f.exists and f.selectable), None)
    if folder is None:
        raise No(_REFUSALS["nonexistent"])
    values = {
        "MESSAGES": folder.messages, "RECENT": folder.recent, "UIDNEXT": folder.uidnext,
        "UIDVALIDITY": folder.uidvalidity, "UNSEEN": folder.unseen,
    }  # fmt: skip
    text = " ".join(f"{item} {values[item]}" for item in items)
    session.stream.write(b"* STATUS %b (%b)\r\n" % (mailbox(name), text.encode()))
    return "STATUS completed"


def _done(verb: str, answer: str) -> str:
    if answer != "ok":
        raise No(_REFUSALS[answer])
    return f"{verb} completed"


def _one_name(cursor: Cursor) -> str:
    cursor.space()
    name = cursor.mailbox()
    cursor.end()
    return name


@command("CREATE", LOGGED_IN)
async def create(session: ImapSession, cursor: Cursor) -> str:
    name = _one_name(cursor)
    change = FolderChange(session.mailbox_id, name.removesuffix(DELIMITER), new_id())
    return _done("CREATE", await session.context.mailstore.create_folder(change))


@command("DELETE", LOGGED_IN)
async def delete(session: ImapSession, cursor: Cursor) -> str:
    name = _one_name(cursor)
    answer = _done(
        "DELETE", await session.context.mailstore.delete_folder(FolderChange(session.mailbox_id, name, new_id()))
    )
    if session.selected is not None and session.selected.name == name:
        session.select(None)
    return answer


@command("RENAME", LOGGED_IN)
async def rename(session: ImapSession, cursor: Cursor) -> str:
    cursor.space()
    name = cursor.mailbox()
    cursor.space()
    new_name = cursor.mailbox()
    cursor.end()
    change = FolderChange(session.mailbox_id, name, new_id(), new_name.removesuffix(DELIMITER))
    return _done("RENAME", await session.context.mailstore.rename_folder(change))


@command("SUBSCRIBE", LOGGED_IN)
async def subscribe(session: ImapSession, cursor: Cursor) -> str:
    change = FolderChange(session.mailbox_id, _one_name(cursor), new_id())
    return _done("SUBSCRIBE", await session.context.mailstore.subscribe_folder(change))


@command("UNSUBSCRIBE", LOGGED_IN)
async def unsubscribe(session: ImapSession, cursor: Cursor) -> str:
    change = FolderChange(session.mailbox_id, _one_name(cursor), new_id())
    return _done("UNSUBSCRIBE", await session.context.mailstore.unsubscribe_folder(change))
