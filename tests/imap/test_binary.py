"""BINARY (RFC 3516): parts without their transfer encoding, their sizes, partials, and literal8."""

import base64
import re

import pytest

from .conftest import Client, Imap

DATA = bytes(range(256)) * 3
LARGE = bytes(range(255, -1, -1)) * 4000  # 1 MB: more than a piece and than a span


def message(data: bytes = DATA) -> bytes:
    encoded = base64.encodebytes(data).replace(b"\n", b"\r\n")
    return (
        b"From: a@far.test\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ncaf=C3=A9 =\r\nnoir\r\n"
        b"--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + encoded
        + b"\r\n"
        b"--b\r\nContent-Type: message/rfc822\r\n\r\n"
        b"Subject: inner\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n"
        b"--b\r\nContent-Transfer-Encoding: 8bit\r\n\r\nas it is\r\n--b--\r\n"
    )


UNKNOWN = b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nbegin\r\n"


async def value(client: Client, item: str, number: int = 1) -> bytes | int | None:
    """The value of one item; its label in the response is the item's, without PEEK and the count."""
    (line,) = await client.ok(f"FETCH {number} {item}")
    label = re.sub(r"<(\d+)\.\d+>", r"<\1>", item.replace(".PEEK", ""))
    head, found, rest = line.partition(f"* {number} FETCH ({label} ".encode())
    assert not head and found, line
    if match := re.match(rb"~\{(\d+)\}\r\n", rest):
        assert len(rest) == match.end() + int(match[1]) + 1
        return rest[match.end() : -1]
    return None if rest == b"NIL)" else int(rest[:-1])


async def test_parts_are_decoded(imap: Imap) -> None:
    await imap.store.append(imap.mailbox_id, message())
    client = await imap.select()
    inner = b"Subject: inner\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD"
    for part, data in (("1", "café noir".encode()), ("2", DATA), ("3", inner), ("3.1", b"ABC"), ("4", b"as it is")):
        assert await value(client, f"BINARY.PEEK[{part}]") == data
        assert await value(client, f"BINARY.SIZE[{part}]") == len(data)
    assert await value(client, "BINARY.PEEK[9]") is None
    assert await value(client, "BINARY.SIZE[9]") == 0
    assert await value(client, "BINARY.PEEK[]") == message()
    assert await value(client, "BINARY.SIZE[]") == len(message())
    assert await client.ok("FETCH 1 FLAGS") == [b"* 1 FETCH (FLAGS (\\Recent))"]


async def test_partials_count_decoded_octets(imap: Imap) -> None:
    await imap.store.append(imap.mailbox_id, message())
    client = await imap.select()
    for offset, count in ((0, 10), (1, 1), (250, 20), (len(DATA) - 5, 99), (len(DATA), 1), (4_000_000_000, 9)):
        assert await value(client, f"BINARY.PEEK[2]<{offset}.{count}>") == DATA[offset : offset + count]
    assert (await client.last("FETCH 1 BINARY[2]<0.0>")).startswith("BAD")


async def test_a_large_part_is_decoded_in_pieces(imap: Imap) -> None:
    await imap.store.append(imap.mailbox_id, message(LARGE[:700_000]))
    client = await imap.select()
    assert await value(client, "BINARY.SIZE[2]") == 700_000
    assert await value(client, "BINARY.PEEK[2]") == LARGE[:700_000]
    assert await value(client, "BINARY.PEEK[2]<300001.200000>") == LARGE[300_001:500_001]
    assert await value(client, "BINARY.PEEK[2]<699999.5>") == LARGE[699_999:700_000]


async def test_binary_sets_seen_and_its_sizes_do_not(imap: Imap) -> None:
    await imap.store.append(imap.mailbox_id, message())
    client = await imap.select()
    assert await client.ok("FETCH 1 BINARY.SIZE[1]") == [b"* 1 FETCH (BINARY.SIZE[1] 10)"]
    assert await client.ok("FETCH 1 BINARY[4]") == [b"* 1 FETCH (BINARY[4] ~{8}\r\nas it is FLAGS (\\Seen \\Recent))"]


async def test_an_unknown_encoding_fails_the_command_and_other_messages_are_sent(imap: Imap) -> None:
    await imap.store.append_all(imap.mailbox_id, [UNKNOWN, message(), UNKNOWN])
    client = await imap.select()
    *rows, last = await client.ask("FETCH 1:* BINARY.SIZE[1]")
    assert rows == [b"* 2 FETCH (BINARY.SIZE[1] 10)"]
    assert last == b"NO [UNKNOWN-CTE] a part of a message has an encoding that is not known here"
    *rows, last = await client.ask("FETCH 1 (UID BINARY.PEEK[1] BODY.PEEK[])")
    assert rows == [] and last.startswith(b"NO [UNKNOWN-CTE]")


@pytest.mark.parametrize(
    "item", ["BINARY", "BINARY[1.MIME]", "BINARY[TEXT]", "BINARY.SIZE[1]<0.1>", "BINARY.SIZE", "BINARY.PEEK"]
)
async def test_what_is_no_binary_item(imap: Imap, item: str) -> None:
    await imap.store.append(imap.mailbox_id, message())
    client = await imap.select()
    assert (await client.last(f"FETCH 1 {item}")).startswith("BAD")


async def test_a_part_is_named_four_times_at_most(imap: Imap) -> None:
    await imap.store.append(imap.mailbox_id, message())
    client = await imap.select()
    items = [f"BINARY.PEEK[2]<{at}.1>" for at in range(5)]
    await client.ok(f"FETCH 1 ({' '.join(items[:4])} BINARY.SIZE[1])")
    assert (await client.last(f"FETCH 1 ({' '.join(items)})")).startswith("NO [LIMIT] a FETCH names a part at most 4")


@pytest.mark.parametrize("octets", [b"a\0b", b"a\nb", b"a\rb"])
async def test_a_literal8_that_would_change_is_refused(imap: Imap, octets: bytes) -> None:
    client = await imap.select()
    literal = b"~{%d+}\r\n%b" % (len(octets), octets)
    assert (await client.last(b"APPEND INBOX " + literal)).startswith("NO [UNKNOWN-CTE]")
    await client.ok(b"APPEND INBOX ~{4+}\r\na\r\nb")
    assert len(await client.ok("FETCH 1:* BODY[]")) == 1
