"""The selected state belongs to the folder, not to its name (RFC 3501 3.3), and every command is answered before a BYE."""

import asyncio
import socket
import struct

import pytest

from mailkit.errors import Unavailable
from mailkit.testing.speed import until
from pop_imap_frontend.imap import flag_changes
from pop_imap_frontend.imap.folder import view

from .conftest import Client, Imap

BODY = b"Subject: a\r\n\r\nb\r\n"


def reset(client: Client) -> None:
    """Go without a word; a plain FIN could be a client that still waits for its answers."""
    client.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.writer.transport.abort()


async def append(client: Client, name: str) -> None:
    await client.ok(b"APPEND %b {%d+}\r\n%b" % (name.encode(), len(BODY), BODY))


async def test_the_session_follows_a_rename(imap: Imap) -> None:
    client, other = await imap.log_in(), await imap.log_in()
    for name in ("Old", "Up/Down"):
        await client.ok(f"CREATE {name}")
    await client.ok("SELECT Old")
    await client.ok("RENAME Old New")
    await append(client, "New")
    assert b"* 1 EXISTS" in (await client.ok("NOOP")) or await client.ok("SEARCH ALL") == [b"* SEARCH 1"]
    await client.ok("CREATE Old")
    await append(other, "Old")
    await client.ok("DELETE Old")  # another folder, which has the old name now
    assert await client.ok("FETCH 1 UID") == [b"* 1 FETCH (UID 1)"]
    await client.ok("SELECT Up/Down")
    await other.ok("RENAME Up Above")
    await append(other, "Above/Down")
    await client.ok("NOOP")
    assert await client.ok("SEARCH ALL") == [b"* SEARCH 1"]
    await client.ok("RENAME Above Up")
    await client.ok("DELETE Up/Down")
    assert (await client.last("FETCH 1 UID")).startswith("BAD not allowed")
    await client.ok("NOOP")


async def test_a_deleted_folder_is_told_before_the_end(imap: Imap) -> None:
    other = await imap.log_in()
    for command in ("NOOP", "STORE 1 +FLAGS (\\Seen)", "EXPUNGE", "CHECK", "COPY 1 INBOX", "SEARCH TEXT b"):
        await other.ok("CREATE Gone")
        await append(other, "Gone")
        client = await imap.select("Gone")
        await other.ok("DELETE Gone")
        assert (await client.last(command)).startswith("NO "), command
        assert (await client.response()).startswith(b"* BYE")
        assert await client.response() == b""


async def test_a_command_that_was_done_is_ok_though_the_news_cannot_be_had(imap: Imap) -> None:
    client = await imap.select()
    store = imap.shared["mailstore"]

    async def away(_question: object) -> None:
        raise Unavailable("away")

    store.changes, real = away, store.changes
    try:
        await append(client, "INBOX")
    finally:
        store.changes = real
    assert b"* 1 EXISTS" in await client.ok("NOOP")


async def test_ending_a_session_waits_for_its_command(imap: Imap) -> None:
    client = await imap.select()
    store = imap.shared["mailstore"]
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def slow(question: object) -> object:
        begun.set()
        await may_end.wait()
        return await real(question)

    store.create_folder, real = slow, store.create_folder
    client.send(b"x CREATE Late\r\n")
    await begun.wait()
    imap.sessions[0].end("the account was changed")
    may_end.set()
    assert await client.until("x") == [b"x OK [MAILBOXID (F7)] CREATE completed"]
    assert await client.response() == b"* BYE the account was changed\r\n"


async def test_ending_interrupts_who_waits_for_the_client(imap: Imap) -> None:
    for command in (b"IDLE", b"AUTHENTICATE PLAIN"):
        client = await (imap.select() if command == b"IDLE" else imap.connect())
        client.send(b"x " + command + b"\r\n")
        assert (await client.response()).startswith(b"+")
        imap.sessions[-1].end("server is going down")
        assert await client.until("x") == [b"x NO [UNAVAILABLE] server is going down"]
        assert await client.response() == b"* BYE server is going down\r\n"
    client = await imap.connect()
    imap.sessions[-1].end("server is going down")
    assert await client.response() == b"* BYE server is going down\r\n"


