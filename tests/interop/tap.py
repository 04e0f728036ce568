"""A relay between a client and the service that notes the commands the client sends, for docs/clients.md.

It terminates the client's TLS with the run's own certificate and dials the service with TLS.
"""

import re
import socket
import ssl
import threading
import zlib
from pathlib import Path

from mailkit.testing.speed import patient
from pop_imap_frontend.imap.registry import VERBS as IMAP_VERBS
from pop_imap_frontend.pop3.registry import VERBS as POP3_VERBS
from tests.support.clients import dial, tls_context
from tests.support.run import Run

PAGE = Path(__file__).parents[2] / "docs" / "clients.md"
_IMAP = re.compile(rb"^\S+ (?:(UID) )?([A-Za-z]+)", re.M)
_POP3 = re.compile(rb"^([A-Za-z]+)", re.M)
#: Words of a command that stand for an extension.
_WORDS = re.compile(rb"\b(RETURN|CHANGEDSINCE|QRESYNC|CONDSTORE|SPECIAL-USE)\b")


class Tap:
    """Relays of one test; `port(name)` is where the client dials, `used` what it sent."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.used: set[str] = set()
        self._listeners: list[socket.socket] = []
        self._relays: list[threading.Thread] = []
        certificate = run.state / "certificates" / "default"
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(certificate / "tls.crt", certificate / "tls.key")

    def port(self, name: str) -> int:
        """Listen on loopback for IMAPS or POP3S; return the port."""
        listener = socket.create_server(("127.0.0.1", 0))
        self._listeners.append(listener)
        threading.Thread(target=self._accept, args=(listener, name), daemon=True).start()
        return int(listener.getsockname()[1])

    def close(self) -> None:
        """Accept no more connections."""
        for listener in self._listeners:
            listener.close()

    def check(self, program: str) -> None:
        """Check that the program's row of docs/clients.md names what it sent, and no more."""
        for relay in self._relays:
            relay.join(patient(10))
            assert not relay.is_alive(), f"{program} did not close its connection"
        row = re.search(rf"^\| {re.escape(program)} \| [^|]+ \| [^|]+ \| ([^|]+) \|", PAGE.read_text(), re.M)
        assert row, f"{program} has no row in docs/clients.md; it sent {sorted(self.used)}"
        named = set(row[1].replace(",", " ").split())
        sent = {word for one in self.used for word in one.split()} - {"NOOP"}  # which depends on time
        assert named == sent, f"docs/clients.md, {program}: not sent {named - sent}, not named {sent - named}"

    def _accept(self, listener: socket.socket, name: str) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self._relays.append(threading.Thread(target=self._relay, args=(client, name), daemon=True))
            self._relays[-1].start()

    def _relay(self, raw: socket.socket, name: str) -> None:
        try:
            with (
                self._context.wrap_socket(raw, server_side=True) as client,
                tls_context(self.run).wrap_socket(dial(self.run, name), server_hostname=self.run.name) as service,
            ):
                back = threading.Thread(target=_copy, args=(service, client), daemon=True)
                back.start()
                self._note(_copy(client, service), name)
                back.join()
        except OSError:
            return

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


def _copy(source: socket.socket, target: socket.socket) -> bytes:
    """Pass on what comes until the end; return it."""
    seen = bytearray()
    try:
        while octets := source.recv(65536):
            seen += octets
            target.sendall(octets)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    return bytes(seen)
