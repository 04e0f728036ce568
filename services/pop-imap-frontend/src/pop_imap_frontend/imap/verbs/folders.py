"""Commands that open and change folders (RFC 3501 6.3; UNSELECT: RFC 3691); `listing` has those that list them."""

from unicodedata import is_normalized

from mailkit.ids import new_id
from mailstore_api.wire import DELIMITER, ExpungeQuestion, FolderChange, SpecialFolder
from pop_imap_frontend.imap.grammar import Cursor
from pop_imap_frontend.imap.refusals import NONEXISTENT, BadCommand, No
from pop_imap_frontend.imap.responses import mailbox_id
from pop_imap_frontend.imap.resync import ask_modseqs, send_resync
from pop_imap_frontend.imap.select_options import select_options
from pop_imap_frontend.imap.session import ImapSession

#: Texts of NO for the status with which mailstore refuses a change of a folder (RFC 5530).
_REFUSALS = {
    "nonexistent": NONEXISTENT,
    "alreadyexists": "[ALREADYEXISTS] that mailbox exists already",
    "cannot": "[CANNOT] that cannot be done with this name",
    "limit": "[LIMIT] there are too many mailboxes",
    "haschildren": "[HASCHILDREN] the mailbox has children; delete them first",
    "useattr": "[USEATTR] this use is not known here, or another mailbox has it",
}


async def select(session: ImapSession, cursor: Cursor, *, read_only: bool) -> str:
    """Open a folder: SELECT, or EXAMINE with `read_only`."""
    cursor.space()
    try:
        name = cursor.mailbox()
        options = select_options(cursor)
        cursor.end()
    except No:
        _closed(session)
        raise
    if options.resync is not None and not session.qresync:
        raise BadCommand("QRESYNC has to be enabled first")
    _closed(session)  # a failed SELECT leaves nothing selected (RFC 3501 6.3.1)
    if options.condstore:
        session.enable("CONDSTORE")
    session.take_hint()
    view = await session.context.folders.open(session.mailbox_id, name, read_only=read_only)
    if view is None:
        raise No(NONEXISTENT)
    if session.rev2:
        view.leave_out_recent()
    lines = [view.flags_line(), view.counts()]
    known = options.resync if options.resync and options.resync.uidvalidity == view.uidvalidity else None
    changes = None
    if known is not None and known.modseq < view.modseq:
        changes = await ask_modseqs(session, view, [(0, len(view))], known.modseq, expunges=True)
    unseen = view.messages.first_unseen()
    if unseen is not None and not session.rev2:
        lines.append(b"* OK [UNSEEN %d] first unseen\r\n" % (unseen + 1))
    permanent = b"" if read_only else view.names.all_names() + b" \\*"
    lines.append(b"* OK [PERMANENTFLAGS (%b)] kept\r\n" % permanent)
    lines.append(b"* OK [UIDVALIDITY %d] valid\r\n* OK [UIDNEXT %d] next\r\n" % (view.uidvalidity, view.uidnext))
    lines.append(b"* OK [HIGHESTMODSEQ %d] highest\r\n" % view.modseq)
    lines.append(b"* OK [MAILBOXID %b] kept\r\n" % mailbox_id(view.folder_id))
    if session.rev2:
        lines.append(b'* LIST () "/" %b\r\n' % session.mailbox(name))  # RFC 9051 6.3.2
    session.stream.write(b"".join(lines))
    session.select(view)
    if known is not None and changes is not None:
        await send_resync(session, view, known, changes)
    return "[READ-ONLY] EXAMINE completed" if read_only else "[READ-WRITE] SELECT completed"


def _closed(session: ImapSession) -> None:
    """Leave the selected folder, if there is one, before another is opened (RFC 7162 3.2.11)."""
    if session.selected is not None:
        session.stream.write(b"* OK [CLOSED] the mailbox selected before is closed\r\n")
    session.select(None)


