"""Shaping by operator of mail hosts: whose hosts, how much at once, how fast, and what a reply that asks for less does (decision 101)."""

import asyncio
from datetime import datetime

import pytest

from mailkit.errors import ConfigError
from mailkit.ids import new_id
from mailkit.process.lifecycle import Lifecycle
from mailkit.rpc.http_server import HttpSide
from queue_worker.delivery import shaping as rules
from queue_worker.delivery.mx_operators import BUILT_IN, MxOperator, operator_of, operators
from queue_worker.delivery.shaping import Shaping, asks_for_less
from queue_worker.models import NEVER, Outcome
from queue_worker.service import web
from queue_worker_api.admin import QueueAdmin

LESS = "421-4.7.28 Our system has detected an unusual rate of unsolicited mail from your IP address. 421 4.7.28 rate limited"


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("aspmx.l.google.com", "google"),
        ("GMAIL-SMTP-IN.L.GOOGLE.COM.", "google"),
        ("site-com.mail.protection.outlook.com", "microsoft"),
        ("site-com.r-v1.mx.microsoft", "microsoft"),
        ("mta5.am0.yahoodns.net", "yahoo"),
        ("notgoogle.com", None),
        ("google.com.evil.test", None),
    ],
)
def test_operators_are_known_by_the_ends_of_their_hosts(host, name):
    assert operator_of([host, host], BUILT_IN) == name
    assert operator_of([host, "mx.else.test"], BUILT_IN) is None  # whose replies would hold back other domains' mail


def test_a_table_of_ones_own_adds_and_changes_operators():
    found = {
        each.name: each
        for each in operators(["gmx gmx.net web.de conversations=5 per-minute=60", "google conversations=9"])
    }
    assert found["gmx"] == MxOperator("gmx", ("gmx.net", "web.de"), 5, 60)
    assert found["google"].suffixes == ("google.com", "googlemail.com") and found["google"].conversations == 9
    assert set(found) == {"google", "microsoft", "yahoo", "gmx"}


@pytest.mark.parametrize(
    "entry",
    ["gmx", "Gmx.net gmx.net", "gmx gmx.net conversations=0", "gmx gmx.net rate=5", "gmx -x-", "gmx conversations=5"],
)
def test_a_table_that_means_nothing_is_refused(entry):
    with pytest.raises(ConfigError, match="POSTRIDER_SHAPING"):
        operators([entry])


@pytest.mark.parametrize(
    ("reply", "less"),
    [
        (LESS, True),
        ("421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume", True),
        ("451 4.7.500 Server busy. Please try again later from [192.0.2.1]", True),
        ("421 RP-001 (BAY) Unfortunately, some messages could not be sent due to rate limit", True),
        ("450 4.2.1 Too many connections from your host", True),
        ("421 4.3.2 Service shutting down", False),
        ("451 4.7.1 Greylisted, try again in 5 minutes", False),
        ("450 4.2.1 The user you are trying to contact is receiving mail at a rate", False),
        ("550 5.7.1 rate limit", False),
        ("421 4.7.26 This mail has been rate limited because it is unauthenticated", False),
        ("421 4.7.28 an unusual rate of unsolicited mail originating from your DKIM domain [site.com]", False),
    ],
)
def test_which_replies_ask_for_less_and_are_not_about_one_sender(reply, less):
    assert asks_for_less(reply) is less


def shaped(**changes) -> Shaping:
    made = Shaping([MxOperator("big", ("big.test",), **{"conversations": 4, **changes})])
    assert made.learn("a.test", ["mx.big.test"]) == "big"
    return made


def test_conversations_with_all_domains_of_an_operator_are_counted_together():
    made = shaped()
    made.learn("b.test", ["mx.big.test"])
    for _ in range(4):
        assert made.free("big", 0.0) > 0
        made.begin(made.of("b.test"))
    assert made.free(made.of("a.test"), 0.0) == 0 and made.of("far.test") is None
    assert (
        made.why("a.test", 0.0) == "held back by shaping of big: 4 conversations are under way, and no more are begun"
    )
    assert made.why("far.test", 0.0) is None
    made.end("big", 0.0, delivered=True)
    assert made.free("big", 0.0) == 1
    made.learn("a.test", ["mx.else.test"])
    assert made.of("a.test") is None


def test_a_pause_doubles_and_the_cap_halves_and_grows_back():
    made = shaped()
    for _ in range(4):
        made.begin("big")
    made.replied("big", "450 4.2.1 mailbox busy", 0.0)
    assert made.shaped(0.0)[0].paused == 0
    for _ in range(3):
        made.replied("big", LESS, 10.0)  # the answers to what was under way are one
    assert made.shaped(10.0)[0] == rules.Shaped(made.shaped(10.0)[0].operator, 4, 2, 60.0, LESS[:200], 3)
    assert "for 50 s more, after '421-4.7.28" in (made.why("a.test", 20.0) or "")
    for _ in range(4):
        made.end("big", 30.0, delivered=True)
    assert made.free("big", 69.0) == 0 and made.free("big", 70.0) == 2
    made.replied("big", LESS, 71.0)
    assert (made.shaped(71.0)[0].paused, made.shaped(71.0)[0].cap) == (120.0, 1)
    for n in range(9):
        made.replied("big", LESS, 1000.0 + 10_000 * n)
    assert (made.shaped(81_000.0)[0].paused, made.shaped(81_000.0)[0].cap) == (rules.LONGEST_PAUSE, 1)
    for _ in range(3):
        made.begin("big")
        made.end("big", 90_000.0, delivered=False)
    assert made.free("big", 90_000.0) == 1
    for _ in range(3):
        made.begin("big")
        made.end("big", 90_000.0, delivered=True)
    assert (made.free("big", 90_000.0), made.shaped(90_000.0)[0].reply) == (4, "")
    made.replied("big", LESS, 90_001.0)
    assert made.shaped(90_001.0)[0].paused == rules.FIRST_PAUSE, "forgotten once the cap is as it was"


