"""GETQUOTA shows what mailstore counts against the limit, to the octet, and the limit of the login (RFC 9208, decision 35)."""

from mailstore_api.wire import QuotaQuestion

from .conftest import Imap

BODY = b"Subject: a\r\n\r\n" + b"x" * 1000 + b"\r\n"


async def test_the_figures_are_those_of_mailstore(imap: Imap) -> None:
    client = await imap.select()
    for step in (
        b"NOOP",
        b"APPEND INBOX {%d+}\r\n%b" % (len(BODY), BODY),
        b"APPEND INBOX {7+}\r\na: b\r\n\r",
        b"COPY 1:2 Sent",
        b"MOVE 1 Trash",
        b"STORE 1 +FLAGS (\\Deleted)",
        b"EXPUNGE",
        b"DELETE Trash",
    ):
        await client.ok(step)
        shown = await imap.store.admin.show_usage(str(imap.mailbox_id))
        limit, version = imap.account.quota_limit, imap.account.limit_version
        answer = await imap.store.front.quota(QuotaQuestion(imap.mailbox_id, limit, version))
        assert (answer.charged, answer.messages) == (shown["charged"], shown["messages"])
        (line,) = await client.ok('GETQUOTA ""')
        assert line == b'* QUOTA "" (STORAGE %d %d MESSAGE %d %d)' % (
            -(-shown["charged"] // 1024),
            limit // 1024,
            shown["messages"],
            shown["message_limit"],
        )


async def test_a_refusal_for_want_of_room_says_overquota(imap: Imap) -> None:
    imap.account.quota_limit, imap.account.limit_version = 3000, 7
    client = await imap.select()
    append = b"APPEND INBOX {%d+}\r\n%b" % (len(BODY), BODY)
    await client.ok(append)
    await client.ok(append)
    assert (await client.last(append)).startswith("NO [OVERQUOTA]")
    assert (await client.last("COPY 1 Sent")).startswith("NO [OVERQUOTA]")
    await client.ok("MOVE 1 Sent")
    assert await client.ok("GETQUOTAROOT INBOX") == [
        b'* QUOTAROOT INBOX ""',
        b'* QUOTA "" (STORAGE 2 2 MESSAGE 2 1000000)',
    ]
