"""Work whose caller has gone is dropped, and a caller that waits gets its answer however long it takes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pydantic import SecretStr

from mailkit.process.lifecycle import Lifecycle
from mailkit.rpc import disconnect as callers
from mailkit.rpc.app import add_endpoint, create_app
from mailkit.rpc.authority import Tokens
from mailkit.rpc.client import ServiceClient
from mailkit.rpc.http_server import HttpSide
from mailkit.rpc.wire import Wire
from mailkit.testing.speed import patient


class Question(Wire):
    n: int


class Work:
    """A handler that a test watches; it goes on when `done` is set."""

    def __init__(self) -> None:
        self.begun, self.done, self.dropped = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def answer(self, question: Question) -> Question:
        self.begun.set()
        try:
            await self.done.wait()
        except asyncio.CancelledError:
            self.dropped.set()
            raise
        return Question(question.n + 1)


@asynccontextmanager
async def served(work: Work) -> AsyncIterator[ServiceClient]:
    life = Lifecycle()
    app = create_app("test", life, tokens=Tokens({"tester": SecretStr("secret")}))
    add_endpoint(app, "/v1/work", Question, work.answer, "tester")
    side = HttpSide(app, "127.0.0.1", 0)
    await side.start()
    client = ServiceClient(f"http://127.0.0.1:{side.port}", "secret", timeout=patient(30))
    try:
        yield client
    finally:
        await client.aclose()
        await side.stop()


async def test_work_is_dropped_when_its_caller_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "LOOK_AFTER", 0.05)
    work, dropped = Work(), callers.DROPPED._value.get()
    async with served(work) as client, asyncio.timeout(patient(20)):
        asked = asyncio.create_task(client.call("/v1/work", Question(1), Question))
        await work.begun.wait()
        asked.cancel()
        await work.dropped.wait()
        assert callers.DROPPED._value.get() == dropped + 1
        work.done.set()
        assert await client.call("/v1/work", Question(2), Question) == Question(3)


async def test_a_caller_that_waits_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "LOOK_AFTER", 0)
    work = Work()
    async with served(work) as client, asyncio.timeout(patient(20)):
        for n in range(3):
            work.begun.clear()
            work.done.clear()
            asked = asyncio.create_task(client.call("/v1/work", Question(n), Question))
            await work.begun.wait()
            for _ in range(5):
                await asyncio.sleep(0)
            work.done.set()
            assert await asked == Question(n + 1)
        assert not work.dropped.is_set()
