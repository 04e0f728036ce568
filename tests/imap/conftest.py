"""IMAP conversations over a real socket, with the real mailstore behind them and auth in memory."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from auth_api.fake import FakeAuth
from auth_api.logins import LoginClient
from mailkit.net.listener import Peer
from mailkit.net.stream import Stream
from mailkit.net.tarpit import Tarpit
from mailkit.testing.speed import patient
from pop_imap_frontend.conversation.budget import Budget
from pop_imap_frontend.conversation.logins import Logins
from pop_imap_frontend.conversation.watch import Watch
from pop_imap_frontend.imap.context import ImapContext
from pop_imap_frontend.imap.folder.cache import SharedFolders
from pop_imap_frontend.imap.registry import VERBS
from pop_imap_frontend.imap.session import ImapSession
from services.mailstore.tests.conftest import Store
from services.mailstore.tests.conftest import database as database
from services.mailstore.tests.conftest import pool as pool
from services.mailstore.tests.conftest import postgres as postgres
from services.mailstore.tests.conftest import settings as settings
from services.mailstore.tests.conftest import store as store
from tests.support.sleeps import Sleeps

_LITERAL = re.compile(rb"\{(\d+)\}\r\n\Z")


class Client:
    """One connection. Answers are read whole: untagged lines with their literals, then the tagged one."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._tag = 0

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def response(self) -> bytes:
        """One response, literals inline; b"" at the end of the connection."""
        found = await asyncio.wait_for(self.reader.readline(), patient(60))
        while match := _LITERAL.search(found):
            found += await asyncio.wait_for(self.reader.readexactly(int(match[1])), patient(60))
            found += await asyncio.wait_for(self.reader.readline(), patient(60))
        return found

    async def until(self, tag: str) -> list[bytes]:
        """The responses up to the one tagged `tag`, which is the last, without their line ends."""
        found: list[bytes] = []
        while not found or not found[-1].startswith(tag.encode() + b" "):
            line = await self.response()
            assert line, found
            found.append(line.removesuffix(b"\r\n"))
        return found

    async def ask(self, command: str | bytes) -> list[bytes]:
        """Send a command (non-synchronizing literals inline) and read its answer; the tag is taken off the last line."""
        self._tag += 1
        tag = f"t{self._tag}"
        self.send(f"{tag} ".encode() + (command.encode() if isinstance(command, str) else command) + b"\r\n")
        found = await self.until(tag)
        found[-1] = found[-1][len(tag) + 1 :]
        return found

    async def ok(self, command: str | bytes) -> list[bytes]:
        """The untagged responses of a command that has to be answered OK."""
        *untagged, last = await self.ask(command)
        assert last.startswith(b"OK"), (command, last)
        return untagged

    async def last(self, command: str | bytes) -> str:
        """The tagged answer alone, as text."""
        return (await self.ask(command))[-1].decode()


class Imap:
    """An IMAP service; `context` may be changed between connections."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.auth = FakeAuth()
        self.account = self.auth.add_mailbox("user@site.example", "secret")
        self.watch = Watch(store.front, self.auth)  # type: ignore[arg-type]
        self.sleeps = Sleeps()
        self.options: dict[str, Any] = {}
        self.sessions: list[ImapSession] = []
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None
        self.shared: dict[str, Any] = {
            "mailstore": store.front,
            "logins": Logins(
                LoginClient(self.auth, with_scram=True), self.auth.undo_checks, Tarpit(3, 2, sleep=self.sleeps)
            ),
            "tls": None,
            "plaintext_logins": True,
            "append_limit": 1024 * 1024,
            "idle_seconds": 600.0,
            "name": "mail.example",
            "watch": self.watch,
            "folders": SharedFolders(store.front),
            "commands": Budget("commands", 10),
            "literals": Budget("literals", 4 << 20),
        }

    @property
    def mailbox_id(self) -> UUID:
        return self.account.id

    def _make(self) -> Stream:
        async def talk(stream: Stream) -> None:
            session = ImapSession(stream, Peer("192.0.2.7", 1, "imap", False), ImapContext(**self.shared), VERBS)
            self.sessions.append(session)
            await session.run()

        return Stream(talk)

    async def connect(self) -> Client:
        """A greeted client."""
        if self._server is None:
            self._server = await asyncio.get_running_loop().create_server(self._make, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*self._server.sockets[0].getsockname(), limit=1 << 24)
        self._writers.append(writer)
        client = Client(reader, writer)
        assert (await client.response()).startswith(b"* OK [CAPABILITY ")
        return client

    async def log_in(self, login: str = "user@site.example") -> Client:
        client = await self.connect()
        await client.ok(f"LOGIN {login} secret")
        return client

    async def select(self, name: str = "INBOX") -> Client:
        client = await self.log_in()
        await client.ok(f'SELECT "{name}"')
        return client

    async def aclose(self) -> None:
        for writer in self._writers:
            writer.close()
        if self._server is not None:
            self._server.close()
        for session in self.sessions:
            if session.stream.task is not None:
                await asyncio.wait_for(session.stream.task, patient(60))


@pytest.fixture
async def imap(store: Store) -> AsyncIterator[Imap]:
    made = Imap(store)
    yield made
    await made.aclose()
