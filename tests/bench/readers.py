"""POP3 and IMAP clients that only count octets, so that the server is what is measured."""

import contextlib
import socket
import ssl
import time
from typing import Self

from tests.bench.senders import Sent

TIMEOUT = 120.0


def _careless() -> ssl.SSLContext:
    """TLS as on every reader's connection; whose certificate it is does not matter here."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


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
        """Seconds until the tagged line, octets, and the end of the answer; RuntimeError unless OK."""
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
            raise RuntimeError(f"{text}: {last!r}")
        return seconds, octets, bytes(tail)

    def repeated(self, text: str, times: int = 11) -> tuple[float, float]:
        """Milliseconds: the median and the worst."""
        took = sorted(self.command(text)[0] * 1000 for _ in range(times))
        return took[times // 2], took[-1]

    def exists(self) -> int:
        """How many messages INBOX has."""
        _, _, tail = self.command("STATUS INBOX (MESSAGES)")
        return int(tail.partition(b"MESSAGES ")[2].partition(b")")[0].split()[0])


def imap_rows(port: int, user: str, password: str, count: int) -> dict[str, tuple[float, float]]:
    """Milliseconds of each command, median and worst of eleven; one of each before, so that indexes are there."""
    commands = {  # and the least octets each message has in an honest answer
        "IMAP SELECT": ("SELECT INBOX", 0),
        "IMAP FETCH 1:* (FLAGS)": ("FETCH 1:* (FLAGS)", 16),
        "IMAP FETCH 1:* (ENVELOPE)": ("FETCH 1:* (ENVELOPE)", 100),
        "IMAP FETCH 1:* (BODY.PEEK[])": ("FETCH 1:* (BODY.PEEK[])", 4000),
    }
    with ImapLine(port, user, password) as client:
        found = client.exists()
        if found != count:
            raise RuntimeError(f"{found} messages instead of {count}")
        for command, least in commands.values():
            _, octets, _ = client.command(command)
            if octets < least * count:
                raise RuntimeError(f"{command}: only {octets} octets")
        return {what: client.repeated(command) for what, (command, _) in commands.items()}


def pop3_reads(port: int, user: str, password: str, count: int) -> Sent:
    """RETRs one after the other: the fastest of three sessions."""
    return max((_retrieve(port, user, password, count) for _ in range(3)), key=lambda read: read.rate)


def _retrieve(port: int, user: str, password: str, count: int) -> Sent:
    with _Line(port) as client:
        client.line()
        for words in ("STLS", f"USER {user}", f"PASS {password}", "STAT"):
            client.sock.sendall(words.encode() + b"\r\n")
            answer = client.line()
            if not answer.startswith(b"+OK"):
                raise RuntimeError(f"{words.split()[0]}: {answer!r}")
            if words == "STLS":
                client.secure()
        if int(answer.split()[1]) != count:
            raise RuntimeError(f"{answer!r} instead of {count} messages")
        latencies = []
        started = before = time.perf_counter()
        for number in range(1, count + 1):
            client.sock.sendall(b"RETR %d\r\n" % number)
            got = b""
            while not got.endswith(b"\r\n.\r\n"):
                piece = client.sock.recv(65536)
                if not piece or got.startswith(b"-"):
                    raise RuntimeError(f"RETR {number}: {got[:100]!r}")
                got += piece
            now = time.perf_counter()
            latencies.append(now - before)
            before = now
        client.sock.sendall(b"QUIT\r\n")
        client.line()
    return Sent(started, before, sorted(latencies))
