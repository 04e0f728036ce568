"""AUTH SCRAM-SHA-256 by SMTP: announced when it is on, in three steps, wrong, cancelled, and while auth is away."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from mailkit.testing.speed import patient
from tests.support.gateway import Services, context, serve
from tests.support.scram import Client as Scram

Say = Callable[..., Awaitable[str]]


def talk(client: Callable[[Say, Services], Awaitable[None]], **settings: Any) -> None:
    """Run `client` with a function that sends a line and returns the last line of the reply."""
    services = Services()

    async def play(connect: Any) -> None:
        reader, writer = await connect()

        async def say(line: str | None = None) -> str:
            if line is not None:
                writer.write(line.encode() + b"\r\n")
            while True:
                got = (await asyncio.wait_for(reader.readline(), patient(12))).decode().removesuffix("\r\n")
                if got[3:4] != "-":
                    return got

        await say()
        await client(say, services)
        writer.close()

    serve(play, lambda: context(services, **({"scram": "offer"} | settings)))


async def up_to_the_proof(say: Say, scram: Scram, *, initial: bool = True) -> str:
    if initial:
        answer = await say(f"AUTH SCRAM-SHA-256 {scram.first()}")
    else:
        assert await say("auth scram-sha-256") == "334 "
        answer = await say(scram.first())
    return await say(scram.final(answer.removeprefix("334 ")))


def test_a_login_with_and_without_an_initial_response() -> None:
    for initial in (True, False):

        async def client(say: Say, _services: Services, initial: bool = initial) -> None:
            assert (await say("EHLO x")).endswith("AUTH SCRAM-SHA-256 PLAIN LOGIN")
            scram = Scram("u%here.test", "secret")
            answer = await up_to_the_proof(say, scram, initial=initial)
            scram.check(answer.removeprefix("334 "))
            assert await say("") == "235 2.7.0 Authentication successful"
            assert await say("AUTH SCRAM-SHA-256") == "503 5.5.1 Already authenticated"

        talk(client)


def test_wrong_cancelled_malformed_and_away() -> None:
    async def client(say: Say, services: Services) -> None:
        await say("EHLO x")
        for user, password in (("u@here.test", "wrong"), ("nobody@here.test", "secret")):
            assert (await up_to_the_proof(say, Scram(user, password))).startswith("535 5.7.8")
        scram = Scram("u@here.test", "secret")
        assert (await up_to_the_proof(say, scram)).startswith("334 ")
        assert await say("*") == "501 5.0.0 Authentication cancelled"
        assert await say("AUTH SCRAM-SHA-256 AAAA") == "501 5.5.2 That is not a valid authentication response"
        scram = Scram("u@here.test", "secret")
        services.auth.away = True
        assert (await say(f"AUTH SCRAM-SHA-256 {scram.first()}")).startswith("454 4.7.0")
        services.auth.away = False
        scram = Scram("u@here.test", "secret")
        answer = await say(f"AUTH SCRAM-SHA-256 {scram.first()}")
        services.auth.away = True
        assert (await say(scram.final(answer.removeprefix("334 ")))).startswith("454 4.7.0")
        assert (await say("MAIL FROM:<a@far.test>")).startswith("250"), "the session is as it was, not logged in"

    talk(client)


def test_it_is_unknown_where_it_is_off() -> None:
    async def client(say: Say, _services: Services) -> None:
        assert (await say("EHLO x")).endswith("AUTH PLAIN LOGIN")
        assert (await say("AUTH SCRAM-SHA-256")).startswith("504 5.5.4")

    talk(client, scram="learn")
