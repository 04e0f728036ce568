"""A remote mail host for tests: a real SMTP server on a loopback address that records what it gets and breaks on order."""

import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import trustme


@dataclass
class Received:
    """One message as it came: `data` without dot-stuffing and final dot; `tls` when it came over TLS."""

    mail_from: str
    recipients: list[str]
    data: bytes
    tls: bool


@dataclass
class Behaviour:
    """What the host does; a test may change it while it runs. Replies are lines without line ends; None: as usual."""

    extensions: list[str] = field(default_factory=lambda: ["PIPELINING", "8BITMIME", "SIZE 20000000"])
    starttls: bool = False
    break_tls: bool = False
    greeting: list[str] | None = None
    mail: list[str] | None = None
    rcpt: Callable[[str], list[str] | None] = lambda address: None
    data: list[str] | None = None
    dot: list[str] | None = None
    drop_at: str = ""
    """Close without a word at: "connect", "MAIL", "RCPT", "DATA", "dot"."""


class Sink:
    """A server in threads of its own: `with Sink("127.0.1.7", port) as sink: sink.messages`."""

    def __init__(self, address: str, port: int = 0) -> None:
        self.behaviour = Behaviour()
        self.messages: list[Received] = []
        self.connections = 0
        self._server = socket.create_server((address, port), backlog=200)
        self.address, self.port = self._server.getsockname()[:2]
        self._context: ssl.SSLContext | None = None
        self._lock = threading.Lock()
        self._live: set[socket.socket] = set()
        threading.Thread(target=self._accept, name="sink", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening and end open conversations."""
        try:
            self._server.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept, which would take one more client
        except OSError:
            pass
        self._server.close()
        with self._lock:
            for sock in self._live:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            sock.settimeout(60)
            threading.Thread(target=self._talk, args=(sock,), daemon=True).start()

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            trustme.CA().issue_cert("sink.test").configure_cert(self._context)
        return self._context

    def _talk(self, sock: socket.socket) -> None:
        with self._lock:
            self._live.add(sock)
        try:
            _Conversation(self, sock).run()
        except (OSError, EOFError):
            pass
        finally:
            with self._lock:
                self._live.discard(sock)
            sock.close()


class _Conversation:
    def __init__(self, sink: Sink, sock: socket.socket) -> None:
        self._sink = sink
        self._sock = sock
        self._file = sock.makefile("rb")
        self._secure = False
        self._sender = ""
        self._recipients: list[str] = []

    def _say(self, lines: list[str]) -> None:
        self._sock.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def run(self) -> None:
        does = self._sink.behaviour
        if does.drop_at == "connect":
            return
        self._say(does.greeting or ["220 sink.test ESMTP"])
        if does.greeting and not does.greeting[0].startswith("2"):
            return
        while line := self._file.readline(4096):
            verb, _, argument = line.decode("utf-8", "replace").strip().partition(" ")
            if does.drop_at == verb.upper():
                return
            if not self._verb(verb.upper(), argument, does):
                return

    def _verb(self, verb: str, argument: str, does: Behaviour) -> bool:
        address = argument.partition("<")[2].partition(">")[0]
        if verb in ("EHLO", "HELO"):
            names = list(does.extensions) if verb == "EHLO" else []
            if does.starttls and not self._secure and verb == "EHLO":
                names.append("STARTTLS")
            lines = ["sink.test", *names]
            self._say([f"250{'-' if i + 1 < len(lines) else ' '}{text}" for i, text in enumerate(lines)])
        elif verb == "STARTTLS":
            return self._start_tls(does)
        elif verb == "MAIL":
            self._sender, self._recipients = address, []
            self._say(does.mail or ["250 2.1.0 ok"])
        elif verb == "RCPT":
            refused = does.rcpt(address)
            if refused is None:
                self._recipients.append(address)
            self._say(refused or ["250 2.1.5 ok"])
        elif verb == "DATA":
            if does.data or not self._recipients:
                self._say(does.data or ["503 5.5.1 no recipients"])
            else:
                self._say(["354 go ahead"])
                return self._data(does)
        elif verb == "RSET":
            self._recipients = []
            self._say(["250 2.0.0 ok"])
        elif verb == "QUIT":
            self._say(["221 2.0.0 bye"])
            return False
        else:
            self._say(["500 5.5.1 what?"])
        return True

    def _start_tls(self, does: Behaviour) -> bool:
        self._say(["220 2.0.0 go ahead"])
        if does.break_tls:
            self._sock.sendall(b"\x15\x03\x03\x00\x02\x02\x28")  # a fatal handshake_failure alert
            return False
        self._sock = self._sink._tls().wrap_socket(self._sock, server_side=True)
        self._file = self._sock.makefile("rb")
        self._secure = True
        return True

    def _data(self, does: Behaviour) -> bool:
        lines = []
        while (line := self._file.readline()) != b".\r\n":
            if not line:
                raise EOFError
            lines.append(line[1:] if line.startswith(b".") else line)
        if does.drop_at == "dot":
            return False
        if not does.dot:
            with self._sink._lock:
                self._sink.messages.append(Received(self._sender, self._recipients, b"".join(lines), self._secure))
        self._say(does.dot or ["250 2.0.0 taken"])
        return True
