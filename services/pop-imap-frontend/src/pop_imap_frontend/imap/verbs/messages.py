"""Commands that copy and remove messages, by number and by UID (RFC 3501 6.4; RFC 4315, 6851, 7162)."""

from mailkit.ids import new_id
from mailstore_api.wire import (
    CopyQuestion,
    ExpungeQuestion,
)
from pop_imap_frontend.imap.folder.messages import uids_of
from pop_imap_frontend.imap.folder.spans import Spans
from pop_imap_frontend.imap.grammar import Cursor
from pop_imap_frontend.imap.refusals import GONE, NO_SPACE, Disconnect, No
from pop_imap_frontend.imap.responses import number_set
from pop_imap_frontend.imap.session import ImapSession

_COPY_REFUSALS = {
    "trycreate": "[TRYCREATE] there is no such mailbox",
    "overquota": "[OVERQUOTA] the mailbox has no room for these messages",
    "no_space": NO_SPACE,
}


def _spans(session: ImapSession, cursor: Cursor, by_uid: bool) -> Spans:
    """Parse the first argument of a command: the messages it names."""
    cursor.space()
    return session.view.spans(cursor.set_or_saved(), by_uid)


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
    async with session.in_progress(), session.in_turn(only_reads=False):
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
    return f"{await session.highest_modseq_code()}MOVE completed"


async def expunge(session: ImapSession, cursor: Cursor) -> str:
    cursor.end()
    view = session.writable()
    answer = await session.context.mailstore.expunge(ExpungeQuestion(session.mailbox_id, view.folder_id, new_id()))
    if answer.status == "gone":
        raise Disconnect(GONE)
    await session.send(view.expunged(answer.uids))
    code = await session.highest_modseq_code() if answer.uids else ""
    return f"{code}EXPUNGE completed"


async def uid_expunge(session: ImapSession, cursor: Cursor) -> str:
    """Remove the messages that are both \\Deleted and named (RFC 4315 2.1)."""
    spans = _spans(session, cursor, by_uid=True)
    cursor.end()
    view = session.writable()
    code = ""
    if spans:
        answer = await session.context.mailstore.expunge(
            ExpungeQuestion(session.mailbox_id, view.folder_id, new_id(), view.uid_ranges(spans))
        )
        if answer.status == "gone":
            raise Disconnect(GONE)
        await session.send(view.expunged(answer.uids))
        code = await session.highest_modseq_code() if answer.uids else ""
    return f"{code}UID EXPUNGE completed"
