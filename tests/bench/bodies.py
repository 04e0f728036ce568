"""Large messages at once: what accepting them takes of memory, and what is refused before and after its octets were sent."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO

from tests.bench.memory import Processes, megabytes
from tests.bench.senders import SENDER

OCTETS = 10_000_000
AT_ONCE = 50
#: Seconds after which a client that was refused for now comes again, and in all.
AGAIN, LIMIT = 1.0, 600.0
LINE = b"x" * 70 + b"\r\n"
BODY = b"Subject: large\r\n\r\n" + LINE * (OCTETS // len(LINE) - 1)


@dataclass
class Outcome:
    """What happened to the messages."""

    early: int = 0
    """Refusals before the octets: of MAIL, RCPT or DATA."""
    late: int = 0
    """Refusals after the final dot."""
    seconds: float = 0.0
    peak: float = 0.0
    """The most memory of the processes that take mail in meanwhile, in MB."""


def send_all(port: int, recipients: list[str], processes: Processes, taking: Callable[[str], bool]) -> Outcome:
    """Send AT_ONCE messages at once, each again until it is accepted. `taking`: whether a process takes mail in, by its name."""
    outcome, done, started = Outcome(), threading.Event(), time.monotonic()

    def watch() -> None:
        while not done.wait(0.1):
            now = megabytes(lambda: (each for each in processes() if taking(each[0])))
            outcome.peak = max(outcome.peak, sum(now.values()))

    def client(number: int) -> None:
        while (refused := _try(port, recipients[number % len(recipients)])) != "":
            outcome.early += refused == "early"
            outcome.late += refused == "late"
            if time.monotonic() - started > LIMIT:
                raise RuntimeError("not accepted in time")
            time.sleep(AGAIN)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        with ThreadPoolExecutor(AT_ONCE) as clients:
            list(clients.map(client, range(AT_ONCE)))
    finally:
        done.set()
        watcher.join()
    outcome.seconds = time.monotonic() - started
    return outcome


def _try(port: int, recipient: str) -> str:
    """Send one message; return "" if it was accepted, else when it was refused."""
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as wire, wire.makefile("rb") as replies:
        _reply(replies)
        for line in ("EHLO bench.test", f"MAIL FROM:<{SENDER}> SIZE={len(BODY)}", f"RCPT TO:<{recipient}>", "DATA"):
            wire.sendall(line.encode() + b"\r\n")
            if _reply(replies) >= 400:
                return "early"
        wire.sendall(BODY + b".\r\n")
        code = _reply(replies)
        with contextlib.suppress(OSError):
            wire.sendall(b"QUIT\r\n")
        return "" if code == 250 else "late"


def _reply(replies: BinaryIO) -> int:
    while True:
        line = replies.readline()
        if line[3:4] != b"-":
            return int(line[:3] or 599)
