"""How long one message takes when nothing else is going on: from the end of its octets until the other end has it."""

import time
from collections.abc import Callable

from tests.bench.senders import Sent, Session, body

LIMIT = 30.0
#: So that each meets a service at rest, not the end of the one before.
PAUSE = 0.05


def one_by_one(port: int, sender: str, recipient: str, count: int, arrived: Callable[[], int]) -> Sent:
    """Send `count` messages, each a moment after the one before has arrived; `arrived` says how many have."""
    session = Session(port, sender)
    text = body() + b".\r\n"
    latencies = []
    started = time.monotonic()
    try:
        for _ in range(count):
            time.sleep(PAUSE)
            before = arrived()
            session.begin(recipient)
            while not session.in_data:
                session.readable(text)
            sent = time.monotonic()
            while not session.readable(b""):
                pass
            while arrived() == before:
                if time.monotonic() > sent + LIMIT:
                    raise TimeoutError(f"a message for {recipient} did not arrive within {LIMIT:g} s")
                time.sleep(0.0002)
            latencies.append(time.monotonic() - sent)
    finally:
        session.sock.close()
    return Sent(started, time.monotonic(), sorted(latencies))
