"""`make bench`: messages per second of the whole service, driven by Postfix's smtp-source and smtp-sink.

The comparison with Postfix and Dovecot themselves is not here yet; the figures are this machine's, in this minute.
"""

import os
import shutil
import subprocess
import sys
import time

from tests.support.clients import imap
from tests.support.run import Run, wait_for
from tests.support.world import World

MESSAGES = int(os.environ.get("POSTRIDER_BENCH_MESSAGES", "5000"))
SESSIONS = 20
OCTETS = 4096


def submit(run: Run, recipient: str) -> float:
    """Seconds until all messages were answered 250."""
    started = time.perf_counter()
    subprocess.run(
        [tool("smtp-source"), "-d", "-s", str(SESSIONS), "-l", str(OCTETS), "-m", str(MESSAGES), "-f", "", "-t", recipient,
         f"127.0.0.1:{run.port('SMTP')}"],
        check=True,
    )  # fmt: skip
    return time.perf_counter() - started


def measure(run: Run, name: str, recipient: str) -> None:
    """One row: accepted per second, and per second until the queue was empty."""
    started = time.perf_counter()
    accepted = submit(run, recipient)
    wait_for(lambda: run.api("GET", "queue", "/v1/queue?limit=1") == [], 300, "the queue is empty")
    whole = time.perf_counter() - started
    print(f"{name:<22} accepted {MESSAGES / accepted:7.0f}/s   done {MESSAGES / whole:7.0f}/s", flush=True)


def tool(name: str) -> str:
    found = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")
    if found is None:
        sys.exit(f"{name} is missing: apt-get install postfix (it need not run), or `make interop` as root")
    return found


def main() -> None:
    """Run all rows."""
    tool("smtp-source")
    sink_words = [tool("smtp-sink"), *(["-u", "nobody"] if os.geteuid() == 0 else [])]
    with World() as world:
        run = Run(**world.settings(), LIMIT_EXEMPT_NETWORKS="127.0.0.0/8", RECIPIENTS_PER_HOUR="0")
        sink = None
        try:
            run.start()
            user = run.mailbox(run.domain(), quota=2048 * 1024 * 1024)
            imap(run, user).logout()  # the grant that lets this address relay
            address = world.address()
            world.dns.set("mx.bench.example", A=[address])
            world.dns.set("bench.example", MX=["10 mx.bench.example"])
            sink = subprocess.Popen(
                [*sink_words, "-c", f"{address}:{world.smtp_port}", "1000"], stdout=subprocess.DEVNULL
            )
            print(f"{MESSAGES} messages of {OCTETS} octets, {SESSIONS} sessions")
            measure(run, "filed in one mailbox", user.address)
            measure(run, "relayed to a sink", "x@bench.example")
            for process in run.processes():
                line = process.cmdline()
                if len(line) > 2 and line[1] == "-m":
                    print(f"{line[2]:<22} {process.memory_info().rss // 1024 // 1024} MB")
        finally:
            if sink is not None:
                sink.terminate()
            run.close()


if __name__ == "__main__":
    main()
