"""REPLACE (RFC 8508) and MULTIAPPEND (RFC 3502): what other sessions see, what is refused, and that a refusal changes nothing."""

import pytest

from mailstore_api.wire import MOST_APPENDED

from .conftest import Imap

BODY = b"Subject: a\r\n\r\nb\r\n"


async def test_other_sessions_see_both(imap: Imap) -> None:
    await imap.store.append_all(imap.mailbox_id, [BODY, BODY])
    other, resync = await imap.select(), await imap.select()
    await resync.ok("ENABLE QRESYNC")
    client = await imap.select()
    await client.ok(b"UID REPLACE 1 INBOX {3+}\r\nabc")
    assert (await other.ok("NOOP"))[:2] == [b"* 1 EXPUNGE", b"* 2 EXISTS"]
    assert (await resync.ok("NOOP"))[0] == b"* VANISHED 1"


async def test_with_qresync_the_answer_has_the_modseq_of_both(imap: Imap) -> None:
    await imap.store.append(imap.mailbox_id, BODY)
    client = await imap.select()
    await client.ok("ENABLE QRESYNC")
    *_, vanished, exists, recent, last = await client.ask(b"REPLACE * INBOX {3+}\r\nabc")
    assert (vanished, exists, recent) == (b"* VANISHED 1", b"* 1 EXISTS", b"* 1 RECENT")
    (status,) = await client.ok("STATUS INBOX (HIGHESTMODSEQ)")
    modseq = status.rpartition(b" ")[2].rstrip(b")")
    assert last == b"OK [HIGHESTMODSEQ %b] REPLACE completed" % modseq


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (b"REPLACE 2 INBOX {3+}\r\nabc", "BAD there is no message with that number"),
        (b"REPLACE 1:2 INBOX {3+}\r\nabc", "BAD expected the number of one message"),
        (b"REPLACE 1,1 INBOX {3+}\r\nabc", "BAD expected the number of one message"),
        (b"REPLACE $ INBOX {3+}\r\nabc", "BAD expected a sequence set"),
        (b"REPLACE 1 INBOX {3+}\r\nabc {3+}\r\nabc", "BAD a REPLACE has one message"),
        (b"REPLACE 1 {5+}\r\nINBOX {3+}\r\nabc {3+}\r\nabc", "NO [LIMIT] REPLACE takes at most 2 literals here"),
        (b"UID REPLACE 9 INBOX {3+}\r\nabc", "NO [EXPUNGEISSUED] the message to replace is no longer there"),
        (b"REPLACE 1 Nowhere {3+}\r\nabc", "NO [TRYCREATE] there is no such mailbox"),
        (b"REPLACE 1 INBOX {0+}\r\n", "NO a message of no octets cancels the command"),
    ],
)
async def test_what_is_refused_changes_nothing(imap: Imap, command: bytes, answer: str) -> None:
    await imap.store.append(imap.mailbox_id, BODY)
    client = await imap.select()
    assert await client.last(command) == answer
    assert await client.ok("UID SEARCH ALL") == [b"* SEARCH 1"]


async def test_a_message_that_is_gone_is_not_replaced(imap: Imap) -> None:
    await imap.store.append_all(imap.mailbox_id, [BODY, BODY])
    client, other = await imap.select(), await imap.select()
    await other.ok("STORE 1 +FLAGS (\\Deleted)")
    await other.ok("EXPUNGE")
    *_, last = await client.ask(b"UID REPLACE 1 INBOX {3+}\r\nabc")
    assert last.startswith(b"NO [EXPUNGEISSUED]")
    await client.ok("NOOP")
    assert await client.ok("UID SEARCH ALL") == [b"* SEARCH 2"]


async def test_a_read_only_folder_keeps_its_messages(imap: Imap) -> None:
    await imap.store.append(imap.mailbox_id, BODY)
    client = await imap.log_in()
    await client.ok("EXAMINE INBOX")
    assert (await client.last(b"REPLACE 1 Drafts {3+}\r\nabc")).startswith("NO [READ-ONLY]")
    assert await client.ok("STATUS Drafts (MESSAGES)") == [b"* STATUS Drafts (MESSAGES 0)"]


async def test_the_quota_is_that_of_both_together(imap: Imap) -> None:
    imap.account.quota_limit, imap.account.limit_version = 1_500_000, 2
    await imap.store.append(imap.mailbox_id, b"x" * 1_000_000)
    client = await imap.select()
    message = b"{1000000+}\r\n" + b"y" * 1_000_000
    assert (await client.last(b"APPEND INBOX " + message)).startswith("NO [OVERQUOTA]")
    await client.ok(b"REPLACE 1 INBOX " + message)


async def test_messages_of_an_append_are_limited_together(imap: Imap) -> None:
    client = await imap.select()
    small = b" {1+}\r\nx"
    await client.ok(b"APPEND {5+}\r\nINBOX" + small * MOST_APPENDED)
    assert await client.last(b"APPEND {5+}\r\nINBOX" + small * (MOST_APPENDED + 1)) == (
        f"NO [LIMIT] APPEND takes at most {MOST_APPENDED + 1} literals here"
    )
    half = b" {600000+}\r\n" + b"x" * 600_000
    too_many = "NO [LIMIT] the messages of one command have at most 1048576 octets together"
    assert await client.last(b"APPEND INBOX" + half * 2) == too_many
    lines = b" {400000+}\r\n" + b"\n" * 400_000  # twice as many octets with CRLF
    assert await client.last(b"APPEND INBOX" + lines * 2) == too_many
    flags = b" (" + b"a " * 30_000 + b"a)" + small
    assert await client.last(b"APPEND INBOX" + flags * 2) == "BAD the command is too long"
    assert len((await client.ok("UID SEARCH ALL"))[0].split()) == 2 + MOST_APPENDED


async def test_a_client_that_wants_no_notifications_is_sent_its_own_expunge(imap: Imap) -> None:
    """RFC 5465 3.1 leaves out what others do, not the answer to a command."""
    await imap.store.append(imap.mailbox_id, BODY)
    client = await imap.select()
    await client.ok("NOTIFY NONE")
    assert b"* 1 EXPUNGE" in await client.ok(b"REPLACE 1 Drafts {3+}\r\nabc")
