"""APPEND (RFC 3501 6.3.11), with APPENDUID (UIDPLUS, RFC 4315 3)."""

from mailkit.ids import new_id
from mailstore_api.wire import MOST_FLAGS, Append
from pop_imap_frontend.imap.grammar import Cursor
from pop_imap_frontend.imap.refusals import MANY_KEYWORDS, NO_SPACE, BadCommand, No
from pop_imap_frontend.imap.session import ImapSession

_REFUSALS = {
    "trycreate": "[TRYCREATE] there is no such mailbox",
    "overquota": "[OVERQUOTA] the mailbox has no room for this message",
    "limit": MANY_KEYWORDS,
    "no_space": NO_SPACE,
}
#: INTERNALDATE is stored in seconds since 1970 and sent with a year of four digits.
_LAST_SECOND = 253402300799


async def append(session: ImapSession, cursor: Cursor) -> str:
    cursor.space()
    name = cursor.mailbox()
    cursor.space()
    flags: list[str] = []
    date: float | None = None
    if cursor.peek() == b"(":
        flags = list(dict.fromkeys(cursor.flags()))
        cursor.space()
    if cursor.peek() == b'"':
        date = cursor.date_time()
        cursor.space()
    if not cursor.is_string() or cursor.peek() == b'"':
        raise BadCommand("expected the message as a literal")
    message = cursor.string()
    cursor.end()
    if b"\0" in message:
        raise BadCommand("a message holds no NUL octets")
    message = _with_crlf(message)
    limit = session.context.append_limit
    if len(message) > limit:
        raise No(f"[TOOBIG] with CRLF line ends the message has more than {limit} octets")
    if date is not None and not 0 <= date < _LAST_SECOND:
        raise No("[CANNOT] the date of a message is between 1970 and 9999 here")
    if len(flags) > MOST_FLAGS:
        raise No(_REFUSALS["limit"])
    account = session.account
    head = Append(session.mailbox_id, name, flags, date, account.quota_limit, account.limit_version, new_id())
    async with session.in_turn(only_reads=False):
        answer = await session.context.mailstore.append(head, message)
    if answer.status != "ok":
        raise No(_REFUSALS[answer.status])
    session.changed.set()  # the target may be the selected folder, renamed meanwhile or not
    return f"[APPENDUID {answer.uidvalidity} {answer.uid}] APPEND completed"


def _with_crlf(message: bytes) -> bytes:
    """`message` with CRLF line ends only, so that POP3 and copies have the same octets."""
    if message.count(b"\n") == message.count(b"\r") == message.count(b"\r\n"):
        return message
    return message.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
