"""A POP3 service over real sockets, with the services it calls in memory. With the real ones: tests/e2e/test_P*.py."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import trustme
import uvloop

from auth_api.fake import FakeAuth
from auth_api.logins import LoginClient
from mailkit.net.listener import Peer
from mailkit.net.stream import Stream
from mailkit.net.tarpit import Tarpit
from mailkit.testing.speed import patient
from mailstore_api.fake import FakeMaildrop
from pop_imap_frontend.conversation.logins import Logins
from pop_imap_frontend.conversation.watch import Watch
from pop_imap_frontend.pop3.context import Pop3Context
from pop_imap_frontend.pop3.leases import MaildropLeases
from pop_imap_frontend.pop3.registry import VERBS
from pop_imap_frontend.pop3.session import Pop3Session

CA = trustme.CA()
CLIENT = "192.0.2.7"
TWO = {11: b"Subject: one\r\n\r\n.dot\r\nline\r\n", 12: b"Subject: two\r\n\r\nno end of line"}


class Pop3Service:
    """A POP3 service with the services it calls in memory."""

    def __init__(self, **options: Any) -> None:
        self.auth = FakeAuth()
        self.mailbox = self.auth.add_mailbox("user@site.example", " pass word ")
        self.store = FakeMaildrop(dict(TWO))
        self.sessions: list[Pop3Session] = []
        self.leases = MaildropLeases(self.store)  # type: ignore[arg-type]
        self.watch = Watch(self.store, self.auth)  # type: ignore[arg-type]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        CA.issue_cert("localhost").configure_cert(context)
        chosen: dict[str, Any] = {"plaintext_logins": True, "idle_seconds": 600.0, "login_delay": 60}
        self.implicit_tls = options.pop("implicit_tls", False)
        self.context = Pop3Context(
            mailstore=self.store,  # type: ignore[arg-type]
            logins=Logins(
                LoginClient(self.auth, with_scram=options.pop("scram", False)),
                self.auth.undo_checks,
                options.pop("tarpit", Tarpit(1, 1)),
            ),
            leases=self.leases,
            tls=lambda _listener: context,
            name="mail.example",
            watch=self.watch,
            **(chosen | options),
        )

    async def listen(self) -> asyncio.Server:
        def make() -> Stream:
            async def talk(stream: Stream) -> None:
                session = Pop3Session(stream, Peer(CLIENT, 1, "pop3", self.implicit_tls), self.context, VERBS)
                self.sessions.append(session)
                await session.run()

            return Stream(talk)

        return await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)


class Client:
    """`await say("STAT", "+OK 2 65")`: each expected line is a beginning; "" is the end of the connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def hear(self, *expected: str) -> None:
        for line in expected:
            got = (await asyncio.wait_for(self.reader.readline(), patient(12))).decode()
            if line:
                assert got.endswith("\r\n"), got
                assert got.startswith(line), f"{got!r} instead of {line!r}"
            else:
                assert got == ""

    async def say(self, line: str, *expected: str) -> None:
        self.writer.write(line.encode() + b"\r\n")
        await self.hear(*expected)

    async def log_in(self) -> None:
        await self.say("USER user%site.example", "+OK")
        await self.say("PASS  pass word ", "+OK")


def dialogue(talk: Callable[[Pop3Service, Client], Awaitable[None]], **options: Any) -> Pop3Service:
    """Run `talk` with a fresh world and one greeted client."""

    async def run() -> Pop3Service:
        world = Pop3Service(**options)
        server = await world.listen()
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname(), limit=1 << 20)
        client = Client(reader, writer)
        await client.hear("+OK mail.example POP3 ready")
        try:
            await asyncio.wait_for(talk(world, client), patient(30))
        finally:
            writer.close()
            server.close()
        for session in world.sessions:
            assert session.stream.task is not None
            await asyncio.wait_for(session.stream.task, patient(12))
        return world

    return uvloop.run(run())
