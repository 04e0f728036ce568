"""Logins: the delay of the answer (docs/decisions/0049), the interval between two (P4), a maildrop in use."""

import asyncio
from uuid import UUID

import pytest

from mailkit.net.tarpit import Tarpit
from mailkit.testing.speed import until
from tests.support.sleeps import Sleeps

from .world import Client, Pop3Service, dialogue


async def delayed(world: Pop3Service, client: Client, password: str) -> Sleeps:
    """A login whose answer waits."""
    sleeps = Sleeps()
    world.context.logins._tarpit = Tarpit(1, 1, sleep=sleeps)
    world.auth.delay = 3.5
    await client.say("USER user%site.example", "+OK")
    await client.say(f"PASS {password}")
    await until(lambda: sleeps.under_way == [3.5])
    return sleeps


@pytest.mark.parametrize(("password", "answer"), [("wrong", "-ERR [AUTH]"), (" pass word ", "+OK 2 messages")])
def test_the_answer_comes_after_the_delay(password: str, answer: str) -> None:
    async def talk(world: Pop3Service, client: Client) -> None:
        sleeps = await delayed(world, client, password)
        assert world.store.holder is None, "the maildrop is taken when the wait is over"
        sleeps.end()
        await client.hear(answer)
        await client.say("QUIT", "+OK")

    dialogue(talk)


@pytest.mark.parametrize("how", ["half-closes", "is gone"])
def test_the_wait_ends_with_the_client_and_was_no_check(how: str) -> None:
    async def talk(world: Pop3Service, client: Client) -> None:
        sleeps = await delayed(world, client, " pass word ")
        if how == "half-closes":
            client.writer.write_eof()
        else:
            client.writer.transport.abort()
        await until(lambda: not sleeps.under_way)
        await until(lambda: world.mailbox.last_pop3_login is None)  # P4 counts checks

    dialogue(talk)


def test_a_stop_ends_the_wait() -> None:
    async def talk(world: Pop3Service, client: Client) -> None:
        sleeps = await delayed(world, client, " pass word ")
        world.sessions[0].end("server is going down")
        await client.hear("-ERR [SYS/TEMP] server is going down", "")
        assert not sleeps.under_way

    assert dialogue(talk).mailbox.last_pop3_login is None


@pytest.mark.parametrize("password", ["wrong", " pass word "])
def test_when_too_many_wait_the_answer_is_a_refusal_and_gives_nothing_away(password: str) -> None:
    async def talk(world: Pop3Service, client: Client) -> None:
        world.context.logins._tarpit = Tarpit(0, 0)
        world.auth.delay = 3.5
        await client.say("USER user%site.example", "+OK")
        await client.say(f"PASS {password}", "-ERR [SYS/TEMP] too many failed logins")

    assert dialogue(talk).mailbox.last_pop3_login is None


def test_login_delay_disconnects_and_gives_no_grant() -> None:
    async def talk(world: Pop3Service, client: Client) -> None:
        await client.log_in()
        await client.say("QUIT", "+OK", "")
        world.auth.grants.clear()
        reader, writer = await asyncio.open_connection(*world_port(client))
        again = Client(reader, writer)
        await again.hear("+OK")
        await again.say("USER user%site.example", "+OK")
        await again.say("PASS  pass word ", "-ERR [LOGIN-DELAY] minimum time between mail checks is 60 seconds", "")
        assert not world.auth.grants

    dialogue(talk)


def world_port(client: Client) -> tuple[str, int]:
    host, port = client.writer.get_extra_info("peername")
    return str(host), int(port)


def test_in_use() -> None:
    async def talk(world: Pop3Service, client: Client) -> None:
        world.store.holder = UUID(int=9)
        await client.say("USER user%site.example", "+OK")
        await client.say("PASS  pass word ", "-ERR [IN-USE]")
        await client.say("STAT", "-ERR not allowed")

    assert dialogue(talk).store.holder == UUID(int=9), "another session's lock is left alone"
