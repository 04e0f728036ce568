"""Bounce classes, and suppression of addresses that bounced hard (decision 86)."""

from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from mailkit.errors import NotFound
from mailkit.ids import new_id
from queue_worker.delivery.classes import class_of, is_hard
from queue_worker.delivery.suppression import Suppression
from queue_worker.metrics import BOUNCE_CLASSES
from queue_worker.models import NO_FLOW, SUPPRESSED, Claim, Outcome, Result
from queue_worker.storage.suppressions import Suppressions

GONE = "550 5.1.1 no such user"
ANNA, BERT = new_id(), new_id()


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"suppress_after": 2, "suppress_days": 10})


def refusing(status: str = "5.1.1", reply: str | None = GONE):
    """A remote host that refuses every recipient for good."""

    async def deliver(domain, messages, report, relay=None, admit=None):
        for message in messages:
            tried.extend(r.address for r in message.recipients)
            report(
                [
                    Result(r, Outcome.failed, status, f"it said {reply}", "mx.far.test", reply)
                    for r in message.recipients
                ]
            )

    tried: list[str] = []
    return deliver, tried


async def sent(world, address: str, account=ANNA) -> None:
    await world.submit(world.message(address, account=account, sender=""))
    await world.work()


async def test_an_account_is_told_at_once_after_so_many_hard_bounces(world, admin, monkeypatch):
    deliver, tried = refusing()
    monkeypatch.setattr(world.sink, "deliver", deliver)
    before = counted("suppressed"), counted("unknown_user")
    for _ in range(3):
        await sent(world, "Gone@far.test")
    assert tried == ["Gone@far.test"] * 2
    (last,) = [row for row in await world.rows("history") if row["reply"].startswith(SUPPRESSED)]
    assert (last["status"], last["state"], last["reply"]) == (
        "5.7.1",
        "failed",
        f"{SUPPRESSED} 2 times it was refused for good, last with: {GONE}",
    )
    assert counted("suppressed") == before[0] + 1
    assert counted("unknown_user") >= before[1] + 2
    (found,) = [record async for page in admin.list_suppressions() for record in page]
    assert (found["address"], found["account"], found["bounces"]) == ("gone@far.test", str(ANNA), 2)
    assert [record async for page in admin.list_suppressions(address="else@far.test") for record in page] == []
    await sent(world, "gone@far.test", BERT)  # another account's mail is tried
    assert tried[-1] == "gone@far.test"
    assert await admin.delete_suppression("GONE@far.test", account=str(ANNA)) == 1
    with pytest.raises(NotFound):
        await admin.delete_suppression("gone@far.test", account=str(ANNA))
    tries = len(tried)
    await sent(world, "gone@far.test")
    assert len(tried) == tries + 1


async def test_a_simulated_route_says_so(world, admin, monkeypatch):
    rows = Suppressions(world.pool)
    rule = Suppression(rows, 1, timedelta(days=1))
    assert await rule.among(ANNA, ["gone@far.test"], world.clock.now()) == []
    await world.pool.execute(
        "insert into queue.suppression values ('gone@far.test', $1, 2, '5.1.1', 'gone', $2, $3)",
        ANNA,
        world.clock.now(),
        world.clock.now() + timedelta(days=1),
    )

    async def hosts(domain, relay=None):
        return []

    monkeypatch.setattr(world.sink, "hosts", hosts)
    monkeypatch.setattr(type(world.sink), "port", 25)
    asked = [{"address": "Gone@far.test"}, {"address": "b@far.test"}]
    assert [route["suppressed"] for route in await admin.simulate_routes(str(ANNA), asked)] == [["Gone@far.test"]]
    assert [route["suppressed"] for route in await admin.simulate_routes(str(BERT), asked)] == [[]]


async def test_what_is_no_hard_bounce_is_not_remembered(world, monkeypatch):
    for status, reply in (("5.7.1", "550 5.7.1 spam"), ("5.1.1", None), ("5.2.2", "552 5.2.2 full")):
        deliver, _ = refusing(status, reply)
        monkeypatch.setattr(world.sink, "deliver", deliver)
        await sent(world, "b@far.test")
    assert await world.rows("suppression") == []


async def test_bounces_are_forgotten_in_time_and_the_table_is_bounded(world, monkeypatch):
    deliver, tried = refusing()
    monkeypatch.setattr(world.sink, "deliver", deliver)
    await sent(world, "gone@far.test")
    world.pass_time(11 * 86400)
    await sent(world, "gone@far.test")
    assert [row["bounces"] for row in await world.rows("suppression")] == [1]
    await sent(world, "b@far.test")
    await sent(world, "c@far.test")
    rows = Suppressions(world.pool)
    assert await rows.forget(world.clock.now(), most=2) == 1
    assert len(await world.rows("suppression")) == 2
    world.pass_time(11 * 86400)
    await world.worker().maintenance.hour()
    assert await world.rows("suppression") == []


def claim(**more) -> Claim:
    given = dict.fromkeys(("message_id", "body_id", "first_seen", "expires"))
    return Claim(n=0, attempt=1, address="b@far.test", original="", mail_from="", size=0, tries=0, **given, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "named"),
    [
        ("5.1.1", "unknown_user"),
        ("5.1.2", "unknown_domain"),
        ("5.4.4", "unknown_domain"),
        ("5.1.3", "address"),
        ("4.2.2", "mailbox_full"),
        ("5.2.1", "mailbox"),
        ("5.3.4", "too_large"),
        ("5.4.6", "loop"),
        ("4.4.1", "network"),
        ("5.6.7", "content"),
        ("4.7.5", "tls"),
        ("5.7.26", "policy"),
        ("5.0.0", "other"),
        ("", "other"),
        ("4.3.0", "other"),
    ],
)
def test_the_class_of_a_status(status: str, named: str) -> None:
    assert class_of(Result(claim(), Outcome.failed, status, "")) == named
    assert named in BOUNCE_CLASSES


def test_a_local_refusal_and_a_bounce_of_ours_are_not_remembered() -> None:
    local = Result(claim(mailbox_id=new_id()), Outcome.failed, "5.1.1", "", None, GONE)
    assert not is_hard(local)
    assert is_hard(Result(claim(flow=NO_FLOW), Outcome.failed, "5.1.1", "", None, GONE))
    rule = Suppression(None, 1, timedelta(days=1))  # type: ignore[arg-type]
    assert rule.bounced([]) == []


def counted(name: str) -> float:
    return REGISTRY.get_sample_value("postrider_queue_undelivered_total", {"class": name}) or 0.0
