"""A remote mail host for tests: a real SMTP server on a loopback address that records messages and fails on demand."""

import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import trustme

from mailkit.testing.speed import patient


@dataclass
class Received:
    """A message as received: `data` without dot-stuffing and final dot; `tls`: over TLS."""

    mail_from: str
    recipients: list[str]
    data: bytes
    tls: bool
    parameters: str = ""
    """Parameters of MAIL, behind the sender."""
    connection: int = 0
    """Number of the connection, from 1."""


@dataclass
class Behaviour:
    """Behaviour of the host, which a test may change while it runs. Replies are lines without line endings; None: default."""

    extensions: list[str] = field(default_factory=lambda: ["PIPELINING", "8BITMIME", "SIZE 20000000"])
    starttls: bool = False
    break_tls: bool = False
    greeting: list[str] | None = None
    mail: list[str] | None = None
    rcpt: Callable[[str], list[str] | None] = lambda address: None
    data: list[str] | None = None
    dot: list[str] | None = None
    drop_at: str = ""
    """Close without a reply at: "connect", "EHLO", "MAIL", "RCPT", "DATA", "body" (after its first line), "dot"."""
    drop_once: bool = False
    """Only the first connection that comes to `drop_at` is closed."""
    ehlo: list[str] | None = None
    """The reply to EHLO instead of the extensions; a refusal makes clients fall back to HELO."""
    tls_refusal: list[str] | None = None
    """The reply to STARTTLS instead of 220."""
    tls_injection: bytes = b""
    """Plain text directly after the 220, as added by an attacker in the middle."""
    dots: list[list[str]] = field(default_factory=list)
    """Replies to the next final dots, used one by one before `dot`."""
    early: list[str] | None = None
    """Sent after the first line of a body, and nothing more until the client disconnects."""
    unasked: list[str] | None = None
    """Sent directly after the reply to a final dot."""
    always_354: bool = False
    """Reply 354 to DATA although no recipient was accepted."""
    limit: int = 0
    """Messages that a connection accepts; then MAIL is answered with 421 and a close. 0: no limit."""
    hold: dict[str, threading.Event] = field(default_factory=dict)
    """Events to wait for before replies: by verb, "greeting", "body", "dot"."""
    context: ssl.SSLContext | None = None
    """The TLS context, instead of one with a certificate that no client trusts."""


