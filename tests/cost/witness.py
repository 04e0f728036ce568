"""The second client: it logs in, reads and sends all the time, and writes down how long each step took and what came."""

import smtplib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from mailkit.testing.speed import patient
from tests.support.clients import HOME, Imap, Pop3, smtp
from tests.support.mail import message
from tests.support.run import Account, Run

PAUSE = 0.02


@dataclass(frozen=True)
class Step:
    """One thing the second client did; `wrong` says what was not as it should be."""

    name: str
    started: float
    ended: float
    wrong: str = ""


class Witness:
    """Works in a thread until the end of the `with` block. `reader` holds one message, `writer` gets those it sends."""

    def __init__(self, run: Run, reader: Account, writer: Account) -> None:
        self.run, self.reader, self.writer = run, reader, writer
        self.steps: list[Step] = []
        self._expected: dict[str, object] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> "Witness":
        with smtp(self.run, HOME) as client:
            client.sendmail("a@far.example", [self.reader.address], message("a@far.example", self.reader.address))
        end = time.monotonic() + patient(30)
        while not self._has_message():
            if time.monotonic() > end:
                raise AssertionError("the second client's message did not arrive")
        for _ in range(2):  # what the right answers are
            self._cycle()
        wrong = [step for step in self.steps if step.wrong]
        assert not wrong, wrong
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(patient(60))

    def _has_message(self) -> bool:
        client = Imap(self.run)
        client.login(self.reader.address, self.reader.password)
        there = client.select("INBOX", readonly=True)[1] == [b"1"]
        client.logout()
        return there

    def _work(self) -> None:
        while not self._stop.wait(PAUSE):
            self._cycle()

    def _step(self, name: str, do: Callable[[], object]) -> None:
        started, wrong = time.monotonic(), ""
        try:
            answer = do()
            if self._expected.setdefault(name, answer) != answer:
                wrong = f"{answer!r:.200}"
        except (OSError, smtplib.SMTPException, Imap.error, Exception) as error:
            wrong = f"{type(error).__name__}: {error!s:.200}"
        self.steps.append(Step(name, started, time.monotonic(), wrong))

    def _cycle(self) -> None:
        self._step("read by IMAP", self._imap)
        self._step("send by SMTP", self._smtp)
        self._step("read by POP3", self._pop3)

    def _imap(self) -> object:
        client = Imap(self.run)
        try:
            client.login(self.reader.address, self.reader.password)
            chosen = client.select("INBOX", readonly=True)[1]
            return chosen, client.fetch("1", "(UID FLAGS ENVELOPE BODY.PEEK[])"), client.search(None, "ALL")
        finally:
            client.shutdown()

    def _smtp(self) -> object:
        with smtp(self.run, HOME) as client:
            return client.sendmail(
                "a@far.example", [self.writer.address], message("a@far.example", self.writer.address)
            )

    def _pop3(self) -> object:
        client = Pop3(self.run)
        try:
            client.user(self.reader.login)
            client.pass_(self.reader.password)
            return client.stat(), client.retr(1)[1]
        finally:
            client.quit()

    def during(self, started: float, ended: float) -> list[Step]:
        """The steps that overlap with that time."""
        return [step for step in self.steps if step.started < ended and step.ended > started]

    def wait_beyond(self, moment: float, seconds: float = 60.0) -> None:
        """Returns when a cycle that began after `moment` is over. Raises TimeoutError."""
        seconds = patient(seconds)
        end = time.monotonic() + seconds
        while not any(step.started > moment and step.name == "read by POP3" for step in self.steps[-6:]):
            if time.monotonic() > end:
                raise TimeoutError(f"the second client has not come round within {seconds:g} s")
            time.sleep(0.02)
