"""`make bench`: the whole service under load, beside Debian's Postfix and Dovecot where they are installed.

The figures are this machine's in this minute; the ratios say more, both sides did the same work one after the other.
"""

import argparse
import contextlib
import os
import signal
import sys
import time
from dataclasses import dataclass
from types import FrameType

from tests.bench.latency import one_by_one
from tests.bench.memory import Peaks, cpu
from tests.bench.readers import ImapLine, imap_rows, pop3_reads
from tests.bench.senders import OCTETS, SENDER, SESSIONS, flood, send
from tests.bench.sides import Side, installed, postfix_dovecot, postrider
from tests.bench.table import Table
from tests.support.run import wait_for

LIMIT = 300.0
WHOLE_LIMIT = 1800


@dataclass(frozen=True)
class Sizes:
    """How much is done."""

    messages: int = 5000
    alone: int = 100
    maildrop: int = 1000
    folder: int = 10000

    def tenth(self) -> "Sizes":
        return Sizes(self.messages // 10, self.alone // 10, self.maildrop // 10, self.folder // 10)


def measure(side: Side, table: Table, sizes: Sizes) -> None:
    """All rows of one side."""

    def put(what: str, value: float, unit: str, better: str = "more") -> None:
        table.put(side.name, what, value, unit, better)

    def drained() -> float:
        wait_for(side.queue_empty, LIMIT, "the queue is empty")
        return time.monotonic()

    boxes = side.boxes()
    send(side.smtp_port, boxes)  # so that nobody is measured while waking up
    drained()
    with Peaks(side.processes) as peaks:
        idle = cpu(side.processes)
        sent = send(side.smtp_port, [boxes[number % len(boxes)] for number in range(sizes.messages)], limit=LIMIT)
        ended = drained()
        busy = cpu(side.processes)
        put("accepted", sent.rate, "messages/s")
        put("accepted, latency p50", sent.percentile(0.50) * 1000, "ms", "less")
        put("accepted, latency p99", sent.percentile(0.99) * 1000, "ms", "less")
        put("filed in 100 mailboxes", sizes.messages / (ended - sent.started), "messages/s")
        for name in sorted(busy):
            spent = (busy[name] - idle.get(name, 0.0)) / sizes.messages
            put(f"CPU per filed message, {name}", spent * 1e6, "µs", "less")
        put(
            "CPU per filed message, sum", (sum(busy.values()) - sum(idle.values())) / sizes.messages * 1e6, "µs", "less"
        )

        before = side.sink.count
        if before:
            raise RuntimeError(f"{before} messages for the mailboxes went to the other host: bounces")
        began = flood(side.smtp_port, sizes.messages, side.far, side.sender, LIMIT)
        wait_for(lambda: side.sink.count - before >= sizes.messages, LIMIT, "the sink has all")
        put("relayed to another host", sizes.messages / (time.monotonic() - began), "messages/s")
        drained()
        alone = one_by_one(side.smtp_port, side.sender, side.far, sizes.alone, lambda: side.sink.count)
        put("relayed, one at a time, p50", alone.percentile(0.50) * 1000, "ms", "less")
        put("relayed, one at a time, p99", alone.percentile(0.99) * 1000, "ms", "less")
        address, login, _, password = side.reader("waiter")
        with ImapLine(side.imap_port, login, password) as client:
            alone = one_by_one(side.smtp_port, SENDER, address, sizes.alone, client.exists)
        put("filed, one at a time, p50", alone.percentile(0.50) * 1000, "ms", "less")
        put("filed, one at a time, p99", alone.percentile(0.99) * 1000, "ms", "less")

        address, _, login, password = side.reader("popper")
        send(side.smtp_port, [address] * sizes.maildrop, limit=LIMIT)
        drained()
        read = pop3_reads(side.pop3_port, login, password, sizes.maildrop)
        put("POP3 RETR", read.rate, "messages/s")
        put("POP3 RETR, p50", read.percentile(0.50) * 1000, "ms", "less")
        put("POP3 RETR, p99", read.percentile(0.99) * 1000, "ms", "less")

        address, login, _, password = side.reader("reader")
        send(side.smtp_port, [address] * sizes.folder, limit=LIMIT)
        drained()
        for what, (median, worst) in imap_rows(side.imap_port, login, password, sizes.folder).items():
            put(f"{what}, p50", median, "ms", "less")
            put(f"{what}, worst of 11", worst, "ms", "less")
    for name, megabytes in sorted(peaks.megabytes.items()):
        put(f"peak memory, {name}", megabytes, "MB", "less")
    put("peak memory, sum", sum(peaks.megabytes.values()), "MB", "less")


def leave(number: int, frame: FrameType | None) -> None:
    """Told to end, or too late: an exception, so that everything started is stopped on the way out."""
    if number == signal.SIGALRM:
        raise TimeoutError(f"not done in {WHOLE_LIMIT} s")
    sys.exit(128 + number)


def main() -> int:
    """Measure and print."""
    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGALRM, leave)
    signal.alarm(WHOLE_LIMIT)
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the sizes")
    parser.add_argument("--json", action="store_true", help="the result as JSON, nothing else on standard output")
    words = parser.parse_args()
    sizes = Sizes().tenth() if words.quick else Sizes()
    table = Table()
    failed = False
    with contextlib.redirect_stdout(sys.stderr) if words.json else contextlib.nullcontext():
        print(f"{sizes.messages} messages of {OCTETS} octets over {SESSIONS} sessions, {os.cpu_count()} cores, "
              f"load {os.getloadavg()[0]:.1f}, Python {sys.version}; folders of {sizes.maildrop} (POP3) and {sizes.folder} (IMAP) messages")  # fmt: skip
        sides = {"Postrider": postrider, "Postfix and Dovecot": postfix_dovecot}
        if why := installed():
            print(f"no comparison: {why}")
            del sides["Postfix and Dovecot"]
        for title, start in sides.items():
            print(title, flush=True)
            try:
                with start() as side:
                    measure(side, table, sizes)
            except (AssertionError, RuntimeError, OSError) as error:
                print(f"  {title} failed: {error!r}", flush=True)
                failed = True
    print(table.json() if words.json else "\n" + table.text())
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
