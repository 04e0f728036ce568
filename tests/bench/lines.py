"""POP3 and IMAP clients that only count octets, so that the server is what is measured."""

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Self

TIMEOUT = 120.0


def _careless() -> ssl.SSLContext:
    """TLS as on every reader's connection; whose certificate it is does not matter here."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Refused(RuntimeError):
    """The answer to a command is not OK."""


class _Line:
    """A connection with reads that end at a given mark."""

    def __init__(self, port: int) -> None:
        self.sock: socket.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def secure(self) -> None:
        self.sock = _careless().wrap_socket(self.sock, server_hostname="localhost")

    def line(self) -> bytes:
        got = b""
        while not got.endswith(b"\r\n"):
            piece = self.sock.recv(4096)
            if not piece:
                raise ConnectionError(f"closed after {got!r}")
            got += piece
        return got

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self.sock.close()


class ImapLine(_Line):
    """An IMAP session over STARTTLS, logged in."""

    def __init__(self, port: int, user: str, password: str) -> None:
        super().__init__(port)
        self._number = 0
        self.line()
        self.command("STARTTLS")
        self.secure()
        self.command(f'LOGIN "{user}" "{password}"')

    def command(self, text: str) -> tuple[float, int, bytes]:
        """Seconds until the tagged line, octets, and the end of the answer. Raises Refused unless it is OK."""
        self._number += 1
        tag = f"b{self._number}".encode()
        buffer = bytearray(1 << 18)
        octets, tail = 0, b""
        started = time.perf_counter()
        self.sock.sendall(tag + b" " + text.encode() + b"\r\n")
        while True:
            count = self.sock.recv_into(buffer)
            if not count:
                raise ConnectionError(f"closed in {text}")
            octets += count
            tail = (tail + buffer[max(0, count - 1000) : count])[-1000:]
            if tail.endswith(b"\r\n"):
                last = tail[:-2].rpartition(b"\r\n")[2]
                if last.startswith(tag + b" "):
                    break
        seconds = time.perf_counter() - started
        if not last.startswith(tag + b" OK"):
            raise Refused(f"{text}: {last!r}")
        return seconds, octets, bytes(tail)

    def repeated(self, text: str, times: int = 11) -> tuple[float, float]:
        """Milliseconds: the median and the worst."""
        took = sorted(self.command(text)[0] * 1000 for _ in range(times))
        return took[times // 2], took[-1]

    def search(self, text: str) -> tuple[float, int]:
        """Seconds, and how many numbers a SEARCH response has. Raises Refused."""
        tag = b"s"
        got = bytearray()
        started = time.perf_counter()
        self.sock.sendall(tag + b" " + text.encode() + b"\r\n")
        while not (got.endswith(b"\r\n") and got[:-2].rpartition(b"\r\n")[2].startswith(tag + b" ")):
            piece = self.sock.recv(1 << 18)
            if not piece:
                raise ConnectionError(f"closed in {text}")
            got += piece
        seconds = time.perf_counter() - started
        answer, _, last = got[:-2].rpartition(b"\r\n")
        if not last.startswith(tag + b" OK"):
            raise Refused(f"{text}: {bytes(last)!r}")
        return seconds, sum(len(line.split()) - 2 for line in answer.split(b"\r\n") if line.startswith(b"* SEARCH"))

    @contextlib.contextmanager
    def idle(self) -> Iterator["Idling"]:
        """IDLE for the block."""
        self.sock.sendall(b"i IDLE\r\n")
        waiting = Idling(self.sock)
        waiting.until(b"+ ", TIMEOUT)
        try:
            yield waiting
        finally:
            self.sock.sendall(b"DONE\r\n")
            waiting.until(b"i OK", TIMEOUT)

    def exists(self) -> int:
        """How many messages INBOX has."""
        _, _, tail = self.command("STATUS INBOX (MESSAGES)")
        return int(tail.partition(b"MESSAGES ")[2].partition(b")")[0].split()[0])


class Idling:
    """What a session in IDLE receives."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def until(self, mark: bytes, seconds: float) -> None:
        """Read until `mark` has come. Raises TimeoutError."""
        got = b""
        self._sock.settimeout(seconds)
        try:
            while mark not in got:
                piece = self._sock.recv(65536)
                if not piece:
                    raise ConnectionError("closed in IDLE")
                got += piece
        finally:
            self._sock.settimeout(TIMEOUT)

    def quiet(self, seconds: float) -> None:
        """Read until nothing has come for this time."""
        with contextlib.suppress(TimeoutError):
            while True:
                self.until(b"\r\n", seconds)


class Pop3Line(_Line):
    """A POP3 session over STLS."""

    def begin(self, user: str) -> None:
        """Greeting, TLS and USER."""
        self.line()
        self.command("STLS")
        self.secure()
        self.command(f"USER {user}")

    def command(self, text: str, *, whole: bool = False) -> bytes:
        """The answer, one line or with `whole` all of them. Raises Refused unless it is +OK."""
        self.sock.sendall(text.encode() + b"\r\n")
        answer = self.line() if not whole else self._lines()
        if not answer.startswith(b"+OK"):
            raise Refused(f"{text.split()[0]}: {answer[:100]!r}")
        return answer

    def _lines(self) -> bytes:
        got = bytearray()
        while not got.endswith(b"\r\n.\r\n"):
            piece = self.sock.recv(65536)
            if not piece or got.startswith(b"-"):
                raise Refused(f"{bytes(got[:100])!r}")
            got += piece
        return bytes(got)
