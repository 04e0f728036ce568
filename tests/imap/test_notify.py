"""NOTIFY (RFC 5465) over a connection: responses while no command is in progress, and what is held back."""

import asyncio

import pytest

from mailkit.errors import Unavailable
from mailkit.testing.speed import patient, until
from pop_imap_frontend.imap import following

from .conftest import Client, Imap

NEW = b"Subject: new\r\n\r\ntext\r\n"
MESSAGES = "(MessageNew MessageExpunge FlagChange)"


@pytest.fixture(autouse=True)
def at_once(imap: Imap) -> None:
    imap.shared["notify_seconds"] = 0.0


async def watching(imap: Imap, groups: str, folder: str = "INBOX") -> Client:
    """The session of `imap.sessions[0]`, with NOTIFY."""
    client = await imap.select(folder)
    await client.ok(f"NOTIFY SET {groups}")
    return client


def hint(imap: Imap) -> None:
    """As the feed does for every session of the account."""
    for session in imap.sessions:
        session.changed.set()


async def lines(client: Client, count: int) -> list[bytes]:
    return [await client.response() for _ in range(count)]


async def nothing(client: Client) -> None:
    """The client has been sent all: a command gets no other responses than its own."""
    assert await client.ok("ENABLE X") == [b"* ENABLED"]


async def test_new_messages_come_without_a_command_and_with_what_was_asked_for(imap: Imap) -> None:
    await imap.store.append(imap.mailbox_id, NEW)
    client = await watching(
        imap, "(selected (MessageNew (UID FLAGS BODY.PEEK[HEADER.FIELDS (Subject)]) MessageExpunge))"
    )
    other = await imap.select()
    await imap.store.append(imap.mailbox_id, NEW)
    hint(imap)
    assert await lines(client, 3) == [
        b"* 2 EXISTS\r\n",
        b"* 2 RECENT\r\n",
        b"* 2 FETCH (UID 2 FLAGS (\\Recent) BODY[HEADER.FIELDS (Subject)] {16}\r\nSubject: new\r\n\r\n)\r\n",
    ]
    await other.ok("NOOP")
    await other.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
    await other.ok("EXPUNGE")
    hint(imap)
    assert await client.response() == b"* 1 EXPUNGE\r\n"  # and no flags: FlagChange was not asked for
    await nothing(client)


async def test_selected_delayed_holds_expunges_back_until_a_command_allows_them(imap: Imap) -> None:
    for _ in range(2):
        await imap.store.append(imap.mailbox_id, NEW)
    client = await watching(imap, f"(selected-delayed {MESSAGES})")
    other = await imap.select()
    await other.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
    await other.ok("EXPUNGE")
    await other.ok("STORE 1 +FLAGS.SILENT (\\Flagged)")
    hint(imap)
    assert await client.response() == b"* 2 FETCH (UID 2 FLAGS (\\Flagged \\Recent))\r\n"
    assert await client.ok("FETCH 2 UID") == [b"* 2 FETCH (UID 2)"]
    assert await client.ok("NOOP") == [b"* 1 EXPUNGE"]


async def test_a_client_that_wants_no_events_of_the_selected_mailbox_gets_none(imap: Imap) -> None:
    client = await imap.select()
    await client.ok("NOTIFY NONE")
    await imap.store.append(imap.mailbox_id, NEW)
    hint(imap)
    assert await client.ok("NOOP") == []
    assert await client.ok("NOTIFY SET (personal (MailboxName))") == [b"* 1 EXISTS", b"* 1 RECENT"]
    await imap.store.append(imap.mailbox_id, NEW)
    hint(imap)
    assert await client.ok("NOOP") == []
    assert await client.ok("NOTIFY SET (selected NONE)") == [b"* 2 EXISTS", b"* 2 RECENT"]


async def test_other_mailboxes_are_told_of_by_status_list_and_metadata(imap: Imap) -> None:
    groups = f"(selected {MESSAGES}) (personal ({MESSAGES[1:-1]} MailboxName SubscriptionChange MailboxMetadataChange))"
    client = await watching(imap, groups)
    other = await imap.log_in()
    await other.ok("CREATE a/b")
    hint(imap)
    assert sorted(await lines(client, 2)) == [
        b'* LIST (\\HasChildren) "/" a\r\n',
        b'* LIST (\\HasNoChildren) "/" a/b\r\n',
    ]
    await other.ok(b"APPEND a/b {%d+}\r\n%b" % (len(NEW), NEW))
    hint(imap)
    assert await client.response() == b"* STATUS a/b (MESSAGES 1 UIDNEXT 2 UNSEEN 1)\r\n"
    await other.ok("RENAME a c")
    await other.ok("SUBSCRIBE c/b")
    hint(imap)
    assert await lines(client, 2) == [
        b'* LIST (\\HasChildren) "/" c ("OLDNAME" (a))\r\n',
        b'* LIST (\\HasNoChildren \\Subscribed) "/" c/b\r\n',
    ]
    await other.ok('SETMETADATA c (/private/comment "x")')
    hint(imap)
    assert await client.response() == b'* METADATA c "/private/comment"\r\n'
    await other.ok("DELETE c/b")
    hint(imap)
    assert await lines(client, 2) == [
        b'* LIST (\\HasNoChildren) "/" c\r\n',
        b'* LIST (\\HasNoChildren \\NonExistent \\Subscribed) "/" c/b\r\n',
    ]
    await nothing(client)


