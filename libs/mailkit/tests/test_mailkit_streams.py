"""Answers in pieces: short ones are one body, an error after the beginning breaks the answer off, and so does a caller that goes."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import aiohttp
import pytest
from pydantic import SecretStr

from mailkit.errors import NotFound, Unanswered
from mailkit.process.lifecycle import Lifecycle
from mailkit.rpc import disconnect, streams
from mailkit.rpc.app import create_app
from mailkit.rpc.authority import Tokens
from mailkit.rpc.client import ServiceClient, encode
from mailkit.rpc.http_server import HttpSide
from mailkit.rpc.streams import add_stream
from mailkit.rpc.wire import Wire
from mailkit.testing.speed import patient


class Question(Wire):
    sizes: list[int]
    """Octets of each piece; -1: an error."""


class Source:
    """The pieces of a question; `left` is set when their generator has ended."""

    def __init__(self) -> None:
        self.left, self.yielded = asyncio.Event(), 0

    async def pieces(self, question: Question) -> AsyncGenerator[bytes, None]:
        try:
            for size in question.sizes:
                if size < 0:
                    raise NotFound("no such thing")
                self.yielded += 1
                yield b"x" * size
        finally:
            self.left.set()


@asynccontextmanager
async def served(source: Source) -> AsyncIterator[ServiceClient]:
    app = create_app("test", Lifecycle(), tokens=Tokens({"tester": SecretStr("secret")}))
    add_stream(app, "/v1/pieces", Question, source.pieces, "tester", media_type="application/octet-stream")
    side = HttpSide(app, "127.0.0.1", 0)
    await side.start()
    client = ServiceClient(f"http://127.0.0.1:{side.port}", "secret", timeout=patient(30))
    try:
        async with asyncio.timeout(patient(30)):
            yield client
    finally:
        await client.aclose()
        await side.stop()


async def read(client: ServiceClient, *sizes: int) -> int:
    data = encode(Question(list(sizes)))
    return sum([len(piece) async for piece in client.pieces("POST", "/v1/pieces", data, sock_read=patient(10))])


@pytest.mark.parametrize(
    "sizes", [(), (1,), (streams.SHORT,), (1, 2), (streams.SHORT + 1,), (streams.SHORT + 1, 0, 5), (3, 300_000, 1)]
)
async def test_all_pieces_arrive(sizes: tuple[int, ...]) -> None:
    source = Source()
    async with served(source) as client:
        assert await read(client, *sizes) == sum(sizes)
        await source.left.wait()


async def test_a_short_answer_has_its_length() -> None:
    async with served(Source()) as client, aiohttp.ClientSession() as session:
        for sizes, length in (([7], 7), ([], 0), ([7, 7], None), ([streams.SHORT + 1], None)):
            headers = {"authorization": "Bearer secret"}
            url = f"{client.url}/v1/pieces"
            async with session.post(url, data=encode(Question(sizes)), headers=headers) as reply:
                assert reply.content_length == length and len(await reply.read()) == sum(sizes)


@pytest.mark.parametrize("sizes", [(-1,), (streams.SHORT, -1)])
async def test_an_error_before_the_answer_is_a_refusal(sizes: tuple[int, ...]) -> None:
    async with served(Source()) as client:
        with pytest.raises(NotFound, match="no such thing"):
            await read(client, *sizes)
        assert await read(client, 1) == 1


@pytest.mark.parametrize("sizes", [(streams.SHORT + 1, -1), (1, 1, -1)])
async def test_an_error_within_the_answer_breaks_it_off(sizes: tuple[int, ...]) -> None:
    source = Source()
    async with served(source) as client:
        with pytest.raises(Unanswered):
            await read(client, *sizes)
        await source.left.wait()
        assert await read(client, 1) == 1


async def test_no_pieces_are_made_for_a_caller_that_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disconnect, "LOOK_AFTER", 0)
    source = Source()
    async with served(source) as client:
        data = encode(Question([1 << 20] * 1000))
        async with aclosing(client.pieces("POST", "/v1/pieces", data, sock_read=patient(10))) as pieces:
            await anext(pieces)
        await source.left.wait()
        assert source.yielded < 1000
