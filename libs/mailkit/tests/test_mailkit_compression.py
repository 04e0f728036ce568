"""DEFLATE on a connection: bounded pieces, malformed input, and a reader that gets everything in the end."""

import os
import zlib

import pytest

from mailkit.net.compression import Compression
from mailkit.net.reading import HIGH_WATER, LineTooLong
from mailkit.net.stream import Stream


def packed(*pieces: bytes) -> bytes:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return b"".join(deflate.compress(piece) + deflate.flush(zlib.Z_SYNC_FLUSH) for piece in pieces)


@pytest.mark.parametrize("text", [b"a" * 1_000_000, os.urandom(100_000), b"", b"a" * 1000])
def test_pieces_are_at_most_as_long_as_asked_for(text):
    one = Compression()
    one.feed(packed(text, b"end"))
    found = b""
    while one.pending:
        piece = one.unpack(1000)
        assert len(piece) <= 1000
        found += piece
    assert found == text + b"end"


def test_what_is_packed_is_whole_at_once():
    one, inflate = Compression(), zlib.decompressobj(-12)
    for text in (b"* OK\r\n", b"x" * 200_000, os.urandom(5000), memoryview(b"a1 OK\r\n")):
        assert inflate.decompress(one.pack(text)) == bytes(text)


def test_malformed_and_ended():
    one = Compression()
    one.feed(b"\xff\xff")
    with pytest.raises(ValueError, match="not DEFLATE"):
        one.unpack(10)
    two, deflate = Compression(), zlib.compressobj(9, zlib.DEFLATED, -15)
    two.feed(deflate.compress(b"last") + deflate.flush(zlib.Z_FINISH))
    assert two.unpack(10) == b"last"
    two.feed(b"plain")
    assert two.rest() == b"plain"
    with pytest.raises(ValueError, match="ended"):
        two.unpack(10)


class Transport:
    """Counts; nothing is sent."""

    def __init__(self):
        self.paused = self.aborted = False

    def get_extra_info(self, name):
        return None

    def is_closing(self):
        return False

    def pause_reading(self):
        self.paused = True

    def resume_reading(self):
        self.paused = False

    def abort(self):
        self.aborted = True

    def write(self, data):
        return

    def close(self):
        return


async def begun() -> tuple[Stream, Transport]:
    async def talk(stream: Stream) -> None:
        return

    stream, transport = Stream(talk), Transport()
    stream.connection_made(transport)
    stream.compress()
    return stream, transport


async def test_a_bomb_stays_packed():
    stream, transport = await begun()
    stream.data_received(packed(b"a" * 50_000_000))
    assert transport.paused and len(stream._buffer) <= HIGH_WATER + 1
    with pytest.raises(LineTooLong):
        await stream.readline(8192)
    assert len(stream._buffer) <= HIGH_WATER + 1


async def test_a_literal_and_the_lines_around_it_in_any_pieces():
    raw = packed(b"a" * 3_000_000 + b"\r\nnext\r\n", b"b" * 10 + b"last\r\n")
    for size in (1000, len(raw)):
        stream, _ = await begun()
        for at in range(0, len(raw), size):
            stream.data_received(raw[at : at + size])
        assert await stream.read_exactly(3_000_000) == b"a" * 3_000_000
        assert [await stream.readline(100) for _ in range(2)] == [b"", b"next"]
        await stream.discard(10)
        assert await stream.readline(100) == b"last"


async def test_the_rest_is_read_after_the_end_of_the_input():
    stream, _ = await begun()
    stream.data_received(packed(b"a" * 200_000))
    stream.eof_received()
    assert await stream.read_exactly(200_000) == b"a" * 200_000
    with pytest.raises(EOFError):
        await stream.readline(10)
