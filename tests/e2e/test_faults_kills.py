"""Nothing that was answered 250 is lost, filed twice or without its events when any process is killed at any moment.

Decisions 2, 3, 6, 71, 81. `POSTRIDER_TEST_KILLS` says how often (6, each process once; `make faults`: 60). Messages are filed, delivered, put off, returned,
forwarded, and both filed and delivered; between them commands are refused. Each has its own Message-ID; what was never answered 250 may
arrive and is counted apart. Senders hear of a delay once at most, and of each that the trace has. A remote delivery may come twice only where the queue says "in doubt". A killed gateway may lose its refusals
of the last second, and no others.
"""

import os
import random
import re
import time
import urllib.error
import urllib.request
from collections import Counter
from typing import Any

import pytest

from mailkit.testing.speed import allowed, patient
from tests.support.clients import imap, inbox
from tests.support.load import FAR, FATES, HOME, LOCAL, Load
from tests.support.run import Run, wait_for
from tests.support.world import World

KILLS = int(os.environ.get("POSTRIDER_TEST_KILLS", "6"))
VICTIMS = ("smtp_gateway", "queue_worker", "mailstore", "postgres", "auth", "pop_imap_frontend")
#: How often the remote host puts a message off: a kill may take away the record of one such attempt.
PUT_OFF = 2

_MID = re.compile(rb"^Message-ID: <([^>]+)>", re.M)


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
    put_off: Counter[str] = Counter()

    def says(address: str) -> list[str] | None:
        if "later@" in address:
            put_off[address] += 1
            return ["451 4.7.1 come back later"] if put_off[address] <= PUT_OFF else None
        return ["550 5.1.1 no such user"] if address.startswith("bad@") else None

    remote.sink.behaviour.rcpt = says
    run = Run(
        **world.settings(), RETRY_FIRST_SECONDS="1", DELAY_NOTICE_SECONDS="1", LIMIT_EXEMPT_NETWORKS="127.0.0.0/8"
    )
    try:
        run.start()
        user = run.mailbox(run.domain())
        run.cli("forward", "add", f"forward@{user.domain}", f"other@{remote.domain}")
        imap(run, user, HOME).logout()  # the grant for the remote half
        load = Load(run, user, remote.domain)
        load.start()
        choice = random.Random(20261123)
        gateway_killed: list[float] = []
        for number in range(KILLS):
            victim = VICTIMS[number % len(VICTIMS)]
            before = len(load.acknowledged)
            wait_for(
                lambda before=before: len(load.acknowledged) > before + choice.randrange(20, 120),
                60,
                "the load goes on",
            )
            run.service(victim).kill()
            if victim == "smtp_gateway":
                gateway_killed.append(time.monotonic())
            time.sleep(choice.random() * 0.2)  # a moment, so that the kill is seen before readiness is asked
            wait_for(lambda: ready(run), 40, f"ready again after {victim} was killed")
        load.stop()
        wait_for(lambda: run.api("GET", "queue", "/v1/queue") == [], 150, "the queue is empty")
        local = inbox(run, user)
        client = imap(run, user, HOME)
        assert client.store("1:*", "+FLAGS", "\\Deleted")[0] == "OK"
        assert client.expunge()[0] == "OK"
        run.service("mailstore").kill()
        wait_for(lambda: ready(run), 40, "ready again after messages were deleted")
        _judge(run, load, local, Counter(_ids([m.data for m in remote.messages()])))
        _judge_events(run, load, local, gateway_killed)
    finally:
        run.close()


def _ids(messages: list[bytes]) -> list[str]:
    return [match[1].decode() for raw in messages if (match := _MID.search(raw))]


