"""FETCH: an item named twice is answered once, and large values go through in pieces (RFC 3501 6.4.5)."""

import tracemalloc
from array import array
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailkit.errors import Unanswered
from mailstore_api.wire import PIECE

from .conftest import Imap

LARGE = b"Subject: large\r\n\r\n" + b"0123456789abcd\r\n" * 40_000
SMALL = b"Subject: small\r\n\r\nx\r\n"


@pytest.fixture(autouse=True)
async def mail(imap: Imap) -> None:
    for body in (SMALL, LARGE, SMALL):
        await imap.store.append(imap.mailbox_id, body)


async def test_an_item_named_twice_is_answered_once(imap: Imap) -> None:
    client = await imap.select()
    items = (
        "FLAGS UID FLAGS UID RFC822.SIZE RFC822.SIZE BODY.PEEK[TEXT] BODY.PEEK[TEXT] BODY.PEEK[]<0.5> BODY.PEEK[]<0.5>"
    )
    assert await client.ok(f"FETCH 1 ({items})") == [
        b"* 1 FETCH (FLAGS (\\Recent) UID 1 RFC822.SIZE 21 BODY[TEXT] {3}\r\nx\r\n BODY[]<0> {5}\r\nSubje)"
    ]
    (found,) = await client.ok("FETCH 1 (" + " ".join(["BODY.PEEK[]"] * 5000) + ")")
    assert found.count(b"BODY[]") == 1
    sections = " ".join(f"BODY.PEEK[]<{offset}.1000>" for offset in range(101))
    assert (await client.last(f"FETCH 1 ({sections})")).startswith("NO [LIMIT]")


async def test_large_values_are_whole(imap: Imap) -> None:
    client = await imap.select()
    found = await client.ok("FETCH 1:3 (UID RFC822 BODY.PEEK[TEXT] BODY.PEEK[] RFC822.SIZE BODY.PEEK[]<10.70000>)")
    text = LARGE.partition(b"\r\n\r\n")[2]
    assert (
        found[1]
        == b"* 2 FETCH (UID 2 RFC822 {%d}\r\n%b BODY[TEXT] {%d}\r\n%b BODY[] {%d}\r\n%b RFC822.SIZE %d BODY[]<10> {70000}\r\n%b FLAGS (\\Seen \\Recent))"
        % (
            len(LARGE),
            LARGE,
            len(text),
            text,
            len(LARGE),
            LARGE,
            len(LARGE),
            LARGE[10:70010],
        )
    )
    assert found[0].startswith(b"* 1 FETCH (UID 1 RFC822 {21}\r\nSubject: small")
    assert len(found) == 3


async def test_a_message_that_went_meanwhile_is_passed_over(imap: Imap) -> None:
    client = await imap.select()
    await imap.store.append(imap.mailbox_id, LARGE)  # not in the client's view yet
    found = await client.ok("FETCH 1:* BODY.PEEK[]")
    assert len(found) == 3
    session = imap.sessions[-1]
    session.view.remove(array("I", [2]))
    assert len(await client.ok("UID FETCH 1:3 BODY.PEEK[]")) >= 2


async def test_a_value_that_breaks_off_ends_the_connection(imap: Imap) -> None:
    client = await imap.select()
    store = imap.shared["mailstore"]

    async def broken(_question: object) -> AsyncIterator[Any]:
        yield [[2, 100_000]]
        yield b"x" * PIECE
        raise Unanswered("broke off")

    store.fetch_pieces = broken
    try:
        client.send(b"x FETCH 2 BODY.PEEK[]\r\n")
        rest = await client.reader.read(-1)
    finally:
        del store.fetch_pieces
    assert rest.startswith(b"* 2 FETCH (BODY[] {100000}\r\nxxx") and b"NO" not in rest and b"BYE" not in rest


async def test_memory_does_not_grow_with_a_value(imap: Imap) -> None:
    """The front end's part: pieces of a value of 64 MB, read by a client as fast as they come."""
    client = await imap.select()
    store = imap.shared["mailstore"]
    count = 1024

    async def endless(_question: object) -> AsyncIterator[Any]:
        yield [[2, count * PIECE]]
        for _ in range(count):
            yield bytes(PIECE)

    store.fetch_pieces = endless
    tracemalloc.start()
    try:
        client.send(b"x FETCH 2 BODY.PEEK[]\r\n")
        left = len(b"* 2 FETCH (BODY[] {%d}\r\n" % (count * PIECE)) + count * PIECE + 3
        while left:
            left -= len(await client.reader.read(min(left, 1 << 20)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        del store.fetch_pieces
    assert (await client.until("x"))[-1].startswith(b"x OK")
    assert peak < 24 << 20, peak  # some of it is what the client of this test has not read yet