def test_a_rate_is_kept_on_average_and_a_second_is_saved_up_at_most():
    made = shaped(per_minute=120)
    sent, now = 0, 0.0
    while now < 60:
        if made.free("big", now):
            sent += made.spend("big", 100, now)
        now += 0.125
    assert 119 <= sent <= 122
    assert made.spend("big", 100, 1000.0) == 2
    assert made.why("a.test", 1000.0) == "held back by shaping of big: 120 recipients a minute"
    made.refund("big", 2)
    assert made.free("big", 1000.0) > 0
    assert shaped().spend("big", 100, 0.0) == 100


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(rules, "REMEMBERED", 3)
    made = shaped()
    for n in range(5):
        made.learn(f"d{n}.test", ["mx.big.test"])
    assert [made.of(f"d{n}.test") for n in range(5)] == [None, None, "big", "big", "big"]


@pytest.fixture
def worker(world):
    world.settings = world.settings.model_copy(update={"shaping": ("big big.test conversations=2",)})
    return world.worker()


@pytest.fixture
async def admin(world, worker):
    side = HttpSide(web(world.settings, Lifecycle(), worker), "127.0.0.1", 0)
    await side.start()
    client = QueueAdmin(f"http://127.0.0.1:{side.port}", "admin-token")
    yield client
    await client.aclose()
    await side.stop()


async def test_an_operator_that_asks_for_less_is_left_alone_and_others_are_not(world, worker, admin, monkeypatch):
    monkeypatch.setattr(rules, "FIRST_PAUSE", 3600.0)
    monkeypatch.setattr(rules, "LONGEST_PAUSE", 3600.0)
    for n in range(4):
        world.sink.hosts_of[f"d{n}.test"] = "mx.big.test"
    world.sink.says = lambda address: (Outcome.deferred, "4.7.28", LESS) if address.startswith("first@") else None
    await world.submit(world.message("first@d0.test"), worker=worker)
    await world.work(worker)
    assert worker.shaping.of("d0.test") == "big"
    account = new_id()
    for to in ("a@d0.test", "a@d1.test", "a@d2.test", "a@far.test"):
        await world.submit(world.message(to, account=account), worker=worker)
    await world.work(worker)
    assert [got.domain for got in world.sink.got] == ["far.test"]
    (state,) = [each for each in await admin.list_shaping() if each["name"] == "big"]
    assert (state["conversations"], state["conversations_max"], state["limited"]) == (0, 1, 1)
    assert state["paused_until"] and state["reply"].startswith("421-4.7.28")
    waiting = [
        row for row in await world.rows("recipient") if row["address"] in ("a@d0.test", "a@d1.test", "a@d2.test")
    ]
    assert {row["state"] for row in waiting} == {"waiting"} and {row["tries"] for row in waiting} == {0}
    detail = await admin.show_message(waiting[0]["message_id"].hex)
    (recipient,) = detail["recipients"]
    assert recipient["held_back"].startswith("held back by shaping of big: for ")
    assert detail["trace"]["events"][-1]["held_back"] == recipient["held_back"]
    looked: list[datetime] = []
    due = worker.delivery.walk._claims.due

    async def noted(after, now, most):
        looked.append(after)
        return await due(after, now, most)

    monkeypatch.setattr(worker.delivery.walk._claims, "due", noted)
    world.pass_time(120)
    await world.work(worker)
    await world.work(worker)
    assert looked[-1] > max(row["due"] for row in waiting), (
        "what waits for a pause's end is not walked over again and again"
    )
    assert worker.delivery.walk.oldest_due == NEVER, "and is not late"
    monkeypatch.setattr(worker.shaping._states["big"], "until", 0.0)
    world.sink.says = lambda address: None
    await world.work(worker)
    assert sorted(got.domain for got in world.sink.got) == ["d0.test", "d1.test", "d2.test", "far.test"]


async def test_conversations_with_an_operator_begin_one_after_the_other_for_all_its_domains(world, worker):
    running: list[int] = []
    free = asyncio.Event()

    class Slow(type(world.sink)):
        async def deliver(self, domain, messages, report, relay=None, admit=None):
            running.append(worker.shaping.shaped(0.0)[-1].conversations)
            await free.wait()
            await super().deliver(domain, messages, report, relay, admit)

    world.sink.__class__ = Slow
    for n in range(6):
        world.sink.hosts_of[f"d{n}.test"] = "mx.big.test"
        worker.shaping.learn(f"d{n}.test", ["mx.big.test"])
    for n in range(6):
        await world.submit(world.message(f"a@d{n}.test", account=new_id()), worker=worker)
    await worker.delivery.walk.step()
    await worker.delivery.turn()
    await worker.delivery.turn()
    await asyncio.sleep(0)
    assert len(running) == 2
    free.set()
    while await worker.delivery.turn() or len(world.sink.got) < 6:
        await worker.delivery.settled(20)
    assert max(running) == 2 and worker.shaping.shaped(0.0)[-1].conversations == 0
