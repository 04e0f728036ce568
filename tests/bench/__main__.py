"""`make bench`: the whole service under load, beside Debian's Postfix and Dovecot where they are installed.

Both are up all the time and work in turn, round after round; a figure is the median of its rounds. The figures are this
machine's in this minute; the ratios say more.
"""

import argparse
import contextlib
import os
import signal
import sys
from collections import defaultdict
from statistics import median
from types import FrameType

from tests.bench.memory import Peaks
from tests.bench.senders import OCTETS, SESSIONS
from tests.bench.sides import installed, postfix_dovecot, postrider
from tests.bench.table import Table
from tests.bench.work import Sizes, Value, Work

ROUNDS = 3
#: What ends one side's part; the other goes on.
TROUBLE = (AssertionError, RuntimeError, OSError)
WHOLE_LIMIT = 1800


def measure(works: list[Work], table: Table, rounds: int) -> list[str]:
    """All rows of all sides; the names of those that failed and dropped out."""
    failed: list[str] = []
    for number in range(len(works[0].steps()) if works else 0):
        found: dict[tuple[str, str], list[Value]] = defaultdict(list)
        for _ in range(rounds):
            for work in works:
                if work.side.name in failed:
                    continue
                try:
                    for value in work.steps()[number]():
                        found[work.side.name, value.what].append(value)
                except TROUBLE as error:
                    print(f"  {work.side.name} failed: {error!r}", flush=True)
                    failed.append(work.side.name)
        for (name, what), values in found.items():
            table.put(name, what, median(value.number for value in values), values[0].unit, values[0].better)
    return failed


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
    with (
        contextlib.redirect_stdout(sys.stderr) if words.json else contextlib.nullcontext(),
        contextlib.ExitStack() as stack,
    ):
        print(f"{ROUNDS} rounds of {sizes.messages} messages of {OCTETS} octets over {SESSIONS} sessions; folders of "
              f"{sizes.maildrop} (POP3) and {sizes.folder} (IMAP) messages; {os.cpu_count()} cores, "
              f"load {os.getloadavg()[0]:.1f}, Python {sys.version}")  # fmt: skip
        starts = [postrider, postfix_dovecot]
        if why := installed():
            print(f"no comparison: {why}")
            del starts[1]
        works: list[Work] = []
        peaks: list[Peaks] = []
        for start in starts:
            print(f"{start.__name__}: starting and filling the mailboxes", flush=True)
            try:
                side = stack.enter_context(start())
                peak = stack.enter_context(Peaks(side.processes))
                works.append(Work(side, sizes))
                peaks.append(peak)
            except TROUBLE as error:
                print(f"  {start.__name__} failed: {error!r}", flush=True)
        failed = bool(measure(works, table, ROUNDS)) or len(works) < len(starts)
        for work, peak in zip(works, peaks, strict=True):
            for name, megabytes in sorted(peak.megabytes.items()):
                table.put(work.side.name, f"peak memory, {name}", megabytes, "MB", "less")
            table.put(work.side.name, "peak memory, sum", sum(peak.megabytes.values()), "MB", "less")
    print(table.json() if words.json else "\n" + table.text())
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
