"""What one customer's sessions have under way together, and that another customer does not notice."""

import asyncio

import pytest

from mailkit.errors import OverLimit, Unavailable
from mailkit.testing.speed import until
from pop_imap_frontend.conversation.budget import Budget
from pop_imap_frontend.imap.reader import RawCommand

from .conftest import Imap

BODY = b"Subject: a\r\n\r\nb\r\n"


@pytest.fixture
async def blocked(imap: Imap) -> asyncio.Event:
    """Searches wait for this."""
    may_end = asyncio.Event()
    store = imap.shared["mailstore"]
    real = store.search

    async def search(question: object) -> object:
        await may_end.wait()
        return await real(question)

    store.search = search
    imap.auth.add_mailbox("other@site.example", "secret")
    return may_end


async def test_commands_of_a_mailbox_wait_for_each_other(imap: Imap, blocked: asyncio.Event) -> None:
    imap.shared["commands"] = Budget("commands", 2)
    clients = [await imap.select() for _ in range(3)]
    for client in clients:
        client.send(b"x SEARCH TEXT b\r\n")
    uses = imap.shared["commands"]._uses
    await until(lambda: len(getattr(uses.get(imap.mailbox_id), "waiting", ())) == 1)
    other = await imap.log_in("other@site.example")  # a customer of his own
    await other.ok(b"APPEND INBOX {%d+}\r\n%b" % (len(BODY), BODY))
    blocked.set()
    for client in clients:
        assert (await client.until("x"))[-1] == b"x OK SEARCH completed"
    assert not uses


@pytest.mark.parametrize(
    "command", ["SEARCH TEXT b", "FETCH 1 BODY.PEEK[]", "COPY 1 Sent", "APPEND INBOX {5+}\r\nabcde"]
)
async def test_the_wait_is_bounded(imap: Imap, blocked: asyncio.Event, command: str) -> None:
    await imap.store.deliver(imap.mailbox_id, BODY)
    imap.shared["commands"] = Budget("commands", 1, patience=0.1)
    first, second = await imap.select(), await imap.select()
    first.send(b"x SEARCH TEXT b\r\n")
    await until(lambda: bool(imap.shared["commands"]._uses))
    assert await second.last(command) == "NO [LIMIT] this mailbox has too much under way, try again later"
    await second.ok("NOOP")
    blocked.set()
    await first.until("x")
    assert await second.ok("SEARCH TEXT b") == [b"* SEARCH 1"]


async def test_literals_are_counted_together(imap: Imap) -> None:
    imap.shared["literals"] = Budget("literals", 1 << 20, patience=0.1)
    first, second, third = await imap.log_in(), await imap.log_in(), await imap.log_in()
    for client in (first, second):
        client.send(b"x APPEND INBOX {500000}\r\n")
        assert (await client.response()).startswith(b"+")
    assert (
        await third.last(b"APPEND INBOX {500000}") == "NO [LIMIT] this mailbox has too much under way, try again later"
    )
    # a non-synchronizing literal is read to its end and refused, and the dialogue stays in step
    assert (await third.last(b"APPEND INBOX {500000+}\r\n" + b"x" * 500_000)).startswith("NO [LIMIT]")
    first.writer.close()
    second.send(b"x" * 500_000 + b"\r\n")
    assert (await second.until("x"))[-1].startswith(b"x OK")
    await until(lambda: not imap.shared["literals"]._uses)
    await third.ok(b"APPEND INBOX {500000+}\r\n" + b"x" * 500_000)


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (OverLimit("this search takes too long"), "NO [LIMIT] this search takes too long"),
        (Unavailable("away"), "NO [UNAVAILABLE] the mail store cannot be reached right now, try again"),
    ],
)
async def test_what_mailstore_refuses(imap: Imap, error: Exception, answer: str) -> None:
    client = await imap.select()
    store = imap.shared["mailstore"]

    async def search(_question: object) -> None:
        raise error

    store.search = search
    assert await client.last("SEARCH BODY a") == answer
    await client.ok("NOOP")


async def test_commands_sent_ahead_leave_others_their_turn(imap: Imap, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await imap.log_in()
    session = imap.sessions[-1]
    answered = most = 0
    real = session._answer

    async def counted(raw: RawCommand) -> None:
        nonlocal answered
        answered += 1
        await real(raw)

    async def others() -> None:
        nonlocal most
        while answered < 8000:  # the first is under way already
            before = answered
            await asyncio.sleep(0)
            most = max(most, answered - before)

    monkeypatch.setattr(session, "_answer", counted)
    task = asyncio.create_task(others())
    client.send(b"x NOOP\r\n" * 8000 + b"y NOOP\r\n")
    await client.until("y")
    await task
    assert 1 < most <= 50
