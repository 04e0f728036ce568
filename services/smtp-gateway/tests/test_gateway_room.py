"""Room for bodies in memory: refused before their octets are sent, and as much memory as is counted (decision 136)."""

import asyncio
import tracemalloc
from dataclasses import replace

import pytest

from mailkit.testing.speed import until
from queue_worker_api.wire import Submission, SubmissionAnswer
from smtp_gateway.smtp import receiving
from smtp_gateway.smtp.context import SmtpContext
from tests.support.gateway import PEER, Dialogue, Services, context

MOST = 1 << 20
NO_ROOM = b"452 4.3.1 Insufficient system storage\r\n"
OTHER = replace(PEER, address="198.51.100.7")


async def announced(shared: SmtpContext, size: int, peer: object = PEER) -> tuple[Dialogue, bytes]:
    """A session that has announced `size` octets, and the reply to DATA."""
    talk = Dialogue(shared, peer)  # type: ignore[arg-type]
    await talk.say(b"EHLO c.test\r\nMAIL FROM:<> SIZE=%d\r\nRCPT TO:<u@here.test>\r\n" % size, replies=4)
    return talk, await talk.say(b"DATA\r\n")


async def test_a_message_for_which_there_is_no_room_is_refused_at_mail() -> None:
    shared = context(gateway_body_bytes=MOST)
    taken = shared.bodies.take(MOST - 100_000)
    assert taken
    talk = Dialogue(shared)
    await talk.say(b"EHLO c.test\r\n", replies=2)
    assert await talk.say(b"MAIL FROM:<> SIZE=100001\r\n") == NO_ROOM
    assert (await talk.say(b"MAIL FROM:<> SIZE=100000\r\n")).startswith(b"250 ")
    talk.leave()


async def test_what_is_announced_is_kept_before_its_octets_come() -> None:
    shared = context(gateway_body_bytes=MOST)
    first, reply = await announced(shared, 400_000)
    assert reply.startswith(b"354 ")
    second, reply = await announced(shared, 400_000, OTHER)
    assert reply.startswith(b"354 ")
    third = Dialogue(shared, replace(PEER, address="203.0.113.9"))
    assert (await third.say(b"EHLO c.test\r\nMAIL FROM:<> SIZE=400000\r\n", replies=3)).endswith(NO_ROOM)
    answer = await first.say(b"Subject: x\r\n\r\n" + b"y\r\n" * 130_000 + b".\r\n")
    assert answer.startswith(b"250 "), "kept octets always have room"
    assert (await third.say(b"MAIL FROM:<> SIZE=400000\r\n")).startswith(b"250 ")
    for each in (first, second, third):
        each.leave()
    await until(lambda: shared.bodies.promised == 0 and shared.bodies.bytes == 0)


async def test_a_client_has_half_of_the_room_kept_at_most() -> None:
    shared = context(gateway_body_bytes=MOST)
    talks = [await announced(shared, 250_000) for _ in range(3)]
    assert [reply[:4] for _, reply in talks] == [b"354 ", b"354 ", b"452 "]
    other, reply = await announced(shared, 250_000, OTHER)
    assert reply.startswith(b"354 ")
    for each in (*(talk for talk, _ in talks), other):
        each.leave()


async def test_room_is_not_kept_for_long_for_a_client_that_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "PROMISE_SECONDS", 0.05)
    shared = context(gateway_body_bytes=MOST)
    talk, reply = await announced(shared, 500_000)
    assert reply.startswith(b"354 ")
    talk.session.data_received(b"x" * 1000)
    await until(lambda: shared.bodies.promised == 0)
    assert shared.bodies.bytes == 1000
    answer = await talk.say(b"\r\n\r\n" + b"y\r\n" * 100_000 + b".\r\n")
    assert answer.startswith(b"250 "), "a slow client goes on while there is room"


async def test_room_is_kept_for_a_client_that_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "PROMISE_OCTETS", 1000)
    shared = context(gateway_body_bytes=MOST)
    room = shared.bodies.promise("", 10_000)
    assert room is not None
    message = receiving.Receiving(10_000, room)
    message.feed(b"x" * 1500)
    message._keep(1000)
    assert shared.bodies.promised == 8500
    message._keep(2500)
    assert shared.bodies.promised == 0
    message.drop()


class Slow(Services):
    """A queue that answers large messages when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.held = 0
        self.answer = asyncio.Event()

    async def submit_large(self, item: Submission, *body: bytes, timeout: float) -> SubmissionAnswer:
        self.held += 1
        await self.answer.wait()
        return SubmissionAnswer("queued", item.submission_id)


async def test_messages_that_are_handed_over_take_the_memory_that_is_counted() -> None:
    services = Slow()
    shared = context(services, gateway_body_bytes=1 << 25)
    text = b"Subject: x\r\n\r\n" + b"y" * 70 + b"\r\n"
    text += (b"z" * 70 + b"\r\n") * ((1 << 20) // 72)
    talks = [(await announced(shared, len(text)))[0] for _ in range(10)]
    tracemalloc.start()
    for talk in talks:
        for at in range(0, len(text), 65536):  # as they come from the network
            talk.session.data_received(bytes(bytearray(text[at : at + 65536])))
        talk.session.data_received(b".\r\n")
    await until(lambda: services.held == len(talks))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert shared.bodies.bytes >= 10 * len(text)
    assert used < 1.2 * shared.bodies.bytes
    services.answer.set()
    for talk in talks:
        assert (await talk.say()).startswith(b"250 ")
    assert shared.bodies.bytes == 0
