"""Start the load beside a release, stop it, and hold what was acknowledged against what is in the mailboxes."""

import imaplib
import json
import secrets
import signal
import ssl
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mailkit.testing.speed import patient
from tests.cluster.world import ROOT, Release
from tests.support.run import Account, wait_for

SENDERS, READERS, MAILBOXES = 20, 50, 5
TLS = ssl._create_unverified_context()


def accounts(release: Release) -> list[Account]:
    domain = f"load{secrets.token_hex(3)}.example"
    release.admin("POST", "auth", "domains", {"name": domain})
    made = [Account(f"u{number}@{domain}", secrets.token_urlsafe(12)) for number in range(MAILBOXES)]
    for account in made:
        body = {"address": account.address, "password": account.password, "quota_bytes": None}
        release.admin("POST", "auth", "mailboxes", {key: value for key, value in body.items() if value})
    return made


class Running:
    """The load's process; `report` is there after the `with`."""

    def __init__(self, release: Release, people: list[Account], process: subprocess.Popen[str]) -> None:
        self.release, self.people, self.process = release, people, process
        self.report: dict[str, Any] = {}

    def filed(self) -> Counter[str]:
        """How often each message is in the mailboxes."""
        found: Counter[str] = Counter()

        def read() -> None:
            for account in self.people:
                with imaplib.IMAP4_SSL(self.release.reading, 993, ssl_context=TLS, timeout=patient(60)) as client:
                    client.login(account.address, account.password)
                    client.select("INBOX", readonly=True)
                    _, data = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
                    found.update(part[1].decode().partition(":")[2].strip() for part in data if isinstance(part, tuple))

        self.release.outside(read)
        return found

    def check(self, seconds: float = 120) -> None:
        """Everything acknowledged is there exactly once; what was in doubt may be there twice, and is counted."""
        acknowledged, doubtful = set(self.report["acknowledged"]), set(self.report["doubtful"])
        assert len(acknowledged) == len(self.report["acknowledged"])

        def complete() -> bool:
            return acknowledged <= set(self.filed())

        try:
            wait_for(complete, seconds)
        except AssertionError:
            missing = sorted(acknowledged - set(self.filed()))
            raise AssertionError(
                f"{len(missing)} of {len(acknowledged)} acknowledged messages are lost: {missing[:8]}"
            ) from None
        filed = self.filed()
        twice = {mark: times for mark, times in filed.items() if times > 1}
        print(
            f"acknowledged {len(acknowledged)}, in doubt {len(doubtful)}, filed twice {len(twice)},"
            f" fetched {self.report['fetched']}, longest gap {self.report['longest_gap']},"
            f" goodbyes {self.report['goodbyes']}, deferred {self.report['deferred']}"
        )
        assert set(twice) <= doubtful, f"delivered twice without having been in doubt: {twice}"
        assert set(filed) - acknowledged <= doubtful, "filed without an acknowledgement"


@contextmanager
def load(release: Release, *, pause: float = 1.0) -> Iterator[Running]:
    """20 SMTP sessions that submit, 50 IMAP sessions that IDLE and fetch, from outside."""
    people = accounts(release)
    plan = {
        "smtp": release.smtp,
        "imap": release.reading,
        "senders": SENDERS,
        "readers": READERS,
        "pause": pause,
        "accounts": [(account.address, account.password) for account in people],
    }
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            release.cluster.as_client(sys.executable, "-m", "tests.cluster.load"),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=output,
            text=True,
        )
        running = Running(release, people, process)
        try:
            assert process.stdin
            process.stdin.write(json.dumps(plan) + "\n")
            process.stdin.flush()
            wait_for(lambda: sum(running.filed().values()) >= SENDERS, 90, "the load under way")
            yield running
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        output.seek(0)
        text = output.read()
        assert text, f"the load ended with {process.returncode} and said nothing"
        running.report = json.loads(text)
