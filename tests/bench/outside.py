"""`make bench-outside`: what SPF, DKIM, ARC and DMARC of mail from outside cost, beside a run that takes such mail as it comes.

Messages of 4 KB to one hundred mailboxes, with an RSA-2048 signature, and zones in which SPF, DKIM and DMARC pass; the answers
of the DNS are in the cache. Both runs are up all the time and work in turn; a figure is the median of the rounds.
"""

import argparse
import contextlib
import time
from collections.abc import Iterator
from statistics import median

import psutil
from cryptography.hazmat.primitives.asymmetric import rsa

from mailauth.dkim import keys
from mailauth.dkim.sign import Signer, body_hash, prepare
from tests.bench.senders import SENDER, Sent, body, send
from tests.support.outside import THEN, quoted
from tests.support.run import Run, program, wait_for
from tests.support.world import World

BOXES = 100
#: Seconds for which an idle run is measured.
IDLE_SECONDS = 8.0
#: The limits of decision 90: rate, and seconds of the 95th percentile.
LEAST_RATE, MOST_SECONDS = 0.7, 0.030


def signed() -> tuple[bytes, str]:
    """A message of far.example with its signature, and the record of the key."""
    key = rsa.generate_private_key(65537, 2048)
    header, _, text = body().partition(b"\r\n\r\n")
    (unsigned,) = prepare(header + b"\r\n", body_hash([text]), [Signer("far.example", "s", "rsa-sha256")], now=THEN)
    return unsigned.field(keys.sign(key, unsigned.digest)) + header + b"\r\n\r\n" + text, keys.record_of(key)


class InspectedRun:
    """A run and what its processes have used."""

    def __init__(self, run: Run) -> None:
        self.run = run
        domain = run.domain()
        self.boxes = [run.mailbox(domain, f"box{number}").address for number in range(BOXES)]
        self.idle: dict[str, float] = {}
        """Processor time that a second without mail takes."""

    def rest(self) -> None:
        """Measure what an idle run takes."""
        before = self.seconds()
        time.sleep(IDLE_SECONDS)
        self.idle = {name: (after - before[name]) / IDLE_SECONDS for name, after in self.seconds().items()}

    def seconds(self) -> dict[str, float]:
        """Processor time so far, of the gateway and of all processes, in seconds."""
        found = {"gateway": 0.0, "all": 0.0}
        for process in self.run.processes():
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                found["all"] += times.user + times.system
                if program(process.cmdline()) == "smtp-gateway":
                    found["gateway"] += times.user + times.system
        return found

    def measure(self, message: bytes, count: int) -> tuple[Sent, dict[str, float]]:
        """Send `count` messages and wait until they are filed; return the processor time of each (ms) beyond what an idle run takes."""
        before, began = self.seconds(), time.monotonic()
        sent = send(self.run.port("SMTP"), [self.boxes[n % BOXES] for n in range(count)], SENDER, message=message)
        wait_for(lambda: self.run.api("GET", "queue", "/v1/queue?limit=1") == [], 300, "the queue is empty")
        after, took = self.seconds(), time.monotonic() - began
        return sent, {name: 1000 * (after[name] - before[name] - took * self.idle[name]) / count for name in after}


@contextlib.contextmanager
def started(world: World, *, inspects: bool) -> Iterator[InspectedRun]:
    """A run that inspects mail from outside, or does not."""
    settings = world.settings() | {"AUTHENTICATE_MAIL": str(inspects).lower()}
    run = Run(None, **settings, LIMIT_EXEMPT_NETWORKS="127.0.0.0/8")
    try:
        run.start()
        yield InspectedRun(run)
    finally:
        run.close()


def main() -> int:
    """Print rates, latencies and processor time of both, and whether they are within the limits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    message, record = signed()
    with World() as world:
        world.dns.set("far.example", MX=["10 mx.far.example"], TXT=[quoted("v=spf1 ip4:127.0.0.1 -all")])
        world.dns.set("s._domainkey.far.example", TXT=[quoted(record)])
        world.dns.set("_dmarc.far.example", TXT=[quoted("v=DMARC1; p=reject")])
        with started(world, inspects=False) as plain, started(world, inspects=True) as inspecting:
            sides = {"as it comes": plain, "inspected": inspecting}
            rates: dict[str, list[float]] = {name: [] for name in sides}
            slow: dict[str, list[float]] = {name: [] for name in sides}
            used: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
            for side in sides.values():
                side.rest()
            for turn in range(asked.rounds + 1):
                for name in sides if turn % 2 == 0 else reversed(sides):
                    sent, took = sides[name].measure(message, asked.messages if turn else 200)
                    if turn:  # the first one warms up
                        rates[name].append(sent.rate)
                        slow[name].append(sent.percentile(0.95))
                        used[name].append(took)
    for name in sides:
        gateway, whole = (median(each[part] for each in used[name]) for part in ("gateway", "all"))
        print(
            f"{name:<12} {median(rates[name]):7.0f} msg/s   p95 {1000 * median(slow[name]):6.1f} ms   "
            f"processor {gateway:.2f} ms/msg gateway, {whole:.2f} ms/msg all"
        )
    ratio = median(after / before for before, after in zip(*rates.values(), strict=True))
    more = median(after - before for before, after in zip(*slow.values(), strict=True))
    share = median(before["all"] / after["all"] for before, after in zip(*used.values(), strict=True))
    print(f"by processor time {100 * share:.0f} % of the rate, which other work on the machine changes less")
    good = ratio >= LEAST_RATE and more <= MOST_SECONDS
    print(
        f"rate {100 * ratio:.0f} % (at least {100 * LEAST_RATE:.0f}), p95 {1000 * more:+.1f} ms (at most +{1000 * MOST_SECONDS:.0f})"
    )
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
