"""Object ids and save dates (RFC 8474, 8514), and a session that logs in a second time (RFC 8437)."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from .conftest import Client, Imap

BODY = b"Subject: a\r\n\r\nb\r\n"


async def email_ids(client: Client, numbers: str = "1:*") -> list[bytes]:
    return [line.partition(b"EMAILID (")[2].rstrip(b")") for line in await client.ok(f"FETCH {numbers} EMAILID")]


async def test_a_mailbox_keeps_its_id(imap: Imap) -> None:
    client = await imap.log_in()
    created = await client.last("CREATE Old")
    (found,) = re.findall(r"OK \[MAILBOXID \((F\d+)\)\] CREATE completed", created)
    await client.ok("RENAME Old New")
    assert await client.ok("STATUS New (MAILBOXID)") == [b"* STATUS New (MAILBOXID (%b))" % found.encode()]
    assert b"* OK [MAILBOXID (%b)] kept" % found.encode() in await client.ok("SELECT New")
    await client.ok("DELETE New")
    assert f"({found})" not in await client.last("CREATE Old")
    listed = await client.ok('LIST "" "*" RETURN (STATUS (MAILBOXID))')
    ids = [line.partition(b"MAILBOXID ")[2] for line in listed if b"STATUS" in line]
    assert len(set(ids)) == len(ids) == 7


async def test_copies_have_the_same_id_and_other_octets_have_not(imap: Imap) -> None:
    store = imap.store
    (body_id,) = await store.put(BODY)
    for prefix in (b"Delivered-To: a@site.example\r\n", b"Delivered-To: b@site.example\r\n"):
        await store.file(store.filing(imap.mailbox_id, body_id, prefix=prefix))
    await store.append(imap.mailbox_id, BODY)
    client = await imap.select()
    await client.ok("COPY 1 INBOX")
    await client.ok("COPY 2 Sent")
    ids = await email_ids(client)
    assert ids[0] == ids[3] and len(set(ids)) == 3
    assert all(re.fullmatch(rb"M[0-9a-f]{48}", each) for each in ids)
    assert await client.ok(b"SEARCH EMAILID " + ids[0]) == [b"* SEARCH 1 4"]
    assert await client.ok(b"SEARCH NOT EMAILID %b BODY b" % ids[0]) == [b"* SEARCH 2 3"]
    assert await client.ok("SEARCH EMAILID nowhere") == [b"* SEARCH"]
    assert await client.ok("SEARCH THREADID T1") == [b"* SEARCH"]
    assert await client.ok("FETCH 1 (THREADID UID)") == [b"* 1 FETCH (THREADID NIL UID 1)"]
    (both,) = await client.ok("FETCH 1 (THREADID EMAILID ENVELOPE)")
    assert both.startswith(b"* 1 FETCH (THREADID NIL EMAILID (%b) ENVELOPE (" % ids[0])
    await client.ok("SELECT Sent")
    assert await email_ids(client) == [ids[1]]


async def test_a_message_is_saved_when_it_comes_into_its_folder(imap: Imap) -> None:
    store = imap.store
    store.clock.current = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    await store.append(imap.mailbox_id, BODY, internal_date=0.0)
    store.clock.current += timedelta(days=2)
    client = await imap.select()
    await client.ok("COPY 1 INBOX")
    assert await client.ok("FETCH 1:2 (INTERNALDATE SAVEDATE)") == [
        b'* %d FETCH (INTERNALDATE " 1-Jan-1970 00:00:00 +0000" SAVEDATE " %d-Mar-2026 12:00:00 +0000")' % each
        for each in ((1, 1), (2, 3))
    ]
    for keys, found in (
        ("SAVEDON 1-Mar-2026", b"1"),
        ("SAVEDBEFORE 3-Mar-2026", b"1"),
        ("SAVEDSINCE 2-Mar-2026", b"2"),
        ("SAVEDATESUPPORTED ON 1-Jan-1970", b"1 2"),
        ("SAVEDSINCE 1-Mar-2026 TEXT b", b"1 2"),
    ):
        assert await client.ok(f"SEARCH {keys}") == [b"* SEARCH " + found], keys
    await store.pool.execute("update mailstore.message set saved_at = null where uid = 1")
    assert (await client.ok("FETCH 1 SAVEDATE")) == [b"* 1 FETCH (SAVEDATE NIL)"]
    assert await client.ok("SEARCH SAVEDON 1-Jan-1970") == [b"* SEARCH 1"]


@pytest.mark.parametrize("command", ["SEARCH EMAILID", "SEARCH EMAILID (a)", "SEARCH SAVEDON x", "FETCH 1 (EMAILID"])
async def test_malformed(imap: Imap, command: str) -> None:
    await imap.store.append(imap.mailbox_id, BODY)
    assert (await (await imap.select()).last(command)).startswith("BAD")


async def test_a_second_login_sees_its_own_mailbox(imap: Imap) -> None:
    imap.auth.add_mailbox("other@site.example", "secret")
    await imap.store.append(imap.mailbox_id, BODY)
    client = await imap.select()
    await client.ok("UNAUTHENTICATE")
    assert not imap.watch._sessions
    await client.ok("LOGIN other@site.example secret")
    assert len(imap.watch._sessions) == 1
    assert await client.ok("STATUS INBOX (MESSAGES)") == [b"* STATUS INBOX (MESSAGES 0)"]
    assert (await client.last("FETCH 1 FLAGS")).startswith("BAD")
