"""What a service reads of another one's answers is bounded: answers, refusals, frames."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from mailkit.errors import InternalError, NotFound, Unanswered
from mailkit.rpc import client as http
from mailkit.rpc.client import ServiceClient, encoder
from mailkit.testing.speed import patient


class Peer:
    """A service of another release, or a broken one: it answers every request with `answer`, piece by piece."""

    def __init__(self, head: str, piece: bytes = b"", pieces: int = 0) -> None:
        self.head, self.piece, self.pieces = head, piece, pieces
        self.connections = 0
        self.cut = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(f"HTTP/1.1 {self.head}\r\n\r\n".encode())
                for _ in range(self.pieces):
                    writer.write(self.piece)
                    await writer.drain()
        except (OSError, EOFError):
            self.cut.set()
        finally:
            writer.close()


@asynccontextmanager
async def client_of(peer: Peer) -> AsyncIterator[ServiceClient]:
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    client = ServiceClient(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "t", timeout=patient(20))
    try:
        async with asyncio.timeout(patient(20)):
            yield client
    finally:
        await client.aclose()
        server.close()


CHUNK = b"10000\r\n" + bytes(65536) + b"\r\n"


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        ("200 OK\r\ntransfer-encoding: chunked", CHUNK),
        ("200 OK\r\ncontent-length: 99999999999", bytes(65536)),
        ("200 OK\r\nconnection: close", bytes(65536)),
        ("404 Not Found\r\ntransfer-encoding: chunked", CHUNK),
    ],
    ids=["chunked", "length", "until the end", "refusal"],
)
async def test_an_answer_without_end_is_an_error_and_closes_the_connection(head: str, piece: bytes) -> None:
    peer = Peer(head, piece, 1_000_000)
    async with client_of(peer) as client:
        with pytest.raises(InternalError, match="more than"):
            await client.send("GET", "/", None, {}, most=1_000_000)
        await peer.cut.wait()


async def test_a_call_has_its_own_bound() -> None:
    body = encoder.encode("x" * 200)
    peer = Peer(f"200 OK\r\ncontent-length: {len(body)}", body, 1)
    async with client_of(peer) as client:
        assert await client.call("/", 1, str, most=len(body)) == "x" * 200
        with pytest.raises(InternalError):
            await client.call("/", 1, str, most=len(body) - 1)


@pytest.mark.parametrize(("length", "error"), [(2_000_001, InternalError), (2_000_000, Unanswered)])
async def test_a_frame_says_its_length_before_it_is_read(length: int, error: type[Exception]) -> None:
    frame = (3).to_bytes(4, "big") + b"abc" + length.to_bytes(4, "big")
    body = b"%x\r\n%b\r\n" % (len(frame), frame)
    if error is Unanswered:
        body += b"0\r\n\r\n"
    peer = Peer("200 OK\r\ntransfer-encoding: chunked", body, 1)
    async with client_of(peer) as client:
        frames = client.frames("GET", "/", None, sock_read=patient(20), most=2_000_000)
        assert await anext(frames) == b"abc"
        with pytest.raises(error):
            await anext(frames)


async def test_a_stream_may_be_longer_than_any_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LARGEST_ANSWER", 1000)
    frame = (1000).to_bytes(4, "big") + bytes(1000)
    peer = Peer(f"200 OK\r\ncontent-length: {1004 * 500}", frame, 500)
    async with client_of(peer) as client:
        got = [len(each) async for each in client.frames("GET", "/", None, sock_read=patient(20))]
    assert got == [1000] * 500


async def test_a_refusal_of_ordinary_size_says_why() -> None:
    body = b'{"detail": "no such thing"}'
    peer = Peer(f"404 Not Found\r\ncontent-length: {len(body)}", body, 1)
    async with client_of(peer) as client:
        with pytest.raises(NotFound, match="no such thing"):
            await client.send("GET", "/", None, {})