class Sink:
    """A server in threads of its own: `with Sink("127.0.1.7", port) as sink: sink.messages`."""

    def __init__(self, address: str, port: int = 0) -> None:
        self.behaviour = Behaviour()
        self.messages: list[Received] = []
        self.connections = 0
        self.commands: list[str] = []
        """Command lines of all connections, as received; "." for a body without recipients, "(cut)" for one without its dot."""
        self.names: list[str | None] = []
        """Names that clients requested under TLS (SNI)."""
        self._server = socket.create_server((address, port), backlog=200)
        self.address, self.port = self._server.getsockname()[:2]
        self._context: ssl.SSLContext | None = None
        self._lock = threading.Lock()
        self._came = threading.Condition(self._lock)
        self._live: set[socket.socket] = set()
        threading.Thread(target=self._accept, name="sink", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening and end open sessions."""
        try:
            self._server.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept, which would accept one more client
        except OSError:
            pass
        self._server.close()
        with self._lock:
            for sock in self._live:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def saw(self, command: str, count: int = 1, seconds: float = 15.0) -> None:
        """Wait until `command` (the beginning of a line) was received `count` times.

        Raises TimeoutError after `seconds` of an idle machine.
        """

        def came() -> bool:
            return sum(c.startswith(command) for c in self.commands) >= count

        with self._came:
            if not self._came.wait_for(came, patient(seconds)):
                raise TimeoutError(f"{command} did not come {count} times: {self.commands}")

    def _note(self, command: str) -> None:
        with self._came:
            self.commands.append(command)
            self._came.notify_all()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            sock.settimeout(patient(60))
            threading.Thread(target=self._talk, args=(sock,), daemon=True).start()

    def _tls(self) -> ssl.SSLContext:
        if self.behaviour.context is not None:
            return self.behaviour.context
        if self._context is None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            trustme.CA().issue_cert("sink.test").configure_cert(self._context)
            self._context.sni_callback = lambda _, name, __: self.names.append(name)
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
        self._sender = self._parameters = ""
        self._named = False
        self._number, self._taken = sink.connections, 0
        self._recipients: list[str] = []

    def _say(self, lines: list[str]) -> None:
        self._sock.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def _hold(self, stage: str) -> None:
        event = self._sink.behaviour.hold.get(stage)
        if event is not None:
            event.wait(patient(60))

    def _drops(self, stage: str) -> bool:
        """Whether the connection is to be closed here."""
        does = self._sink.behaviour
        drops = does.drop_at == stage
        if drops and does.drop_once:
            does.drop_at = ""
        return drops

    def run(self) -> None:
        does = self._sink.behaviour
        if self._drops("connect"):
            return
        self._hold("greeting")
        self._say(does.greeting or ["220 sink.test ESMTP"])
        if does.greeting and not does.greeting[0].startswith("2"):
            return
        while line := self._file.readline(4096):
            verb, _, argument = line.decode("utf-8", "replace").strip().partition(" ")
            self._sink._note(f"{verb} {argument}".strip())
            self._hold(verb.upper())
            if self._drops(verb.upper()):
                return
            if not self._verb(verb.upper(), argument, does):
                return

    def _verb(self, verb: str, argument: str, does: Behaviour) -> bool:
        address = argument.partition("<")[2].partition(">")[0]
        if verb in ("EHLO", "HELO"):
            names = list(does.extensions) if verb == "EHLO" else []
            if does.starttls and not self._secure and verb == "EHLO":
                names.append("STARTTLS")
            if verb.upper() == "EHLO" and does.ehlo is not None:
                self._say(does.ehlo)
                return not does.ehlo[0].startswith("421")
            lines = ["sink.test", *names]
            self._say([f"250{'-' if i + 1 < len(lines) else ' '}{text}" for i, text in enumerate(lines)])
        elif verb == "STARTTLS":
            return self._start_tls(does)
        elif verb == "MAIL":
            if does.limit and self._taken >= does.limit:
                self._say(["421 4.7.0 enough for one connection"])
                return False
            self._sender, self._recipients = address, []
            self._parameters = argument.rpartition(">")[2].strip()
            self._named = not does.mail or does.mail[0].startswith("2")
            self._say(does.mail or ["250 2.1.0 ok"])
            return not (does.mail and does.mail[0].startswith("421"))
        elif verb == "RCPT":
            refused = does.rcpt(address) if self._named else ["503 5.5.1 MAIL first"]
            if refused is None:
                self._recipients.append(address)
            self._say(refused or ["250 2.1.5 ok"])
            return not (refused and refused[0].startswith("421"))
        elif verb == "DATA":
            if does.data or (not self._recipients and not does.always_354):
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
        if does.tls_refusal is not None:
            self._say(does.tls_refusal)
            return True
        self._sock.sendall(b"220 2.0.0 go ahead\r\n" + does.tls_injection)
        if does.break_tls:
            self._sock.sendall(b"\x15\x03\x03\x00\x02\x02\x28")  # a fatal handshake_failure alert
            return False
        self._sock = self._sink._tls().wrap_socket(self._sock, server_side=True)
        self._file = self._sock.makefile("rb")
        self._secure = True
        return True

    def _line(self) -> bytes:
        """Read a line of a body. Raises EOFError if the client disconnects before the dot."""
        try:
            line = self._file.readline()
        except OSError:
            line = b""
        if not line.endswith(b"\n"):
            self._sink._note("(cut)")
            raise EOFError
        return line

    def _data(self, does: Behaviour) -> bool:
        lines: list[bytes] = []
        while (line := self._line()) != b".\r\n":
            if not lines and self._drops("body"):
                return False
            if not lines and does.early:
                self._say(does.early)
                while True:
                    self._line()
            if not lines:
                self._hold("body")
            lines.append(line[1:] if line.startswith(b".") else line)
        if not self._recipients:
            self._sink._note(".")
            self._say(["554 5.5.1 no valid recipients"])
            return True
        if self._drops("dot"):
            return False
        self._hold("dot")
        reply = does.dots.pop(0) if does.dots else does.dot
        if not reply or reply[0].startswith("2"):
            self._taken += 1
            message = Received(
                self._sender, self._recipients, b"".join(lines), self._secure, self._parameters, self._number
            )
            with self._sink._lock:
                self._sink.messages.append(message)
        self._say((reply or ["250 2.0.0 taken"]) + (does.unasked or []))
        return not (reply and reply[0].startswith("421"))
