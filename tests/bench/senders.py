"""SMTP clients that cost little: many kept connections in a few processes, each transaction timed."""

import multiprocessing
import selectors
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

SESSIONS = 20
PROCESSES = 2
OCTETS = 4096
SENDER = "a@far.example"
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass
class Sent:
    """When the first transaction began and the last was answered, and how long each took, sorted."""

    started: float
    ended: float
    latencies: list[float]

    @property
    def rate(self) -> float:
        return len(self.latencies) / (self.ended - self.started)

    def percentile(self, share: float) -> float:
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * share))]


def body(octets: int = OCTETS) -> bytes:
    """A message of `octets` octets, without the final dot."""
    head = (
        b"From: a@far.example\r\nTo: someone@bench.test\r\nSubject: bench\r\nMessage-ID: <bench@far.example>\r\n"
        b"Date: Mon, 23 Nov 2026 11:20:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n"
    )
    line = b"The quick brown fox jumps over the lazy dog, and does so again and again.\r\n"
    text = line * ((octets - len(head)) // len(line))
    rest = octets - len(head) - len(text)
    return head + text + (b"x" * (rest - 2) + b"\r\n" if rest >= 2 else b"")


def _reply(sock: socket.socket) -> bytes:
    """One whole reply of a blocking socket."""
    got = b""
    while not _complete(got, 1):
        piece = sock.recv(4096)
        if not piece:
            raise ConnectionError(f"closed after {got!r}")
        got += piece
    return got


def _complete(got: bytes, replies: int) -> bool:
    """Whether `replies` final reply lines are there."""
    if not got.endswith(b"\r\n"):
        return False
    return sum(1 for line in got.split(b"\r\n") if line[3:4] == b" ") >= replies


class Session:
    """One kept connection: MAIL, RCPT and DATA in one piece, then the message."""

    def __init__(self, port: int, sender: str) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), 30)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _reply(self.sock)
        self.sock.sendall(b"EHLO client.test\r\n")
        _reply(self.sock)
        self.sock.settimeout(30)
        self.sender = sender
        self.got = b""
        self.in_data = False
        self.began = 0.0

    def begin(self, recipient: str) -> None:
        self.began = time.monotonic()
        self.got, self.in_data = b"", False
        self.sock.sendall(f"MAIL FROM:<{self.sender}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode())

    def transact(self, recipient: str, text: bytes) -> None:
        """One transaction, until its 250."""
        self.begin(recipient)
        while not self.in_data:
            self.readable(text + b".\r\n")
        while not self.readable(b""):
            pass

    def readable(self, text: bytes) -> bool:
        """Whether the transaction is over."""
        piece = self.sock.recv(4096)
        self.got += piece
        if not piece:
            raise ConnectionError(f"closed after {self.got!r}")
        if not _complete(self.got, 1 if self.in_data else 3):
            if self.got[:1] in (b"4", b"5"):
                raise RuntimeError(f"refused: {self.got!r}")
            return False
        if self.in_data:
            if not self.got.startswith(b"250"):
                raise RuntimeError(f"refused: {self.got!r}")
            return True
        if b"354" not in self.got:
            raise RuntimeError(f"refused: {self.got!r}")
        self.got, self.in_data = b"", True
        self.sock.sendall(text)
        return False


def _work(port: int, sender: str, recipients: Sequence[str], sessions: int, limit: float, message: bytes) -> Sent:
    """One process: all its sessions in one loop."""
    text = message + b".\r\n"
    left: Iterator[str] = iter(recipients)
    latencies: list[float] = []
    poll = selectors.DefaultSelector()
    opened = [Session(port, sender) for _ in range(min(sessions, len(recipients)))]
    started = time.monotonic()
    for session in opened:
        poll.register(session.sock, selectors.EVENT_READ, session)
        session.begin(next(left))
    while len(latencies) < len(recipients):
        if time.monotonic() > started + limit:
            raise TimeoutError(f"{len(latencies)} of {len(recipients)} messages in {limit:g} s")
        for key, _ in poll.select(1.0):
            session = key.data
            if not session.readable(text):
                continue
            latencies.append(time.monotonic() - session.began)
            following = next(left, None)
            if following is None:
                poll.unregister(session.sock)
            else:
                session.begin(following)
    ended = time.monotonic()
    for session in opened:
        session.sock.sendall(b"QUIT\r\n")
        session.sock.close()
    return Sent(started, ended, latencies)


def send(
    port: int, recipients: Sequence[str], sender: str = SENDER, limit: float = 300.0, message: bytes = b""
) -> Sent:
    """One message per transaction to each of `recipients`, by default `body()`, over 20 kept connections of two processes."""
    message = message or body()
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        share = SESSIONS // PROCESSES
        parts = [recipients[place::PROCESSES] for place in range(PROCESSES)]
        done = [
            job.result()
            for job in [pool.submit(_work, port, sender, part, share, limit, message) for part in parts if part]
        ]
    latencies = sorted(latency for sent in done for latency in sent.latencies)
    return Sent(min(sent.started for sent in done), max(sent.ended for sent in done), latencies)


def deliver(port: int, recipient: str, texts: Sequence[bytes]) -> None:
    """Send these messages one after the other."""
    session = Session(port, SENDER)
    try:
        for text in texts:
            session.transact(recipient, text)
    finally:
        session.sock.close()


def tool(name: str) -> str | None:
    """A program of Debian's, when it is installed."""
    return shutil.which(name, path=PATH)


def flood(
    port: int, count: int, recipient: str, sender: str = SENDER, limit: float = 300.0, *, kept: bool = True
) -> float:
    """The same to one recipient by smtp-source where it is installed; the moment of the beginning.

    Without `kept` each message comes in a connection of its own. Raises RuntimeError for these if there is no smtp-source.
    """
    source = tool("smtp-source")
    if source is None:
        if not kept:
            raise RuntimeError("there is no smtp-source (Debian's postfix)")
        return send(port, [recipient] * count, sender, limit).started
    began = time.monotonic()
    subprocess.run(
        [
            source,
            *(["-d"] if kept else []),
            "-s",
            str(SESSIONS),
            "-l",
            str(OCTETS),
            "-m",
            str(count),
            "-f",
            sender,
            "-t",
            recipient,
            f"127.0.0.1:{port}",
        ],
        check=True,
        timeout=limit,
        stdout=subprocess.DEVNULL,
    )
    return began
