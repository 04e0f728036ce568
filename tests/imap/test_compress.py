"""COMPRESS=DEFLATE (RFC 4978): commands, literals and long answers in both directions, and malformed input."""

import asyncio
import zlib

import pytest

from mailkit.testing.speed import patient
from pop_imap_frontend.imap.reader import LINE

from .conftest import Client, Imap


class Compressed(Client):
    """A client behind its response to COMPRESS. Each call of `send` is a packet of its own."""

    def __init__(self, client: Client, level: int = 6) -> None:
        super().__init__(asyncio.StreamReader(limit=1 << 24), client.writer)
        self._deflate = zlib.compressobj(level, zlib.DEFLATED, -15)
        self._inflate = zlib.decompressobj(-15)
        self._source = client.reader
        self.task = asyncio.create_task(self._read())
        self.packed = self.unpacked = 0

    async def _read(self) -> None:
        while data := await self._source.read(65536):
            found = self._inflate.decompress(data)
            self.packed += len(data)
            self.unpacked += len(found)
            self.reader.feed_data(found)
        self.reader.feed_eof()

    def send(self, data: bytes) -> None:
        self.writer.write(self._deflate.compress(data) + self._deflate.flush(zlib.Z_SYNC_FLUSH))


async def compressed(imap: Imap, level: int = 6) -> Compressed:
    client = await imap.log_in()
    assert await client.ask("compress deflate") == [b"OK compression is active"]
    return Compressed(client, level)


async def test_a_session(imap: Imap) -> None:
    for n in range(200):
        await imap.store.append(imap.mailbox_id, b"Subject: %d\r\n\r\nthe same text\r\n" % n)
    client = await compressed(imap)
    assert b"COMPRESS=DEFLATE" not in (await client.ok("CAPABILITY"))[0]
    await client.ok("SELECT INBOX")
    assert len(await client.ok("FETCH 1:* (UID FLAGS ENVELOPE BODYSTRUCTURE)")) == 200
    assert len(await client.ok("FETCH 1:* BODY.PEEK[]")) == 200
    assert client.packed < client.unpacked / 3
    assert await client.last("COMPRESS DEFLATE") == "BAD compression is already active"
    assert await client.last("LOGOUT") == "OK LOGOUT completed"
    assert await client.response() == b""


async def test_idle_and_two_sessions(imap: Imap) -> None:
    client = await compressed(imap)
    await client.ok("SELECT INBOX")
    client.send(b"i IDLE\r\n")
    assert await client.response() == b"+ idling\r\n"
    await imap.store.append(imap.mailbox_id, b"Subject: new\r\n\r\n")
    imap.sessions[0].changed.set()
    assert await client.response() == b"* 1 EXISTS\r\n"
    client.send(b"DONE\r\n")
    await client.until("i")


@pytest.mark.parametrize("level", [0, 9])
async def test_literals(imap: Imap, level: int) -> None:
    """900 KB that are 1 KB when compressed, and 900 KB as they are; the sizes' limits count what was compressed."""
    client = await compressed(imap, level)
    text = b"Subject: x\r\n\r\n" + b"a" * 900_000 + b"\r\n"
    client.send(b"a APPEND INBOX {%d}\r\n" % len(text))
    assert await client.response() == b"+ go ahead\r\n"
    client.send(text + b"\r\n")
    assert (await client.until("a"))[-1].startswith(b"a OK [APPENDUID")
    assert (await client.last(b"APPEND INBOX {%d+}\r\n" % (2 << 20) + b"a" * (2 << 20))).startswith("NO [TOOBIG]")
    await client.ok("SELECT INBOX")
    (row,) = await client.ok("FETCH 1 BODY.PEEK[]")
    assert text in row


async def test_a_bomb_is_not_unpacked_beyond_a_line(imap: Imap) -> None:
    """64 KB that would be 64 MB: the connection ends at the limit of a line, and no more than a buffer was unpacked."""
    client = await compressed(imap, 9)
    client.send(b"x" * (64 << 20))
    stream = imap.sessions[0].stream
    most = 0
    while await asyncio.wait_for(client.reader.read(1), patient(60)):
        most = max(most, len(stream._buffer))
    assert 0 < most <= 2 * (LINE + 2)
    assert stream.task is not None
    await asyncio.wait_for(stream.task, patient(12))


@pytest.mark.parametrize("octets", [b"t NOOP\r\n", b"\xff" * 100, zlib.compress(b"t NOOP\r\n")])
async def test_what_is_no_deflate_ends_the_connection(imap: Imap, octets: bytes) -> None:
    client = await compressed(imap)
    client.writer.write(octets)
    with pytest.raises(ConnectionError):
        if await asyncio.wait_for(client.reader.read(), patient(12)) == b"":
            raise ConnectionResetError
        await client.task


async def test_the_end_of_the_compressed_data_is_the_end(imap: Imap) -> None:
    client = await compressed(imap)
    client.writer.write(client._deflate.flush(zlib.Z_FINISH))
    stream = imap.sessions[0].stream
    assert stream.task is not None
    await asyncio.wait_for(stream.task, patient(12))


async def test_a_command_sent_ahead_of_the_response_is_refused(imap: Imap) -> None:
    client = await imap.log_in()
    client.send(b"a COMPRESS DEFLATE\r\nb NOOP\r\n")
    assert await client.until("a") == [b"a BAD nothing may follow COMPRESS before its response"]
    assert await client.until("b") == [b"b OK NOOP completed"]


async def test_it_is_for_those_who_have_logged_in(imap: Imap) -> None:
    client = await imap.connect()
    assert await client.last("COMPRESS DEFLATE") == "BAD not allowed now: log in first"


async def test_unauthenticate_ends_it(imap: Imap) -> None:
    plain = await imap.log_in()
    await plain.ok("COMPRESS DEFLATE")
    client = Compressed(plain)
    assert await client.last("UNAUTHENTICATE") == "OK UNAUTHENTICATE completed"
    client.task.cancel()
    await asyncio.wait({client.task})
    assert await plain.ok("LOGIN user@site.example secret") == []
    assert b"COMPRESS=DEFLATE" in (await plain.ok("CAPABILITY"))[0]
    await plain.ok("COMPRESS DEFLATE")
    assert await Compressed(plain).ok("SELECT INBOX")