async def unselect(session: ImapSession, cursor: Cursor) -> str:
    cursor.end()
    session.select(None)
    return "UNSELECT completed"


async def close(session: ImapSession, cursor: Cursor) -> str:
    """Remove the messages marked \\Deleted without EXPUNGE responses, then unselect (RFC 3501 6.4.2)."""
    cursor.end()
    view = session.view
    if not view.read_only:
        await session.context.mailstore.expunge(ExpungeQuestion(session.mailbox_id, view.folder_id, new_id()))
    session.select(None)
    return "CLOSE completed"


async def check(session: ImapSession, cursor: Cursor) -> str:
    cursor.end()
    await session.send_changes()
    return "CHECK completed"


def _done(verb: str, answer: str) -> str:
    if answer != "ok":
        raise No(_REFUSALS[answer])
    return f"{verb} completed"


def _one_name(cursor: Cursor) -> str:
    cursor.space()
    name = cursor.mailbox()
    cursor.end()
    return name


async def create(session: ImapSession, cursor: Cursor) -> str:
    """Create a mailbox, with `(USE (\\Archive))` one of that special use (RFC 6154 3)."""
    cursor.space()
    name = _new_name(cursor)
    use = None
    if not cursor.at_end():
        cursor.space()
        use = _use(cursor)
    cursor.end()
    if use is None:
        change = FolderChange(session.mailbox_id, name, new_id())
        answer = await session.context.mailstore.create_folder(change)
    else:
        special = SpecialFolder(session.mailbox_id, name, use, new_id())
        answer = await session.context.mailstore.create_special_folder(special)
    done = _done("CREATE", answer.status)
    return f"[MAILBOXID {mailbox_id(answer.folder_id).decode()}] {done}" if answer.folder_id else done


def _new_name(cursor: Cursor) -> str:
    """Parse the name of a mailbox to be; a client that has enabled UTF-8 gives it as Net-Unicode (RFC 9755 3, RFC 5198 2)."""
    name = cursor.mailbox().removesuffix(DELIMITER)
    if cursor.utf8 and not is_normalized("NFC", name):
        raise No("[CANNOT] a new name is in Unicode Normalization Form C")
    return name


def _use(cursor: Cursor) -> str | None:
    """Parse the parameters of CREATE: the special use; None if the list of uses is empty."""
    uses: list[str] = []
    for _ in cursor.each("parameters"):
        name = cursor.keyword("a parameter")
        if name != "USE":
            raise BadCommand(f"{name} is not a parameter of CREATE")
        cursor.space()
        uses += [cursor.use_attribute() for _ in cursor.each("a list of special uses")]
    if len(uses) > 1:
        raise No("[USEATTR] a mailbox has one special use here")
    return uses[0] if uses else None


async def delete(session: ImapSession, cursor: Cursor) -> str:
    name = _one_name(cursor)
    answer = _done(
        "DELETE", await session.context.mailstore.delete_folder(FolderChange(session.mailbox_id, name, new_id()))
    )
    await session.unselect_if_gone()  # the selected folder may or may not be the one with this name
    return answer


async def rename(session: ImapSession, cursor: Cursor) -> str:
    cursor.space()
    name = cursor.mailbox()
    cursor.space()
    new_name = _new_name(cursor)
    cursor.end()
    change = FolderChange(session.mailbox_id, name, new_id(), new_name)
    return _done("RENAME", await session.context.mailstore.rename_folder(change))


async def subscribe(session: ImapSession, cursor: Cursor) -> str:
    change = FolderChange(session.mailbox_id, _one_name(cursor), new_id())
    return _done("SUBSCRIBE", await session.context.mailstore.subscribe_folder(change))


async def unsubscribe(session: ImapSession, cursor: Cursor) -> str:
    change = FolderChange(session.mailbox_id, _one_name(cursor), new_id())
    return _done("UNSUBSCRIBE", await session.context.mailstore.unsubscribe_folder(change))
