"""`make bench-import`: a vpopmail host moves in; messages per second, and what each costs in processor time.

python -m tests.bench.moving DOMAINS MAILBOXES MESSAGES, the last two of each domain and mailbox. The tree is in memory (/dev/shm).
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.support.run import Run, running
from vpopmail.testing import BuiltHost, BuiltMaildir

TEXT = (
    b"From: Anna <a@far.test>\nTo: b@here.test\nMessage-ID: <%d@far.test>\nSubject: number %d\n"
    b"Date: Sun, 1 Mar 2026 10:00:00 +0000\nContent-Type: text/plain\n\n"
) + b"Text of a message, and so on.\n" * 60


def build(root: Path, domains: int, mailboxes: int, messages: int) -> None:
    """Lay out the host as vpopmail and Courier do."""
    host = BuiltHost(root)
    for d in range(domains):
        domain = host.domain(f"d{d:04}.test", hashed=str(d // 100))
        for m in range(mailboxes):
            domain.account(f"u{m:05}", quota="50M")
            if not messages:
                continue
            maildir = BuiltMaildir(domain.folder / f"u{m:05}" / "Maildir")
            names = [f"{1_000_000_000 + n}.M{n}P1.old,S={len(TEXT)}" for n in range(messages)]
            for n, name in enumerate(names):
                (maildir.path / "cur" / f"{name}:2,S").write_bytes(TEXT % (n, n))
            maildir.courier(1_300_000_000, {name: n for n, name in enumerate(names, 1)})


def processor_seconds(run: Run) -> float:
    """Return the processor time that the service has taken, and the commands that have ended."""
    times = [each.cpu_times() for each in run.processes()]
    ended = psutil.Process().cpu_times()
    return sum(each.user + each.system + each.children_user + each.children_system for each in times) + (
        ended.user + ended.system + ended.children_user + ended.children_system
    )


def measure(run: Run, root: Path, *words: str) -> None:
    """Import once and print a line."""
    started, before = time.monotonic(), processor_seconds(run)
    command = [sys.executable, "-m", "postrider.cli", "import", "vpopmail", str(root), *words, "--json"]
    done = json.loads(subprocess.run(command, env=run.environment(), capture_output=True, check=True).stdout)
    seconds, spent = time.monotonic() - started, processor_seconds(run) - before
    accounts, messages = done["made"].get("mailboxes", 0), done["messages"]
    what = messages["imported"] or messages["known"] or accounts
    print(
        f"{' '.join(words) or 'mail':<16} {accounts:>7,} mailboxes  {messages['imported']:>9,} imported  {messages['known']:>9,} known  "
        f"{seconds:7.1f} s  {what / seconds:8,.0f}/s  {1000 * spent / max(what, 1):6.2f} ms of processor time each",
        flush=True,
    )


def main() -> None:
    """Measure accounts, mail, and a second run."""
    domains, mailboxes, messages = (int(each) for each in sys.argv[1:4])
    root = Path(tempfile.mkdtemp(prefix="postrider-moving-", dir="/dev/shm"))
    try:
        build(root, domains, mailboxes, messages)
        with running() as run:
            measure(run, root, "--accounts-only")
            if messages:
                measure(run, root)
                measure(run, root)
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
