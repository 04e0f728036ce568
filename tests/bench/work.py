"""What is measured on either side: each step is work that both do in turn, a few times over."""

import time
from dataclasses import dataclass

from tests.bench.bodies import AT_ONCE, send_all
from tests.bench.bodies import OCTETS as BODY_OCTETS
from tests.bench.folder import large_folder
from tests.bench.latency import one_by_one
from tests.bench.lines import ImapLine
from tests.bench.memory import cpu
from tests.bench.readers import imap_rows, pop3_reads
from tests.bench.senders import SENDER, flood, send, tool
from tests.bench.sides import Side
from tests.bench.table import Value
from tests.support.run import wait_for

LIMIT = 300.0
#: Methods of Work, in their order.
STEPS = ("filing", "relaying", "connecting", "alone", "bodies", "pop3", "imap", "folder")


@dataclass(frozen=True)
class Sizes:
    """How much is done: messages a round, messages sent one at a time, messages to be read."""

    messages: int = 3000
    alone: int = 100
    maildrop: int = 1000
    folder: int = 10000

    def tenth(self) -> "Sizes":
        return Sizes(self.messages // 10, self.alone // 10, self.maildrop // 10, self.folder // 10)


class Work:
    """The steps on one side."""

    def __init__(self, side: Side, sizes: Sizes) -> None:
        self.side, self.sizes = side, sizes
        self.boxes = side.boxes()
        self.popper, self.reader, self.waiter = (side.reader(name) for name in ("popper", "reader", "waiter"))
        send(side.smtp_port, self.boxes)  # so that nobody is measured while waking up
        send(side.smtp_port, [self.popper[0]] * sizes.maildrop, limit=LIMIT)
        send(side.smtp_port, [self.reader[0]] * sizes.folder, limit=LIMIT)
        self._drained()
        self.large = large_folder(side, sizes.folder)

    def _drained(self) -> float:
        wait_for(self.side.queue_empty, LIMIT, "the queue is empty")
        return time.monotonic()

    def filing(self) -> list[Value]:
        """Mail for the hundred mailboxes: accepted, and filed."""
        side, count = self.side, self.sizes.messages
        idle, elsewhere = cpu(side.processes), side.sink.count
        sent = send(side.smtp_port, [self.boxes[number % len(self.boxes)] for number in range(count)], limit=LIMIT)
        ended = self._drained()
        if lost := side.sink.count - elsewhere:
            raise RuntimeError(f"{lost} messages for the mailboxes went to the other host: bounces")
        spent = {name: (busy - idle.get(name, 0.0)) / count * 1e6 for name, busy in cpu(side.processes).items()}
        return [
            Value("accepted", sent.rate, "messages/s", "more"),
            Value("accepted, latency p50", sent.percentile(0.50) * 1000, "ms"),
            Value("accepted, latency p99", sent.percentile(0.99) * 1000, "ms"),
            Value("filed in 100 mailboxes", count / (ended - sent.started), "messages/s", "more"),
            *(Value(f"CPU per filed message, {name}", spent[name], "µs") for name in sorted(spent)),
            Value("CPU per filed message, sum", sum(spent.values()), "µs"),
        ]

    def relaying(self) -> list[Value]:
        """Mail for another host over kept connections, until that has all."""
        return self._relayed("relayed to another host", "relayed message", kept=True)

    def connecting(self) -> list[Value]:
        """The same with a connection for each message, as most other providers' servers come."""
        if tool("smtp-source") is None:
            return []
        return self._relayed("relayed, a connection each", "relayed message, a connection each", kept=False)

    def _relayed(self, what: str, message: str, *, kept: bool) -> list[Value]:
        side, count, before = self.side, self.sizes.messages, self.side.sink.count
        idle = cpu(side.processes)
        began = flood(side.smtp_port, count, side.far, side.sender, LIMIT, kept=kept)
        wait_for(lambda: side.sink.count - before >= count, LIMIT, "the sink has all")
        ended = time.monotonic()
        self._drained()
        spent = {name: (busy - idle.get(name, 0.0)) / count * 1e6 for name, busy in cpu(side.processes).items()}
        return [
            Value(what, count / (ended - began), "messages/s", "more"),
            *(Value(f"CPU per {message}, {name}", spent[name], "µs") for name in sorted(spent)),
            Value(f"CPU per {message}, sum", sum(spent.values()), "µs"),
        ]

    def alone(self) -> list[Value]:
        """One message at a time, nothing else going on."""
        side = self.side
        relayed = one_by_one(side.smtp_port, side.sender, side.far, self.sizes.alone, lambda: side.sink.count)
        address, login, _, password = self.waiter
        with ImapLine(side.imap_port, login, password) as client:
            filed = one_by_one(side.smtp_port, SENDER, address, self.sizes.alone, client.exists)
        return [
            Value("relayed, one at a time, p50", relayed.percentile(0.50) * 1000, "ms"),
            Value("relayed, one at a time, p99", relayed.percentile(0.99) * 1000, "ms"),
            Value("filed, one at a time, p50", filed.percentile(0.50) * 1000, "ms"),
            Value("filed, one at a time, p99", filed.percentile(0.99) * 1000, "ms"),
        ]

    def bodies(self) -> list[Value]:
        """Fifty messages of 10 MB at once."""
        names = ("smtp-gateway", "postfix")  # what takes mail in on either side
        found = send_all(self.side.smtp_port, self.boxes, self.side.processes, lambda name: name in names)
        self._drained()
        what = f"{AT_ONCE} messages of {BODY_OCTETS // 1_000_000} MB at once"
        return [
            Value(f"{what}, all accepted", found.seconds, "s"),
            Value(f"{what}, peak memory of what takes them in", found.peak, "MB"),
            Value(f"{what}, refused for now before their octets", found.early, "times"),
            Value(f"{what}, refused for now after them", found.late, "times"),
        ]

    def pop3(self) -> list[Value]:
        """A whole maildrop by RETR."""
        _, _, login, password = self.popper
        read = pop3_reads(self.side.pop3_port, login, password, self.sizes.maildrop)
        return [
            Value("POP3 RETR", read.rate, "messages/s", "more"),
            Value("POP3 RETR, p50", read.percentile(0.50) * 1000, "ms"),
            Value("POP3 RETR, p99", read.percentile(0.99) * 1000, "ms"),
        ]

    def imap(self) -> list[Value]:
        """A large folder by IMAP, each command several times."""
        _, login, _, password = self.reader
        found = []
        for what, (median, worst) in imap_rows(self.side.imap_port, login, password, self.sizes.folder).items():
            found += [Value(f"{what}, p50", median, "ms"), Value(f"{what}, worst of 11", worst, "ms")]
        return found

    def folder(self) -> list[Value]:
        """The rows of `make bench-large` in a smaller folder, except those that change it most."""
        large = self.large
        steps = (
            large.listing,
            large.selecting,
            large.changing,
            large.newest,
            large.searching,
            large.sorting,
            large.idling,
        )
        return [value for step in steps for value in step()]
