"""Clients that submit mail of every fate without pause, and write down what was answered."""

import smtplib
import threading
import time
from dataclasses import dataclass

from mailkit.testing.speed import patient
from tests.support.clients import smtp
from tests.support.mail import message
from tests.support.run import Account, Run

SENDERS = 6
#: The address that the clients have, for which there is to be a grant.
HOME = "127.0.0.1"
#: What becomes of messages, and the events of each in the queue's trace, in order. Others, of attempts that a kill ended, may be between.
FATES = {
    "filed": ["accepted", "delivered"],
    "delivered": ["accepted", "delivered"],
    "later": ["accepted", "deferred", "delivered"],
    "bounced": ["accepted", "failed"],
    "forwarded": ["accepted", "delivered"],
    "mixed": ["accepted", "delivered", "delivered"],
}
LOCAL, FAR = {"filed", "mixed"}, {"delivered", "later", "forwarded", "mixed"}


@dataclass(frozen=True)
class Taken:
    """A message that was answered 250."""

    fate: str
    queue_id: str


class Load:
    """Clients that submit without pause and write down what was answered; one more that is refused."""

    def __init__(self, run: Run, user: Account, remote: str) -> None:
        self._run = run
        self._user = user
        self._recipients = {
            "filed": [user.address],
            "delivered": [f"x@{remote}"],
            "later": [f"later@{remote}"],
            "bounced": [f"bad@{remote}"],
            "forwarded": [f"forward@{user.domain}"],
            "mixed": [user.address, f"x@{remote}"],
        }
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.tried: set[str] = set()
        self.acknowledged: dict[str, Taken] = {}
        self.refused: dict[str, float] = {}
        """Address that was refused -> when, as `time.monotonic` says."""
        self._threads = [threading.Thread(target=self._send, args=(n,), daemon=True) for n in range(SENDERS)] + [
            threading.Thread(target=self._be_refused, daemon=True)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(patient(90))
            assert not thread.is_alive()

    def _send(self, number: int) -> None:
        client: smtplib.SMTP | None = None
        count = number
        while not self._stop.is_set():
            count += 1
            fate = list(FATES)[count % len(FATES)]
            mid = f"{number}.{count}@load.test"
            recipients = [f"{mid.partition('@')[0]}-{r}" if fate == "later" else r for r in self._recipients[fate]]
            try:
                client = client or smtp(self._run, HOME)
                self.tried.add(mid)
                client.mail(self._user.address if fate in ("bounced", "later") else "")
                if any(client.rcpt(each)[0] != 250 for each in recipients):
                    client.rset()
                    continue
                code, text = client.data(message(self._user.address, recipients[0], mid=f"<{mid}>"))
                if code == 250:
                    with self._lock:
                        self.acknowledged[mid] = Taken(fate, text.decode().rpartition(" ")[2])
            except (OSError, smtplib.SMTPException, EOFError):
                client = None
                self._stop.wait(0.05)

    def _be_refused(self) -> None:
        """Be refused for want of a mailbox, from networks of which none is refused so often that it is sampled."""
        count = 0
        while not self._stop.wait(0.05):
            count += 1
            address = f"nobody{count}@{self._user.domain}"
            try:
                with smtp(self._run, f"127.{1 + count % 200}.0.9") as client:
                    client.mail("")
                    if client.rcpt(address)[0] == 550:
                        self.refused[address] = time.monotonic()
            except (OSError, smtplib.SMTPException, EOFError):
                continue
