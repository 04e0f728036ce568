"""Sessions that are handed to the old host of a moving domain (docs/decisions/0126)."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import trustme

from auth_api.wire import OldHost
from mailkit.net.old_host import trust
from mailkit.testing.old_host import OldHostServer
from mailkit.testing.speed import until

from .world import CA, Client, Pop3Service, dialogue

NAME = "user@site.example"
Talk = Callable[[Pop3Service, Client, OldHostServer], Awaitable[None]]


def handed(talk: Talk, *, ca: trustme.CA = CA, **options: Any) -> Pop3Service:
    """Run `talk` with a user whose mail is at an old host, which has another password than ours for `other`."""
    tls = trust("")
    CA.configure_trust(tls)

    async def run(world: Pop3Service, client: Client) -> None:
        async with OldHostServer(ca, {NAME: " pass word "}) as old:
            world.auth.elsewhere[NAME] = OldHost("localhost", old.pop3)
            await talk(world, client, old)
            client.writer.close()
            await until(lambda: old.open == 0)

    return dialogue(run, **({"old_host_tls": tls} | options))


def test_commands_go_to_the_old_host_also_those_that_were_sent_ahead() -> None:
    async def talk(world: Pop3Service, client: Client, old: OldHostServer) -> None:
        await client.say("USER user%site.example\r\nPASS  pass word \r\nSTAT\r\nUIDL", "+OK", "+OK logged in")
        await client.hear("+OK the old host got STAT", "+OK the old host got UIDL")
        await client.say("RETR " + "9" * 50_000, "+OK the old host got RETR")
        await client.say("QUIT", "+OK the old host got QUIT", "")
        assert old.logins == [(NAME, " pass word ")]
        assert old.said[0] == b"STAT\r\n"
        assert world.store.holder is None, "nothing is opened here"

    handed(talk)


def test_the_password_of_the_login_is_what_the_old_host_gets() -> None:
    async def talk(world: Pop3Service, client: Client, old: OldHostServer) -> None:
        old.users[NAME] = "changed since"
        await client.say("USER user%site.example", "+OK")
        await client.say("PASS  pass word ", "-ERR [AUTH]")
        assert world.mailbox.last_pop3_login is None, "P4 counts checks of mail"
        old.users[NAME] = " pass word "
        await client.log_in()

    handed(talk)


def test_an_old_host_that_is_away_or_another_is_refused_for_now() -> None:
    async def talk(world: Pop3Service, client: Client, old: OldHostServer) -> None:
        await client.say("USER user%site.example", "+OK")
        await client.say("PASS  pass word ", "-ERR [SYS/TEMP]")
        assert world.mailbox.last_pop3_login is None
        world.auth.elsewhere[NAME] = OldHost("localhost", 1)
        await client.say("USER user%site.example", "+OK")
        await client.say("PASS  pass word ", "-ERR [SYS/TEMP]")
        assert old.logins == []

    handed(talk, ca=trustme.CA())


def test_without_a_context_no_session_is_handed_over() -> None:
    async def talk(world: Pop3Service, client: Client, old: OldHostServer) -> None:
        await client.say("USER user%site.example", "+OK")
        await client.say("PASS  pass word ", "-ERR [SYS/TEMP]")

    handed(talk, old_host_tls=None)


def test_a_session_ends_with_its_account_and_without_a_word_of_ours() -> None:
    async def talk(world: Pop3Service, client: Client, old: OldHostServer) -> None:
        await client.log_in()
        await world.watch.recheck()
        await client.say("NOOP", "+OK the old host got NOOP")
        world.mailbox.credential_version += 1  # the domain is switched
        await world.watch.recheck()
        await client.hear("")

    handed(talk)


def test_a_session_ends_with_its_client_and_what_it_sent_arrives() -> None:
    async def talk(world: Pop3Service, client: Client, old: OldHostServer) -> None:
        await client.log_in()
        client.writer.write(b"DELE 1\r\nQUIT\r\n")
        client.writer.close()
        await until(lambda: old.said == [b"DELE 1\r\n", b"QUIT\r\n"])

    handed(talk)


def test_a_silent_session_ends() -> None:
    async def talk(world: Pop3Service, client: Client, old: OldHostServer) -> None:
        await client.log_in()
        await client.hear("")

    handed(talk, idle_seconds=0.2)


def test_a_client_that_does_not_read_holds_the_old_host_up() -> None:
    """An endless answer of the old host is read no faster than the client takes it."""

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"+OK\r\n")
        for _ in range(2):
            await reader.readline()
            writer.write(b"+OK\r\n")
        while True:
            writer.write(b"x" * 65536)
            sent.append(65536)
            await writer.drain()

    sent: list[int] = []

    async def talk(world: Pop3Service, client: Client, old: OldHostServer) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        CA.issue_cert("localhost").configure_cert(context)
        server = await asyncio.start_server(flood, "127.0.0.1", 0, ssl=context)
        world.auth.elsewhere[NAME] = OldHost("localhost", server.sockets[0].getsockname()[1])
        await client.log_in()
        before = -1
        while before != len(sent):
            before = len(sent)
            await asyncio.sleep(0.3)  # the kernel's and our buffers are full when nothing more is sent
        assert sum(sent) < 32 * 1024 * 1024
        client.writer.transport.abort()
        server.close()

    handed(talk)
