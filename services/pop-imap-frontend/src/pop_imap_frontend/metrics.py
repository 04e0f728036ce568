"""Metrics of both protocols; no address or domain is a label."""

from prometheus_client import Counter, Histogram

from mailkit.process.metrics import from_zero

PROTOCOLS = ("pop3", "imap")
BYTES = from_zero(
    Counter(
        "postrider_frontend_bytes_total",
        "Octets of ended mail sessions by direction: in, out",
        ["listener", "direction"],
    ),
    ("pop3", "pop3s", "imap", "imaps"),
    ("in", "out"),
)
LOGINS = from_zero(
    Counter(
        "postrider_frontend_logins_total",
        "Logins by protocol and outcome: ok, refused, throttled, busy, too_soon (P4), away",
        ["protocol", "outcome"],
    ),
    PROTOCOLS,
    ("ok", "refused", "throttled", "busy", "too_soon", "away"),
)
COMMAND_SECONDS = Histogram(
    "postrider_frontend_command_seconds",
    "From a command to its last answer, IDLE left out",
    ["protocol", "command"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
)


BUDGET_WAITS = from_zero(
    Counter(
        "postrider_frontend_budget_waits_total",
        "Commands that waited because their mailbox had too much under way: commands (FETCH, SEARCH, COPY, APPEND), literals "
        "(octets); refused: of those, answered NO [LIMIT]",
        ["budget", "outcome"],
    ),
    ("commands", "literals"),
    ("waited", "refused"),
)


def count_bytes(listener: str, received: int, sent: int) -> None:
    """Count the octets of a session that has ended."""
    BYTES.labels(listener, "in").inc(received)
    BYTES.labels(listener, "out").inc(sent)


class CommandMetrics:
    """Counters and timers of the commands of one protocol.

    The labelled children are cached, so a command costs two dictionary look-ups.
    """

    def __init__(self, protocol: str, counter: Counter) -> None:
        self._protocol = protocol
        self._counter = counter
        self._counts: dict[tuple[str, str], Counter] = {}
        self._seconds: dict[str, Histogram] = {}

    def __call__(self, name: str, answer: str, seconds: float) -> None:
        """Count and time one command; `name` is a known command or "unknown"."""
        count = self._counts.get((name, answer))
        if count is None:
            count = self._counts[name, answer] = self._counter.labels(name, answer)
        count.inc()
        if name != "IDLE":
            timer = self._seconds.get(name)
            if timer is None:
                timer = self._seconds[name] = COMMAND_SECONDS.labels(self._protocol, name)
            timer.observe(seconds)
