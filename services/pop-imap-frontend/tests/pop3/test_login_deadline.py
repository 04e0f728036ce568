"""A login is answered in time whichever service hangs, and a direct client's login names nobody."""

import asyncio
from typing import Any

import pytest

from auth_api.fake import FakeAuth
from auth_api.logins import LoginClient
from auth_api.wire import Login
from mailkit.errors import Unavailable
from mailkit.mail.sasl import Password
from mailkit.net.listener import Peer
from mailkit.net.tarpit import Tarpit
from mailstore_api.wire import Maildrop, OpenMaildrop
from pop_imap_frontend.conversation import logins
from pop_imap_frontend.conversation.logins import Logins
from pop_imap_frontend.pop3.verbs import authorization

from .world import Client, Pop3Service, dialogue

LIMIT = 0.6


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins, "LOGIN_SECONDS", LIMIT)


def test_pop3_answers_in_time_when_mailstore_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """One time-out for both: each alone had its own, 17 s together."""
    ends: list[float] = []

    def counted() -> float:
        ends.append(logins.login_ends())
        return ends[-1]

    monkeypatch.setattr(authorization, "login_ends", counted)

    async def talk(world: Pop3Service, client: Client) -> None:
        never: asyncio.Future[Maildrop] = asyncio.get_running_loop().create_future()
        asked = []

        async def hangs(question: OpenMaildrop) -> Maildrop:
            asked.append(question)
            return await never

        opens, world.store.open_maildrop = world.store.open_maildrop, hangs  # type: ignore[method-assign]
        await client.say("USER user%site.example", "+OK")
        await client.say("PASS  pass word ", "-ERR [SYS/TEMP]")
        assert len(ends) == len(asked) == 1
        assert asyncio.get_running_loop().time() >= ends[0]
        world.store.open_maildrop = opens  # type: ignore[method-assign]
        await client.say("NOOP", "-ERR")  # not logged in, and still talking

    dialogue(talk)


def test_a_lock_that_was_perhaps_taken_is_given_back() -> None:
    async def talk(world: Pop3Service, client: Client) -> None:
        never: asyncio.Future[Maildrop] = asyncio.get_running_loop().create_future()
        opens = world.store.open_maildrop

        async def takes_and_hangs(question: OpenMaildrop) -> Maildrop:
            await opens(question)
            return await never

        world.store.open_maildrop = takes_and_hangs  # type: ignore[method-assign]
        await client.say("USER user%site.example", "+OK")
        await client.say("PASS  pass word ", "-ERR [SYS/TEMP]")
        assert world.store.holder is not None
        await client.say("QUIT", "+OK", "")

    assert dialogue(talk).store.holder is None


async def test_auth_that_hangs_is_one_deadline_too() -> None:
    async def hangs(items: Any) -> Any:
        await asyncio.get_running_loop().create_future()

    auth = FakeAuth()
    auth.logins = hangs  # type: ignore[method-assign]
    log_in = Logins(LoginClient(auth), auth.undo_checks, Tarpit(1, 1))
    for ends in (None, asyncio.get_running_loop().time() + LIMIT):
        with pytest.raises(Unavailable):
            await log_in.check("imap", Password("u", "p"), Peer("192.0.2.7", 1, "imap", True), ends=ends)


@pytest.mark.parametrize(("direct", "told"), [(False, "192.0.2.7"), (True, None)])
async def test_a_direct_clients_address_is_not_told(direct: bool, told: str | None) -> None:
    seen: list[Login] = []
    auth = FakeAuth()

    async def asked(items: Any) -> Any:
        seen.extend(items)
        return await FakeAuth.logins(auth, items)

    auth.logins = asked  # type: ignore[method-assign]
    for protocol in ("pop3", "imap"):
        logins = Logins(LoginClient(auth), auth.undo_checks, Tarpit(1, 1))
        await logins.check(protocol, Password("u@x.example", "p"), Peer("192.0.2.7", 1, protocol, True, direct))
    assert [item.client_address for item in seen] == [told, told]
