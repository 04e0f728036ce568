"""LOGIN and AUTHENTICATE are answered as late as auth says, while the client is there and the service runs
(docs/decisions/0049)."""

import asyncio
import base64
from typing import Any

import pytest

from auth_api.logins import LoginClient
from mailkit.net.tarpit import Tarpit
from mailkit.testing.speed import until
from pop_imap_frontend.conversation.logins import Logins

from .conftest import Client, Imap

RIGHT = "LOGIN user@site.example secret"
WRONG = "AUTHENTICATE PLAIN " + base64.b64encode(b"\0user@site.example\0wrong").decode()


async def delayed(imap: Imap, command: str) -> Client:
    """A login whose answer waits."""
    imap.auth.delay = 3.5
    client = await imap.connect()
    waiting = len(imap.sleeps.under_way)
    client.send(f"a {command}\r\n".encode())
    await until(lambda: len(imap.sleeps.under_way) == waiting + 1)
    return client


@pytest.mark.parametrize(("command", "answer"), [(RIGHT, b"a OK "), (WRONG, b"a NO [AUTHENTICATIONFAILED]")])
async def test_the_answer_comes_after_the_delay(imap: Imap, command: str, answer: bytes) -> None:
    client = await delayed(imap, command)
    assert imap.sleeps.asked == [3.5]
    imap.sleeps.end()
    assert (await client.response()).startswith(answer)


@pytest.mark.parametrize("how", ["half-closes", "is gone"])
async def test_the_wait_ends_with_the_client(imap: Imap, how: str) -> None:
    client = await delayed(imap, RIGHT)
    if how == "half-closes":
        client.writer.write_eof()
    else:
        client.writer.transport.abort()
    await until(lambda: not imap.sleeps.under_way)
    task = imap.sessions[0].stream.task
    assert task is not None
    await task
    assert imap.sessions[0].login is None


async def test_a_stop_ends_the_wait(imap: Imap) -> None:
    client = await delayed(imap, RIGHT)
    imap.sessions[0].end("server is going down")
    assert (await client.response()).startswith(b"a NO [UNAVAILABLE] server is going down")
    assert await client.response() == b"* BYE server is going down\r\n"
    assert not imap.sleeps.under_way


@pytest.mark.parametrize("command", [RIGHT, WRONG])
async def test_when_too_many_wait_the_answer_is_a_refusal_and_gives_nothing_away(imap: Imap, command: str) -> None:
    for _ in range(2):
        await delayed(imap, RIGHT)
    client = await imap.connect()
    assert (await client.last(command)).startswith("NO [LIMIT] too many failed logins")


async def test_a_stop_while_auth_is_asked_leaves_nothing_to_wait_for(imap: Imap) -> None:
    imap.auth.delay = 3.5
    asked, go, answer = asyncio.Event(), asyncio.Event(), imap.auth.logins

    async def slow(items: Any) -> Any:
        asked.set()
        await go.wait()
        return await answer(items)

    imap.auth.logins = slow  # type: ignore[method-assign]
    imap.shared["logins"] = Logins(LoginClient(imap.auth), imap.auth.undo_checks, Tarpit(1, 1, sleep=imap.sleeps))
    client = await imap.connect()
    client.send(f"a {RIGHT}\r\n".encode())
    await asked.wait()
    imap.sessions[0].end("server is going down")
    go.set()
    assert (await client.response()).startswith(b"a NO [UNAVAILABLE] server is going down")
    assert await client.response() == b"* BYE server is going down\r\n"
    assert imap.sleeps.asked == []
