"""An old host in memory: IMAP and POP3 over TLS on loopback, as far as a login and a word or two go; it counts its logins."""

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Self

import trustme

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class OldHostServer:
    """`users`: names and passwords. `said`: the lines of clients after their login. `says`: instead of a greeting, and nothing more."""

    ca: trustme.CA
    users: dict[str, str] = field(default_factory=dict)
    logins: list[tuple[str, str]] = field(default_factory=list)
    said: list[bytes] = field(default_factory=list)
    says: bytes | None = None
    refusal: bytes = b"[AUTHENTICATIONFAILED] no"
    held: asyncio.Event | None = None
    """Answers to logins wait for it."""
    imap: int = 0
    pop3: int = 0
    open: int = 0

    async def __aenter__(self) -> Self:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert("localhost").configure_cert(context)
        self._servers = [
            await asyncio.start_server(self._talk(each), "127.0.0.1", 0, ssl=context)
            for each in (self._imap, self._pop3)
        ]
        self.imap, self.pop3 = (server.sockets[0].getsockname()[1] for server in self._servers)
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            server.close()

    def _talk(self, protocol: Talk) -> Talk:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.open += 1
            try:
                if self.says is not None:
                    writer.write(self.says)
                    await reader.read()
                else:
                    await protocol(reader, writer)
            except (OSError, EOFError, asyncio.LimitOverrunError):
                pass
            finally:
                self.open -= 1
                writer.close()

        return talk

    async def _good(self, user: bytes, password: bytes) -> bool:
        if self.held is not None:
            await self.held.wait()
        self.logins.append((user.decode(), password.decode()))
        return self.users.get(user.decode()) == password.decode()

    async def _imap(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK old host\r\n")
        inside = False
        async for line in reader:
            while (literal := re.search(rb"\{(\d+)\}\r\n$", line)) is not None:
                writer.write(b"+ go\r\n")
                text = await reader.readexactly(int(literal[1]))
                line = line[: literal.start()] + b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
                line += await reader.readline()
            tag, name, *_ = [*line.split(b" ", 2), b""]
            if inside:
                self.said.append(line)
            if name == b"LOGIN":
                words = [re.sub(rb"\\(.)", rb"\1", w) for w in re.findall(rb'"((?:[^"\\]|\\.)*)"', line)]
                inside = await self._good(*words)
                writer.write(
                    tag + (b" OK [CAPABILITY IMAP4rev1 IDLE] in\r\n" if inside else b" NO " + self.refusal + b"\r\n")
                )
            else:
                writer.write(b"* OK the old host got " + name.strip() + b"\r\n" + tag + b" OK done\r\n")
                if name.strip() == b"LOGOUT":
                    return

    async def _pop3(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"+OK old host\r\n")
        user, inside = b"", False
        async for line in reader:
            name, _, rest = line.rstrip(b"\r\n").partition(b" ")
            if inside:
                self.said.append(line)
            if name == b"USER":
                user = rest
                writer.write(b"+OK\r\n")
            elif name == b"PASS":
                inside = await self._good(user, rest)
                writer.write(b"+OK in\r\n" if inside else b"-ERR " + self.refusal + b"\r\n")
            else:
                writer.write(b"+OK the old host got " + name + b"\r\n")
                if name == b"QUIT":
                    return