def _judge(run: Run, load: Load, inboxed: list[bytes], far: Counter[str]) -> None:
    local = Counter(_ids(inboxed))
    returned = {mid.decode() for raw in inboxed for mid in _MID.findall(raw)[1:]}
    missing = [
        (mid, taken)
        for mid, taken in load.acknowledged.items()
        if (taken.fate in LOCAL and not local[mid])
        or (taken.fate in FAR and not far[mid])
        or (taken.fate == "bounced" and mid not in returned)
    ]
    unasked = [mid for mid in [*local, *far] if mid in load.tried and mid not in load.acknowledged]
    twice_local = [mid for mid, count in local.items() if count > 1]
    twice_far = [mid for mid, count in far.items() if count > 1]
    explained = []
    for mid in twice_far:
        if mid in load.acknowledged:
            shown = run.api("GET", "queue", f"/v1/queue/{load.acknowledged[mid].queue_id}")
            if any(recipient["in_doubt"] for recipient in shown["recipients"]):
                explained.append(mid)
    print(
        f"\n{KILLS} kills: {len(load.acknowledged)} of {len(load.tried)} acknowledged, {len(missing)} missing, "
        f"{len(twice_local)} filed twice, {len(twice_far)} delivered twice ({len(explained)} in doubt), "
        f"{len(unasked)} arrived without a 250"
    )
    assert not missing
    assert not twice_local
    assert len([mid for mid in twice_far if mid in load.acknowledged]) == len(explained)


def _judge_events(run: Run, load: Load, inboxed: list[bytes], gateway_killed: list[float]) -> None:
    """Each message answered 250 has its events, in order, and each refusal too, but those of a killed gateway's last second."""
    events = _pages(run, "queue", "/v1/trace", [taken.queue_id for taken in load.acknowledged.values()])
    local = [taken.queue_id for taken in load.acknowledged.values() if taken.fate in LOCAL]
    in_mailbox: dict[str, list[str]] = {}
    for event in _pages(run, "mailstore", "/v1/trace", local):
        if event["event"] != "fetched":  # noted once a second: a kill may take it away
            in_mailbox.setdefault(event["queue_id"].replace("-", ""), []).append(event["event"])
    found = {record["id"]: record for record in events}
    untraced = [
        (taken, told, in_mailbox.get(taken.queue_id))
        for taken in load.acknowledged.values()
        for told in [[event["event"] for event in found.get(taken.queue_id, {"events": []})["events"]]]
        if not _in_order(FATES[taken.fate], told)
        or not found[taken.queue_id]["client_address"]
        or (taken.fate in LOCAL and in_mailbox.get(taken.queue_id) != ["filed", "deleted"])
    ]
    _judge_notices(load, found, inboxed)
    lost = set(load.refused)
    before = ""
    while True:
        path = f"/v1/trace/refusals?rule=S14&limit=500{before}"
        page = run.api("GET", "queue", path)
        lost -= {address for record in page for address in record["recipients"]}
        if len(page) < 500:
            break
        before = f"&before={page[-1]['id']}"
    second = allowed(1.0)
    unexplained = {a for a in lost if not any(0 <= at - load.refused[a] <= second for at in gateway_killed)}
    print(
        f"{len(load.acknowledged)} traced, {len(untraced)} without all their events; "
        f"{len(load.refused)} refused, {len(lost)} of them in the last second of a killed gateway"
    )
    assert untraced == []
    assert unexplained == set()


def _judge_notices(load: Load, found: dict[str, dict[str, Any]], inboxed: list[bytes]) -> None:
    """Each recipient has one notice of its delay at most; those that came are those that the trace has."""
    notices = [raw for raw in inboxed if b"\r\nSubject: delay notice\r\n" in raw]
    came = Counter(
        mid for raw in notices for mid in {each.decode() for each in _MID.findall(raw)[1:]} & set(load.acknowledged)
    )
    noted: Counter[str] = Counter()
    for mid, taken in load.acknowledged.items():
        events = [event for event in found[taken.queue_id]["events"] if event["event"] == "delay_noted"]
        assert len({event["n"] for event in events}) == len(events), f"a recipient's delay was noted twice: {events}"
        noted[mid] += len({event["reply"] for event in events})
    print(f"{len(notices)} notices of delays")
    assert notices
    assert +came == +noted


def _pages(run: Run, service: str, path: str, ids: list[str]) -> list[dict[str, Any]]:
    found = []
    for start in range(0, len(ids), 20):
        found += run.api("GET", service, f"{path}?" + "&".join(f"id={each}" for each in ids[start : start + 20]))
    return found


def _in_order(expected: list[str], told: list[str]) -> bool:
    """Return True if `expected` are among the events `told`, in order, and nothing else but of attempts that were not final."""
    left = iter(told)
    return all(each in left for each in expected) and set(told) <= {*expected, "deferred", "in_doubt", "delay_noted"}
