"""Clients that misbehave are answered slower and slower and then disconnected; other clients are not affected."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from auth_api.wire import RecipientAnswer
from mailkit.net.listener import Peer
from smtp_gateway import metrics
from smtp_gateway.policy.conduct import ClientLimits
from smtp_gateway.smtp.context import SmtpContext
from smtp_gateway.smtp.sessions import Sessions
from tests.support.gateway import Dialogue, Services, context

GREETED = b"EHLO client.test\r\n"


class ManualTime:
    """Time that passes only where the gateway waits, or a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self.full = False

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    def context(self, services: Services | None = None, **settings: Any) -> SmtpContext:
        shared = context(services, **settings)
        limits = ClientLimits(shared.settings, lambda: self.full, self.clock)
        return replace(shared, limits=limits, sessions=Sessions(lambda: self.full), sleep=self.sleep)


def at(address: str) -> Peer:
    return Peer(address, 1, "smtp", False)


async def until_421(talk: Dialogue, command: bytes, most: int = 400) -> int:
    """How many of `command` are answered until the connection ends."""
    for count in range(1, most + 1):
        answer = await talk.say(command)
        if talk.wire.closed:
            assert b"421 4.7.0 Too many errors\r\n" in answer
            return count
    return most + 1


@pytest.mark.parametrize(
    "command", [b"XYZZY\r\n", b"MAIL FROM\r\n", b"VRFY \xff\r\n", b"DATA\r\n", b"AUTH NONE\r\n", b"x" * 5000 + b"\r\n"]
)
async def test_errors_are_answered_slower_and_slower_and_then_end_the_connection(command: bytes) -> None:
    world = ManualTime()
    talk = Dialogue(world.context())
    await talk.say(GREETED, replies=2)
    assert await until_421(talk, command) == 20
    assert world.slept == [float(n) for n in range(1, 11)]


@pytest.mark.parametrize("verdict", ["no_mailbox", "not_relayed"])
async def test_unknown_recipients_and_refused_relays_are_errors(verdict: Any) -> None:
    world, services = ManualTime(), Services()
    services.answers = {"no@far.test": RecipientAnswer(verdict, [])}
    talk = Dialogue(world.context(services))
    await talk.say(GREETED + b"MAIL FROM:<>\r\n", replies=3)
    assert await until_421(talk, b"RCPT TO:<no@far.test>\r\n") == 20
    assert len(world.slept) == 10


@pytest.mark.parametrize("command", [b"NOOP\r\n", b"RSET\r\n", b"VRFY a\r\n", b"HELP\r\n", b"HELO a\r\n"])
async def test_useless_commands_are_errors_from_the_hundredth_on(command: bytes) -> None:
    world = ManualTime()
    talk = Dialogue(world.context())
    await talk.say(replies=1)
    assert await until_421(talk, command) == 120
    assert len(world.slept) == 10


async def test_a_message_taken_makes_good_for_the_errors_before_it() -> None:
    world, services = ManualTime(), Services()
    talk = Dialogue(world.context(services))
    await talk.say(GREETED, replies=2)
    for _ in range(5):
        for _ in range(9):
            await talk.say(b"XYZZY\r\n")
        await talk.say(b"MAIL FROM:<>\r\nRCPT TO:<u@here.test>\r\nDATA\r\n", replies=3)
        assert (await talk.say(b"Subject: x\r\n\r\n.\r\n")).startswith(b"250 ")
    assert not talk.wire.closed
    assert world.slept == []


async def test_a_networks_errors_slow_its_errors_and_refuse_nothing() -> None:
    world = ManualTime()
    shared = world.context()
    for n in range(8):
        talk = Dialogue(shared, at(f"192.0.2.{n}"))
        await until_421(talk, b"XYZZY\r\n")
        world.now -= sum(world.slept)
        world.slept.clear()
    upstream = Dialogue(shared, at("192.0.2.99"))
    await upstream.say(GREETED + b"MAIL FROM:<>\r\nRCPT TO:<u@here.test>\r\nDATA\r\n", replies=5)
    assert (await upstream.say(b"Subject: x\r\n\r\n.\r\n")).startswith(b"250 ")
    assert world.slept == [], "commands that are in order are answered at once"
    await upstream.say(b"XYZZY\r\n")
    assert world.slept[0] >= 1
    world.slept.clear()
    await Dialogue(shared, at("192.0.3.99")).say(b"XYZZY\r\n", replies=2)
    assert world.slept == []
    world.now += 3600
    await upstream.say(b"XYZZY\r\n")
    assert world.slept == []


async def test_no_reply_waits_longer_than_ten_seconds() -> None:
    world = ManualTime()
    shared = world.context(smtp_hard_errors=200)
    await until_421(Dialogue(shared), b"XYZZY\r\n")
    assert max(world.slept) == 10


async def test_clients_that_limits_leave_alone_may_do_all_that() -> None:
    world = ManualTime()
    shared = world.context(limit_exempt_networks=("192.0.2.0/24",), messages_per_minute=1)
    talk = Dialogue(shared)
    assert await until_421(talk, b"XYZZY\r\n", 150) > 150
    for _ in range(5):
        answer = await talk.say(b"EHLO a\r\nMAIL FROM:<>\r\nRSET\r\n", replies=3)
        assert answer.endswith(b"250 2.1.0 sender OK\r\n250 2.0.0 OK\r\n")
    assert world.slept == []


async def test_messages_of_a_client_without_a_right_are_counted_by_the_minute() -> None:
    world, services = ManualTime(), Services()
    shared = world.context(services, messages_per_minute=6)
    talk, other = Dialogue(shared), Dialogue(shared, at("192.0.2.2"))
    for each in (talk, other):
        await each.say(GREETED, replies=2)
    answers = [await talk.say(b"MAIL FROM:<>\r\nRSET\r\n", replies=2) for _ in range(7)]
    assert [answer[:9] for answer in answers] == [b"250 2.1.0"] * 6 + [b"450 4.7.1"]
    assert (await other.say(b"MAIL FROM:<>\r\n")).startswith(b"250 ")
    world.now += 10
    assert (await talk.say(b"MAIL FROM:<>\r\nRSET\r\n", replies=2)).startswith(b"250 ")
    services.relay = True
    world.now += 0.5
    answers = [await talk.say(b"MAIL FROM:<a@b.test>\r\nRSET\r\n", replies=2) for _ in range(9)]
    assert {answer[:4] for answer in answers} == {b"250 "}, "an account's rate is its own"


async def test_while_most_connections_are_taken_silence_and_errors_end_a_connection() -> None:
    world = ManualTime()
    shared = world.context()
    silent, busy = Dialogue(shared), Dialogue(shared)
    for each in (silent, busy):
        await each.say(GREETED, replies=2)
    await shared.sessions.relieve(10)
    assert not silent.wire.closed
    world.full = True
    assert silent.session.waiting_since is not None
    silent.session.waiting_since -= 11
    await shared.sessions.relieve(10)
    assert silent.wire.said.endswith(b"421 4.4.2 Timeout, closing connection\r\n")
    assert silent.wire.closed
    assert not busy.wire.closed
    assert metrics.CROWDED._value.get() == 1
    assert await until_421(busy, b"XYZZY\r\n") == 1
    assert world.slept == []


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\nX: y\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"])
async def test_a_browser_and_a_tls_client_on_a_plain_port_are_dropped(first: bytes) -> None:
    talk = Dialogue(context())
    await talk.say(replies=1)
    assert await talk.say(first + b"MAIL FROM:<>\r\n") == b""
    assert talk.wire.closed
