"""APPEND (RFC 3501 6.3.11, RFC 3502) and REPLACE (RFC 8508), with APPENDUID (UIDPLUS, RFC 4315 3)."""

from array import array

from mailkit.ids import new_id
from mailstore_api.wire import Append, Appended, AppendList
from pop_imap_frontend.imap.grammar import Cursor
from pop_imap_frontend.imap.new_messages import NewMessage, parse_messages
from pop_imap_frontend.imap.refusals import GONE, MANY_KEYWORDS, NO_SPACE, BadCommand, Disconnect, No
from pop_imap_frontend.imap.session import ImapSession

_REFUSALS = {
    "trycreate": "[TRYCREATE] there is no such mailbox",
    "overquota": "[OVERQUOTA] the mailbox has no room for this",
    "limit": MANY_KEYWORDS,
    "no_space": NO_SPACE,
    "expunged": "[EXPUNGEISSUED] the message to replace is no longer there",
}


async def append(session: ImapSession, cursor: Cursor) -> str:
    """Append messages, all or none."""
    cursor.space()
    name = cursor.mailbox()
    messages = parse_messages(cursor, session.context.append_limit)
    answer = await _appended(session, name, messages)
    return f"{_appenduid(answer, len(messages))} APPEND completed"


async def replace(session: ImapSession, cursor: Cursor, *, by_uid: bool) -> str:
    """Append a message and remove the one it replaces, as one action; the client is sent both before the answer."""
    cursor.space()
    numbers = cursor.sequence_set()
    if len(numbers) != 1 or numbers[0][0] != numbers[0][1]:
        raise BadCommand("expected the number of one message")
    spans = session.view.spans(numbers, by_uid)
    cursor.space()
    name = cursor.mailbox()
    messages = parse_messages(cursor, session.context.append_limit)
    if len(messages) != 1:
        raise BadCommand("a REPLACE has one message")
    view = session.writable()
    old = [view.messages.uid(at) for span in spans for at in range(*span)]
    if not old:
        raise No(_REFUSALS["expunged"])
    answer = await _appended(session, name, messages, (view.folder_id, old[0]))
    session.stream.write(f"* OK {_appenduid(answer, 1)} replacement appended\r\n".encode())  # RFC 8508 4.3
    await session.send(view.expunged(array("I", old[:1]).tobytes()))
    return f"{await session.highest_modseq_code()}REPLACE completed"


async def _appended(
    session: ImapSession, name: str, messages: list[NewMessage], replaces: tuple[int, int] | None = None
) -> Appended:
    """Have mailstore append. Raises No, and Disconnect if the selected folder is gone."""
    account, mailstore = session.account, session.context.mailstore
    quota = account.quota_limit, account.limit_version
    async with session.in_turn(only_reads=False):
        if len(messages) == 1 and replaces is None:
            (one,) = messages
            head = Append(session.mailbox_id, name, one.flags, one.date, *quota, new_id())
            answer = await mailstore.append(head, one.octets)
        else:
            heads = [each.head() for each in messages]
            several = AppendList(session.mailbox_id, name, heads, *quota, new_id(), replaces)
            answer = await mailstore.append_list(several, b"".join([each.octets for each in messages]))
    if answer.status == "gone":
        raise Disconnect(GONE)
    if answer.status != "ok":
        raise No(_REFUSALS[answer.status])
    session.changed.set()  # the target may be the selected folder, renamed meanwhile or not
    return answer


def _appenduid(answer: Appended, count: int) -> str:
    """The response code; the UIDs of several messages follow each other."""
    last = answer.uid + count - 1
    return f"[APPENDUID {answer.uidvalidity} {answer.uid if count == 1 else f'{answer.uid}:{last}'}]"
