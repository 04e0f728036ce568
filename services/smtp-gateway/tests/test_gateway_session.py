"""What a session counts and gives back, with the end of the connection at the worst moment."""

import asyncio
import tracemalloc
from typing import Any
from uuid import uuid4

import pytest

from auth_client.wire import RecipientAnswer, RecipientQuestion, SenderAnswer, Target
from mailkit.batch import Batcher
from mailkit.listener import Peer
from smtp_gateway.checks.recipient import RecipientCheck
from smtp_gateway.config import GatewaySettings
from smtp_gateway.context import Context, Held
from smtp_gateway.receiving import Receiving
from smtp_gateway.session import SmtpSession

MAILBOX = Target("u@here.test", uuid4(), 1 << 30, 1)


class Wire(asyncio.Transport):
    """A transport that keeps what was said."""

    def __init__(self) -> None:
        super().__init__()
        self.said = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.said += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        return

    def resume_reading(self) -> None:
        return


class Senders:
    async def answer(self, address: str, client: str | None, login: object) -> SenderAnswer:
        return SenderAnswer(False, False, None)

    async def refusal(self, written: str, answer: SenderAnswer) -> None:
        return None


def recipients(room: str = "room") -> RecipientCheck:
    async def resolve(items: Any) -> list[RecipientAnswer]:
        return [RecipientAnswer("accepted", [MAILBOX]) for _ in items]

    async def rooms(items: Any) -> list[str]:
        return [room for _ in items]

    return RecipientCheck(Batcher(resolve), Batcher(rooms))


async def session_in_data() -> tuple[SmtpSession, Wire, Context]:
    """A session that has answered 354."""
    context = Context(
        GatewaySettings(helo_name="here.test"), Senders(), recipients(), None, None, Held(1 << 20), None,  # type: ignore[arg-type]
    )  # fmt: skip
    session, wire = SmtpSession(Peer("192.0.2.1", 1, "smtp", False), context), Wire()
    session.connection_made(wire)
    session.data_received(b"EHLO client.test\r\nMAIL FROM:<>\r\nRCPT TO:<u@here.test>\r\nDATA\r\n")
    async with asyncio.timeout(5):
        while b"354" not in wire.said:
            await asyncio.sleep(0)
    return session, wire, context


async def test_a_client_that_is_gone_with_its_final_dot_leaves_nothing_held() -> None:
    session, _, context = await session_in_data()
    session.data_received(b"Subject: x\r\n\r\n" + b"y" * 1000 + b"\r\n.\r\n")
    assert context.held.bytes > 1000
    session.connection_lost(None)  # before the session's task had a turn
    for _ in range(10):
        await asyncio.sleep(0)
    assert context.held.bytes == 0


async def test_a_client_that_is_gone_in_the_middle_leaves_nothing_held() -> None:
    session, _, context = await session_in_data()
    session.data_received(b"Subject: x\r\n\r\n" + b"y" * 1000)
    session.connection_lost(None)
    for _ in range(10):
        await asyncio.sleep(0)
    assert context.held.bytes == 0


@pytest.mark.parametrize("size", [1, 2, 1460])
async def test_a_message_costs_the_memory_that_is_counted_however_it_arrives(size: int) -> None:
    held = Held(1 << 24)
    receiving = Receiving(1 << 24, held)
    text = b"x" * 128 * 1024
    tracemalloc.start()
    for at in range(0, len(text), size):
        receiving.feed(bytes(bytearray(text[at : at + size])))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held.bytes == len(text)
    assert used < 1.25 * len(text)
    receiving.drop()


async def test_a_full_mailbox_refuses_mail_but_is_still_where_a_bounce_goes() -> None:
    check = recipients("full")
    question = RecipientQuestion(MAILBOX.address, "", None, None)
    refusal, _ = await check.check(question, 0)
    assert refusal is not None
    assert str(refusal).startswith("452 4.2.2")
    assert await check.targets(question) == [MAILBOX]
