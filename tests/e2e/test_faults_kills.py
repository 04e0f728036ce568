"""Nothing that was answered 250 is lost or filed twice when any process is killed at any moment (decisions 2, 3, 6).

`POSTRIDER_TEST_KILLS` says how often (12; `make faults`: 60). Every submission has its own Message-ID; what was never
answered 250 may arrive and is counted apart. A remote delivery may come twice only where the queue says "in doubt".
"""

import os
import random
import re
import smtplib
import threading
import time
import urllib.error
import urllib.request
from collections import Counter

import pytest

from mailkit.testing.speed import patient
from tests.support.clients import imap, inbox, smtp
from tests.support.mail import message
from tests.support.run import Run, wait_for
from tests.support.world import World

KILLS = int(os.environ.get("POSTRIDER_TEST_KILLS", "12"))
VICTIMS = ("smtp_gateway", "queue_worker", "mailstore", "postgres", "auth", "pop_imap_frontend")
SENDERS = 6
HOME = "127.0.0.1"

_MID = re.compile(rb"^Message-ID: <([^>]+)>", re.M)


class Load:
    """Clients that submit without pause and write down what was answered."""

    def __init__(self, run: Run, recipients: list[str]) -> None:
        self._run = run
        self._recipients = recipients
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.tried: dict[str, str] = {}
        self.acknowledged: dict[str, tuple[str, str]] = {}
        """Message-ID → (recipient, queue id)"""
        self._threads = [threading.Thread(target=self._send, args=(n,), daemon=True) for n in range(SENDERS)]

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
        count = 0
        while not self._stop.is_set():
            count += 1
            recipient = self._recipients[count % len(self._recipients)]
            mid = f"{number}.{count}@load.test"
            try:
                client = client or smtp(self._run, HOME)
                self.tried[mid] = recipient
                client.mail("")
                if client.rcpt(recipient)[0] != 250:
                    client.rset()
                    continue
                code, text = client.data(message("a@far.example", recipient, mid=f"<{mid}>"))
                if code == 250:
                    with self._lock:
                        self.acknowledged[mid] = (recipient, text.decode().rpartition(" ")[2])
            except (OSError, smtplib.SMTPException, EOFError):
                client = None
                self._stop.wait(0.05)


def ready(run: Run) -> bool:
    for name in ("AUTH", "QUEUE", "MAILSTORE", "GATEWAY", "FRONTEND"):
        try:
            with urllib.request.urlopen(run.env[f"POSTRIDER_{name}_URL"] + "/readyz", timeout=patient(2)):
                pass
        except (OSError, urllib.error.HTTPError):
            return False
    return True


@pytest.mark.timeout(120 + KILLS * 30)
def test_kills_under_load(world: World) -> None:
    remote = world.remote()
    run = Run(**world.settings(), RETRY_FIRST_SECONDS="1", LIMIT_EXEMPT_NETWORKS="127.0.0.0/8")
    try:
        run.start()
        user = run.mailbox(run.domain())
        imap(run, user, HOME).logout()  # the grant for the remote half
        load = Load(run, [user.address, f"x@{remote.domain}"])
        load.start()
        choice = random.Random(20261123)
        for number in range(KILLS):
            victim = VICTIMS[number % len(VICTIMS)]
            before = len(load.acknowledged)
            wait_for(
                lambda before=before: len(load.acknowledged) > before + choice.randrange(20, 120),
                60,
                "the load goes on",
            )
            run.service(victim).kill()
            time.sleep(choice.random() * 0.2)  # a moment, so that the kill is seen before readiness is asked
            wait_for(lambda: ready(run), 40, f"ready again after {victim} was killed")
        load.stop()
        wait_for(lambda: run.api("GET", "queue", "/v1/queue") == [], 150, "the queue is empty")
        _judge(
            run, load, Counter(_ids(inbox(run, user))), Counter(_ids([m.data for m in remote.messages()])), user.address
        )
    finally:
        run.close()


def _ids(messages: list[bytes]) -> list[str]:
    return [match[1].decode() for raw in messages if (match := _MID.search(raw))]


def _untraced(run: Run, load: Load) -> list[str]:
    """The messages answered 250 whose trace has not both their acceptance, with the client, and their delivery."""
    ids = [queue_id for _, queue_id in load.acknowledged.values()]
    whole = set()
    for start in range(0, len(ids), 20):
        for found in run.api("GET", "queue", "/v1/trace?" + "&".join(f"id={each}" for each in ids[start : start + 20])):
            if found["client_address"] and {"accepted", "delivered"} <= {event["event"] for event in found["events"]}:
                whole.add(found["id"])
    return [each for each in ids if each not in whole]


def _judge(run: Run, load: Load, local: Counter[str], far: Counter[str], address: str) -> None:
    missing = [
        (mid, queue_id)
        for mid, (recipient, queue_id) in load.acknowledged.items()
        if not (local if recipient == address else far)[mid]
    ]
    unasked = [mid for mid in [*local, *far] if mid not in load.acknowledged]
    twice_local = [mid for mid, count in local.items() if count > 1]
    twice_far = [mid for mid, count in far.items() if count > 1]
    explained = []
    for mid in twice_far:
        if mid in load.acknowledged:
            shown = run.api("GET", "queue", f"/v1/queue/{load.acknowledged[mid][1]}")
            if any(recipient["in_doubt"] for recipient in shown["recipients"]):
                explained.append(mid)
    print(
        f"\n{KILLS} kills: {len(load.acknowledged)} of {len(load.tried)} acknowledged, {len(missing)} missing, "
        f"{len(twice_local)} filed twice, {len(twice_far)} delivered twice ({len(explained)} in doubt), "
        f"{len(unasked)} arrived without a 250"
    )
    assert not missing
    assert not twice_local
    assert _untraced(run, load) == []
    assert len([mid for mid in twice_far if mid in load.acknowledged]) == len(explained)