async def test_status_responses_at_the_beginning(imap: Imap) -> None:
    client = await imap.select()
    wanted = "(subtree Sent (MessageNew MessageExpunge)) (mailboxes (INBOX Trash nowhere) (MessageNew MessageExpunge FlagChange))"
    found = await client.ok(f"NOTIFY SET STATUS {wanted}")
    assert [line.split(b" (")[0] for line in found] == [b"* STATUS Sent", b"* STATUS Trash"]  # not of the selected one
    assert b"HIGHESTMODSEQ" not in found[0] and b"HIGHESTMODSEQ" in found[1]


async def test_idle_sends_the_events_that_were_asked_for(imap: Imap) -> None:
    client = await watching(imap, f"(selected-delayed {MESSAGES}) (personal {MESSAGES})")
    await imap.store.append(imap.mailbox_id, NEW)
    client.send(b"i IDLE\r\n")
    assert await lines(client, 3) == [b"+ idling\r\n", b"* 1 EXISTS\r\n", b"* 1 RECENT\r\n"]
    await imap.store.append(imap.mailbox_id, NEW, "Sent")
    hint(imap)
    assert await client.response() == b"* STATUS Sent (MESSAGES 1 UIDNEXT 2 UNSEEN 1)\r\n"
    await imap.store.store(imap.mailbox_id, [(1, 1)], "add", "\\Deleted")
    await imap.store.expunge(imap.mailbox_id)
    hint(imap)
    assert await client.response() == b"* 1 EXPUNGE\r\n"
    client.send(b"DONE\r\n")
    assert (await client.until("i"))[-1].startswith(b"i OK")


async def test_too_many_new_messages_end_the_notifications(imap: Imap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "MOST_SENT", 2)
    client = await watching(imap, "(selected (MessageNew (UID) MessageExpunge)) (personal (MailboxName))")
    for _ in range(3):
        await imap.store.append(imap.mailbox_id, NEW)
    hint(imap)
    found = await lines(client, 3)
    assert found[:2] == [b"* 3 EXISTS\r\n", b"* 3 RECENT\r\n"] and found[2].startswith(b"* OK [NOTIFICATIONOVERFLOW] ")
    await imap.store.append(imap.mailbox_id, NEW)
    hint(imap)
    assert await client.ok("NOOP") == []  # as after NOTIFY NONE (RFC 5465 5.8)


async def test_accounts_are_compared_at_intervals_and_again_after_an_error(
    imap: Imap, monkeypatch: pytest.MonkeyPatch
) -> None:
    imap.shared["notify_seconds"] = patient(600)
    monkeypatch.setattr("pop_imap_frontend.imap.notifying._AGAIN", 0.0)
    client = await watching(imap, f"(personal {MESSAGES})")
    listed, calls = imap.store.front.list_folders, 0

    async def fails_once(question):  # type: ignore[no-untyped-def]
        nonlocal calls
        calls += 1
        if calls == 1:
            raise Unavailable("away")
        return await listed(question)

    monkeypatch.setattr(imap.store.front, "list_folders", fails_once)
    await imap.store.append(imap.mailbox_id, NEW, "Sent")
    notifier = imap.sessions[0].notifier
    assert notifier is not None
    hint(imap)
    await until(lambda: calls == 1)
    assert notifier.due
    notifier.next_at = 0.0  # time passes
    hint(imap)
    assert (await client.response()).startswith(b"* STATUS Sent (MESSAGES 1 ")
    await imap.store.append(imap.mailbox_id, NEW, "Sent")
    hint(imap)
    await until(lambda: notifier.due and not imap.sessions[0].changed.is_set())
    await nothing(client)
    assert calls == 2


async def test_a_session_without_a_command_ends_with_a_bye(imap: Imap) -> None:
    client = await watching(imap, f"(selected {MESSAGES})")
    imap.sessions[0].end("the account was changed")
    assert await client.response() == b"* BYE the account was changed\r\n"
    client = await watching(imap, f"(selected {MESSAGES})", "Sent")
    other = await imap.log_in()
    client.writer.write_eof()
    assert await asyncio.wait_for(client.reader.read(), patient(10)) == b""
    await other.ok("NOOP")
