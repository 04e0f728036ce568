"""NOTIFY (RFC 5465 3.1): of which events in which mailboxes the client wants to know at any time."""

from pop_imap_frontend.imap.grammar import Cursor
from pop_imap_frontend.imap.notifier import MOST_MAILBOXES, Notifier, TooManyMailboxes
from pop_imap_frontend.imap.notify_groups import parse_groups
from pop_imap_frontend.imap.refusals import BadCommand, No
from pop_imap_frontend.imap.session import ImapSession


async def notify(session: ImapSession, cursor: Cursor) -> str:
    cursor.space()
    verb = cursor.keyword("SET or NONE")
    if verb == "NONE":
        cursor.end()
        session.notifier = Notifier([])
        return "NOTIFY completed"
    if verb != "SET":
        raise BadCommand("expected SET or NONE")
    cursor.space()
    with_status = cursor.peek() != b"("
    if with_status:
        if cursor.keyword("STATUS or a group of events") != "STATUS":
            raise BadCommand("expected STATUS or a group of events")
        cursor.space()
    notifier = Notifier(parse_groups(cursor), session.mailbox)
    before, session.notifier = session.notifier, None
    try:
        await _begin(session, notifier, with_status=with_status)
    except BaseException:
        session.notifier = before
        raise
    session.notifier = notifier
    return "NOTIFY completed"


async def _begin(session: ImapSession, notifier: Notifier, *, with_status: bool) -> None:
    """Send the accumulated changes of the selected mailbox and, if asked, STATUS responses of others."""
    if session.selected is not None:
        await session.send_changes()
    else:
        session.changed.clear()
    if not notifier.watches_others:
        return
    folders, metadata = await session.account_state(notifier)
    try:
        notifier.begin(folders, metadata)
    except TooManyMailboxes:
        raise No(f"[NOTIFICATIONOVERFLOW] at most {MOST_MAILBOXES} mailboxes are watched here") from None
    if with_status:
        selected_id = 0 if session.selected is None else session.selected.folder_id
        await session.send(notifier.status(folders, selected_id))
