"""A relay between a client and the service that notes the commands the client sends, for docs/clients.md.

It terminates the client's TLS with the run's own certificate and dials the service with TLS.
"""

import asyncio
import re
import ssl
import threading
import zlib
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from mailkit.testing.speed import patient
from pop_imap_frontend.imap.registry import VERBS as IMAP_VERBS
from pop_imap_frontend.pop3.registry import VERBS as POP3_VERBS
from tests.support.clients import tls_context
from tests.support.run import Run

PAGE = Path(__file__).parents[2] / "docs" / "clients.md"
_IMAP = re.compile(rb"^\S+ (?:(UID) )?([A-Z]+)", re.M | re.I)
_POP3 = re.compile(rb"^([A-Za-z]+)", re.M)
#: Words of a command that stand for an extension.
_WORDS = re.compile(rb"\b(RETURN|CHANGEDSINCE|QRESYNC|CONDSTORE|SPECIAL-USE)\b")


class Tap:
    """Relays of one test; `port(name)` is where the client dials, `used` what it sent.

    They run in the loop of one thread: two threads must not read and write one TLS connection.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.used: set[str] = set()
        self._under_way = 0
        self._ended = asyncio.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._servers: list[asyncio.Server] = []
        certificate = run.state / "certificates" / "default"
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(certificate / "tls.crt", certificate / "tls.key")

    def port(self, name: str) -> int:
        """Listen on loopback for IMAPS or POP3S; return the port."""
        server = self._in_loop(self._listen(name))
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Accept no more connections, and end the thread."""
        for server in self._servers:
            self._loop.call_soon_threadsafe(server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def check(self, program: str) -> None:
        """Check that the program's row of docs/clients.md names what it sent, and no more."""
        self._in_loop(self._all_ended())
        row = re.search(rf"^\| {re.escape(program)} \| [^|]+ \| [^|]+ \| ([^|]+) \|", PAGE.read_text(), re.M)
        assert row, f"{program} has no row in docs/clients.md; it sent {sorted(self.used)}"
        named = set(row[1].replace(",", " ").split())
        sent = {word for one in self.used for word in one.split()} - {"NOOP"}  # which depends on time
        assert named == sent, f"docs/clients.md, {program}: not sent {named - sent}, not named {sent - named}"

    def _in_loop(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(patient(20))

    async def _listen(self, name: str) -> asyncio.Server:
        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._under_way += 1
            try:
                await self._relay(reader, writer, name)
            finally:
                async with self._ended:
                    self._under_way -= 1
                    self._ended.notify_all()

        return await asyncio.start_server(relay, "127.0.0.1", 0, ssl=self._context)

    async def _all_ended(self) -> None:
        async with self._ended:
            await self._ended.wait_for(lambda: not self._under_way)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str) -> None:
        service_reader, service_writer = await asyncio.open_connection(
            self.run.host(name), self.run.port(name), ssl=tls_context(self.run), server_hostname=self.run.name
        )
        back = asyncio.ensure_future(_copy(service_reader, writer))
        self._note(await _copy(reader, service_writer), name)
        await back

    def _note(self, sent: bytes, name: str) -> None:
        if name == "POP3S":
            self.used |= {verb.decode().upper() for verb in _POP3.findall(sent)} & POP3_VERBS.keys()
            return
        head, compress, rest = sent.partition(b" COMPRESS DEFLATE\r\n")
        if compress:
            sent = head + compress + zlib.decompressobj(-zlib.MAX_WBITS).decompress(rest)
        for match in _IMAP.finditer(sent):
            verb = match[2].decode().upper()
            if verb in IMAP_VERBS or match[1]:
                self.used.add(f"UID {verb}" if match[1] else verb)
        self.used |= {word.decode() for word in _WORDS.findall(sent)}


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> bytes:
    """Pass on what comes until the end, and close the other side; return what came."""
    seen = bytearray()
    try:
        while octets := await source.read(65536):
            seen += octets
            target.write(octets)
            await target.drain()
    except OSError:
        pass
    target.close()
    return bytes(seen)
