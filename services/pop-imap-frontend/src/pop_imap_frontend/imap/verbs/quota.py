"""Quota (RFC 9208): every folder of a mailbox has the same quota root, whose name is empty."""

from auth_api.wire import NO_QUOTA
from mailstore_api.wire import QuotaQuestion
from pop_imap_frontend.imap.grammar import Cursor
from pop_imap_frontend.imap.refusals import No
from pop_imap_frontend.imap.session import ImapSession

#: Octets of the unit of STORAGE (RFC 9208 5.1).
_UNIT = 1024


async def _send_quota(session: ImapSession) -> None:
    """Send the QUOTA response; usage is rounded up and the limit down, so the room shown is there. One without a quota has no STORAGE."""
    account = session.account
    found = await session.context.mailstore.quota(
        QuotaQuestion(session.mailbox_id, account.quota_limit, account.limit_version)
    )
    limited = [b"MESSAGE %d %d" % (found.messages, found.message_limit)]
    if found.limit < NO_QUOTA:
        limited.insert(0, b"STORAGE %d %d" % (-(-found.charged // _UNIT), found.limit // _UNIT))
    session.stream.write(b'* QUOTA "" (%b)\r\n' % b" ".join(limited))


async def getquota(session: ImapSession, cursor: Cursor) -> str:
    cursor.space()
    root = cursor.astring()
    cursor.end()
    if root:
        raise No("[NONEXISTENT] there is no such quota root")
    await _send_quota(session)
    return "GETQUOTA completed"


async def getquotaroot(session: ImapSession, cursor: Cursor) -> str:
    """Name the quota root of a mailbox, which need not exist (RFC 9208 4.1.2)."""
    cursor.space()
    name = cursor.mailbox()
    cursor.end()
    session.stream.write(b'* QUOTAROOT %b ""\r\n' % session.mailbox(name))
    await _send_quota(session)
    return "GETQUOTAROOT completed"


async def setquota(session: ImapSession, cursor: Cursor) -> str:
    """Refuse: limits belong to the mailbox's plan (P2), and QUOTASET is not announced."""
    cursor.space()
    cursor.astring()
    cursor.space()
    for _ in cursor.each("a list of resources"):
        cursor.atom("a resource")
        cursor.space()
        cursor.number("a limit")
    cursor.end()
    raise No("[NOPERM] limits are set by the provider")