async def test_idle_says_that_it_is_still_here(imap: Imap) -> None:
    imap.shared["keepalive_seconds"] = 0.05
    client = await imap.select()
    client.send(b"x IDLE\r\n")
    assert (await client.response()).startswith(b"+")
    for _ in range(3):
        assert await client.response() == b"* OK Still here\r\n"
    client.send(b"DONE\r\n")
    assert (await client.until("x"))[-1] == b"x OK IDLE completed"


async def test_idle_learns_of_a_change_whose_announcement_was_lost(imap: Imap) -> None:
    """A mailstore that is killed between a commit and its NOTIFY announces nothing (docs/decisions/0055)."""
    client = await imap.select()
    client.send(b"x IDLE\r\n")
    assert (await client.response()).startswith(b"+")
    (session,) = imap.sessions
    await until(lambda: not session.changed.is_set())  # IDLE asks once at its beginning
    await imap.watch.compare()
    assert not session.changed.is_set(), "nothing has changed"
    await imap.store.deliver(imap.mailbox_id, BODY)  # no feed is open here: no announcement comes
    await imap.watch.compare()
    assert await client.response() == b"* 1 EXISTS\r\n"
    client.send(b"DONE\r\n")
    assert (await client.until("x"))[-1] == b"x OK IDLE completed"
    await imap.watch.compare()
    assert not session.changed.is_set()


async def test_a_search_ends_with_its_client(imap: Imap) -> None:
    client = await imap.select()
    begun, ended = asyncio.Event(), asyncio.Event()

    async def endless(_question: object) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    store = imap.shared["mailstore"]
    store.search = endless
    try:
        client.send(b"x SEARCH BODY a\r\n")
        await begun.wait()
        reset(client)
        await until(ended.is_set)
    finally:
        del store.search


async def test_a_command_with_too_many_ranges_is_refused_and_a_fetch_marks_any_number(
    imap: Imap, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (view, flag_changes):
        monkeypatch.setattr(module, "MOST_RANGES", 3)
    for n in range(9):
        await imap.store.append(imap.mailbox_id, b"Subject: %d\r\n\r\ntext\r\n" % n)
    client = await imap.select()
    for command in ("COPY 1,3,5,7 Sent", "UID EXPUNGE 1,3,5,7", "FETCH 1,3,5,7 ENVELOPE", "SEARCH 1,3,5,7"):
        assert (await client.last(command)).startswith("NO [LIMIT] a command names at most")
    await client.ok("COPY 1,3,5 Sent")
    await client.ok("STORE 1,3,5,7,9 FLAGS.SILENT (\\Seen)")  # flags may be changed part by part
    assert await client.ok("SEARCH UNSEEN") == [b"* SEARCH 2 4 6 8"]
    assert len(await client.ok("FETCH 1:* BODY[]")) == 9
    assert await client.ok("SEARCH UNSEEN") == [b"* SEARCH"]


@pytest.mark.parametrize("command", ["COPY 1 INBOX", "UID COPY 1 inbox"])
async def test_a_copy_into_the_selected_folder_is_shown_with_its_answer(imap: Imap, command: str) -> None:
    """No word of the feed is waited for: a client that copies and counts sees its copy (RFC 3501 7)."""
    await imap.store.deliver(imap.mailbox_id, BODY)
    client = await imap.select()
    await client.ok("NOOP")
    imap.sessions[0].changed.clear()
    found = await client.ok(command)
    assert b"* 2 EXISTS" in found
    assert await client.ok("FETCH 2 UID") == [b"* 2 FETCH (UID 2)"]
