"""AUTH is answered as late as auth says, while the client is there and the service runs (docs/decisions/0049)."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from auth_api.wire import Login, LoginAnswer
from mailkit.net.tarpit import Tarpit
from mailkit.testing.speed import until
from tests.support.gateway import ACCOUNT, Dialogue, Services, context
from tests.support.sleeps import Sleeps

AUTH = b"AUTH PLAIN AHUAcHc=\r\n"


class Slowing(Services):
    """Answers every login with `outcome`, to be delayed."""

    def __init__(self, outcome: str) -> None:
        super().__init__()
        self.outcome: Any = outcome

    async def logins(self, items: Sequence[Login]) -> list[LoginAnswer]:
        return [LoginAnswer(self.outcome, ACCOUNT, "u@here.test", 1, delay=3.5) for _ in items]


class DelayedLogins:
    def __init__(self, outcome: str, **bounds: Any) -> None:
        self.sleeps = Sleeps()
        tarpit = Tarpit(bounds.get("most", 9), bounds.get("per_network", 9), sleep=self.sleeps)
        self.shared = replace(context(Slowing(outcome)), tarpit=tarpit)

    async def delayed(self) -> Dialogue:
        """A session whose AUTH waits for its answer."""
        talk = Dialogue(self.shared)
        await talk.say(b"EHLO client.test\r\n", replies=2)
        waiting = len(self.sleeps.under_way)
        talk.session.data_received(AUTH)
        await until(lambda: len(self.sleeps.under_way) == waiting + 1)
        return talk


@pytest.mark.parametrize(("outcome", "reply"), [("refused", b"535 5.7.8 "), ("ok", b"235 2.7.0 ")])
async def test_the_answer_comes_after_the_delay(outcome: str, reply: bytes) -> None:
    world = DelayedLogins(outcome)
    talk = await world.delayed()
    assert world.sleeps.asked == [3.5]
    said = len(talk.wire.said)
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(talk.wire.said) == said and talk.session.login is None
    world.sleeps.end()
    assert (await talk.say()).startswith(reply)
    talk.leave()


async def test_the_wait_ends_with_the_client() -> None:
    world = DelayedLogins("ok")
    talk = await world.delayed()
    talk.leave()
    await until(lambda: not world.sleeps.under_way)
    assert talk.session.login is None


async def test_the_wait_ends_when_the_client_will_send_no_more() -> None:
    world = DelayedLogins("ok")
    talk = await world.delayed()
    talk.session.eof_received()
    await until(lambda: not world.sleeps.under_way)
    talk.leave()


async def test_a_stop_ends_the_wait() -> None:
    world = DelayedLogins("ok")
    talk = await world.delayed()
    world.shared.sessions.drain()
    assert talk.wire.closed and b"421 4.3.2 " in talk.wire.said
    talk.leave()  # what a transport that was closed does
    await until(lambda: not world.sleeps.under_way)


@pytest.mark.parametrize("outcome", ["ok", "refused"])
async def test_when_too_many_wait_the_answer_is_a_refusal_and_gives_nothing_away(outcome: str) -> None:
    world = DelayedLogins(outcome, per_network=1)
    first = await world.delayed()
    second = Dialogue(world.shared)
    await second.say(b"EHLO client.test\r\n", replies=2)
    assert await second.say(AUTH) == b"454 4.7.0 Too many failed logins, try again later\r\n"
    assert second.session.login is None
    for talk in (first, second):
        talk.leave()
