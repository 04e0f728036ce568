"""`make bench`: the whole service under load, beside Debian's Postfix and Dovecot where they are installed.

Both are up all the time and work in turn, round after round; a figure is the median of its rounds, a ratio the median of
the rounds' ratios. The figures are this machine's in this minute; the ratios say more. With `--base FOLDER` the other side
is another clone of this repository: what a change costs. With `--large N` (`make bench-large`) only readers of a folder of N
messages are measured.
"""

import argparse
import contextlib
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from types import FrameType

from tests.bench.folder import LARGE_STEPS, LargeFolder, large_folder
from tests.bench.memory import Peaks, megabytes
from tests.bench.senders import OCTETS, SESSIONS
from tests.bench.sides import Side, installed, postfix_dovecot, postrider
from tests.bench.table import Table, Value
from tests.bench.work import STEPS, Sizes, Work

ROUNDS = 3
#: Beside another clone, where a twentieth has to show.
PAIRED_ROUNDS = 6
#: What ends one side's part; the other goes on.
TROUBLE = (AssertionError, RuntimeError, OSError)
WHOLE_LIMIT = 3600
#: Before memory is measured without work: longer than services wait to give it back.
REST_SECONDS = 15


def measure(works: Sequence[Work | LargeFolder], table: Table, rounds: int, steps: Sequence[str]) -> list[str]:
    """All rows of all sides; the names of those that failed and dropped out."""
    failed: list[str] = []
    for step in steps:
        found: dict[tuple[str, str], list[Value]] = defaultdict(list)
        for turn in range(rounds):
            for work in works if turn % 2 == 0 else reversed(works):  # going first costs some per cent
                if work.side.name in failed:
                    continue
                try:
                    for value in getattr(work, step)():
                        found[work.side.name, value.what].append(value)
                except TROUBLE as error:
                    print(f"  {work.side.name} failed: {error!r}", flush=True)
                    failed.append(work.side.name)
        for (name, what), values in found.items():
            table.put(name, what, [value.number for value in values], values[0].unit, values[0].better)
    return failed


def described(sizes: Sizes) -> str:
    """What a round of `make bench` is."""
    return (
        f"of {sizes.messages} messages of {OCTETS} octets over {SESSIONS} sessions; folders of {sizes.maildrop} (POP3) "
        f"and {sizes.folder} (IMAP) messages"
    )


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
    parser.add_argument(
        "--base", type=Path, metavar="FOLDER", help="compare with the clone in FOLDER (make setup there first)"
    )
    parser.add_argument("--rounds", type=int, help=f"{ROUNDS} unless told, {PAIRED_ROUNDS} with --base")
    parser.add_argument("--large", type=int, metavar="N", help="only readers, of a folder of N messages")
    parser.add_argument("--steps", nargs="+", choices=(*STEPS, *LARGE_STEPS), help="only these")
    words = parser.parse_args()
    rounds = words.rounds or (PAIRED_ROUNDS if words.base else ROUNDS)
    steps = words.steps or (LARGE_STEPS if words.large else STEPS)
    sizes = Sizes().tenth() if words.quick else Sizes()
    table = Table("base" if words.base else "Postfix/Dovecot")
    with (
        contextlib.redirect_stdout(sys.stderr) if words.json else contextlib.nullcontext(),
        contextlib.ExitStack() as stack,
    ):
        print(
            f"{rounds} rounds "
            + (f"of readers of {words.large:,} messages" if words.large else described(sizes))
            + f"; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {sys.version}"
        )
        starts: dict[str, Callable[[], AbstractContextManager[Side]]] = {
            "Postrider": partial(postrider, text_index=bool(words.large and not words.base))
        }
        if words.base:
            starts["base"] = partial(postrider, str(words.base / ".venv/bin/python"), "other")
        elif why := installed():
            print(f"no comparison: {why}")
        else:
            starts["Postfix and Dovecot"] = postfix_dovecot
        works: list[Work | LargeFolder] = []
        peaks: list[Peaks] = []
        for name, start in starts.items():
            print(f"{name}: starting and filling the mailboxes", flush=True)
            try:
                side = stack.enter_context(start())
                peak = stack.enter_context(Peaks(side.processes))
                works.append(large_folder(side, words.large) if words.large else Work(side, sizes))
                peaks.append(peak)
            except TROUBLE as error:
                print(f"  {name} failed: {error!r}", flush=True)
        failed = bool(measure(works, table, rounds, steps)) or len(works) < len(starts)
        time.sleep(REST_SECONDS)
        for work, peak in zip(works, peaks, strict=True):
            for name, taken in sorted(peak.megabytes.items()):
                table.put(work.side.name, f"peak memory, {name}", [taken], "MB", "less")
            table.put(work.side.name, "peak memory, sum", [peak.sum], "MB", "less")
            rest = sum(megabytes(work.side.processes).values())
            table.put(work.side.name, f"memory {REST_SECONDS} s later, sum", [rest], "MB", "less")
    print(table.json() if words.json else "\n" + table.text())
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
