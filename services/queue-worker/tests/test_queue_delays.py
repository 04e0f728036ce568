"""Notices of delays (RFC 3461 4.1, docs/decisions/0074): to whom, once for each recipient, in the transaction of their mark."""

import email
from datetime import timedelta
from email import policy
from email.utils import format_datetime

import pytest

from mailkit.ids import new_id
from queue_worker.models import Outcome, Result
from queue_worker.storage.outcomes import OutcomeTransaction
from queue_worker_api.wire import SubmissionRecipient

from .conftest import START, Killed

SENDER = "a@sender.test"
ACCOUNT = new_id()
FOUR_HOURS = 4 * 3600


@pytest.fixture
def world(world):
    """A queue whose remote hosts put everything off but mail to the sender."""
    world.settings = world.settings.model_copy(update={"delay_notice_seconds": FOUR_HOURS})
    world.sink.says = lambda address: None if address == SENDER else (Outcome.deferred, "4.2.0", "450 try later")
    return world


def to(address, notify=""):
    return SubmissionRecipient(address, address, notify=notify)


async def submit(world, *recipients, **more):
    await world.submit(world.message(*recipients, **{"sender": SENDER, "account": ACCOUNT, **more}))


async def work_at(world, seconds):
    """Try everything at the age of `seconds`."""
    world.clock.current = START + timedelta(seconds=seconds)
    await world.pool.execute("update queue.recipient set due = $1", world.clock.now())
    await world.work()


def notices(world):
    """What the sender got: each notice with its actions by address."""
    read = [email.message_from_bytes(got.body, policy=policy.default) for got in world.sink.got]
    return [
        (notice, {block["Final-Recipient"][8:]: block for block in notice.get_payload()[1].get_payload()[1:]})
        for notice in read
    ]


@pytest.mark.parametrize(
    ("notify", "told"),
    [("", True), ("DELAY", True), ("SUCCESS,FAILURE,DELAY", True), ("SUCCESS,FAILURE", False), ("NEVER", False)],
)
async def test_a_delay_is_reported_unless_the_sender_asked_for_other_events_only(world, notify, told):
    await submit(world, to("b@far.test", notify))
    await work_at(world, FOUR_HOURS - 1)
    assert notices(world) == []
    await work_at(world, FOUR_HOURS)
    assert [block["Action"] for _, blocks in notices(world) for block in blocks.values()] == ["delayed"] * told


async def test_the_notice_says_until_when_it_is_tried_and_has_the_header_only(world):
    await submit(world, to("b@far.test"), to("c@far.test"), ret="FULL", envid="x")
    await work_at(world, FOUR_HOURS)
    ((notice, blocks),) = notices(world)
    until = format_datetime(START + timedelta(days=1))
    assert notice["Subject"] == "delay notice" and blocks.keys() == {"b@far.test", "c@far.test"}
    block = blocks["b@far.test"]
    assert (block["Status"], block["Will-Retry-Until"]) == ("4.2.0", until)
    human, _, original = notice.get_payload()
    assert "450 try later" in human.get_content() and until in human.get_content()
    assert "permanent" not in human.get_content() and original.get_content_type() == "text/rfc822-headers"


async def test_one_notice_and_then_the_bounce(world):
    await submit(world, to("b@far.test"))
    for hours in (1, 4, 5, 12, 23, 24):
        await work_at(world, hours * 3600)
    assert [notice["Subject"] for notice, _ in notices(world)] == ["delay notice", "failure notice"]


@pytest.mark.parametrize("more", [{"sender": ""}, {"account": None}])
async def test_neither_the_null_sender_nor_one_that_no_login_vouches_for_is_notified(world, more):
    await submit(world, to("b@far.test", "DELAY"), **more)
    await work_at(world, FOUR_HOURS)
    assert notices(world) == [] and len(await world.rows("message")) == 1


async def test_no_notice_unless_the_setting_asks_for_it(world):
    world.settings = world.settings.model_copy(update={"delay_notice_seconds": 0})
    await submit(world, to("b@far.test", "DELAY"))
    await work_at(world, 6 * 3600)
    assert notices(world) == []


async def test_a_notice_that_is_delayed_itself_is_not_reported(world):
    world.sink.says = lambda address: (Outcome.deferred, "4.2.0", "450 try later")
    await submit(world, to("b@far.test"))
    for hours in (4, 9, 23):
        await work_at(world, hours * 3600)
    assert sorted(row["address"] for row in await world.rows("recipient")) == [SENDER, "b@far.test"]
    assert [row["bounce"] for row in await world.rows("message")] == [False, True]


@pytest.mark.parametrize("step", ["defer", "insert", "drop"])
async def test_a_kill_within_the_transaction_leaves_neither_the_mark_nor_the_notice(world, monkeypatch, step):
    await submit(world, to("b@far.test"), to("no@far.test"))
    world.sink.says = lambda address: {
        "b@far.test": (Outcome.deferred, "4.2.0", "450 try later"),
        "no@far.test": (Outcome.failed, "5.1.1", "550 no"),
    }.get(address)
    real = getattr(OutcomeTransaction, step)

    async def killed(*arguments):
        await real(*arguments)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(OutcomeTransaction, step, killed)
        world.clock.current = START + timedelta(seconds=FOUR_HOURS)
        worker = world.worker()
        claims = await worker.delivery._claims.remote(
            world.clock.now(), world.clock.now() + timedelta(minutes=1), [(ACCOUNT, "far.test")], [9], [START]
        )
        results = [Result(claim, *world.sink.says(claim.address)) for claim in claims]
        with pytest.raises(Killed):
            await worker.recorder.record(results)
    assert [row["delay_noted"] for row in await world.rows("recipient")] == [False, False]
    assert len(await world.rows("message")) == 1 and await world.rows("attempt") == []
    await work_at(world, FOUR_HOURS + 600)
    ((notice, blocks),) = notices(world)
    assert {address: block["Action"] for address, block in blocks.items()} == {
        "b@far.test": "delayed",
        "no@far.test": "failed",
    }
    await work_at(world, 2 * FOUR_HOURS)
    assert len(notices(world)) == 1


async def test_a_recipient_that_another_worker_has_is_not_in_the_notice(world):
    await submit(world, to("b@far.test"), to("c@far.test"))
    deliver = world.sink.deliver

    async def after_the_other(*arguments):
        await world.pool.execute("update queue.recipient set attempt = attempt + 1 where address = 'c@far.test'")
        await deliver(*arguments)

    world.sink.deliver = after_the_other
    await work_at(world, FOUR_HOURS)
    ((_, blocks),) = notices(world)
    assert blocks.keys() == {"b@far.test"}
    assert {row["address"]: row["delay_noted"] for row in await world.rows("recipient")} == {
        "b@far.test": True,
        "c@far.test": False,
    }


async def test_the_trace_names_the_notice(world, admin):
    await submit(world, to("b@far.test"))
    await work_at(world, FOUR_HOURS)
    (page,) = [page async for page in admin.trace()]
    notice, original = sorted(page, key=lambda record: record["bounce_of"] is None)
    assert notice["bounce_of"] == original["id"]
    (event,) = [each for each in original["events"] if each["event"] == "delay_noted"]
    assert event["reply"] == f"the sender was notified by {notice['id']}"
    told = await world.pool.fetchval("select reply from queue.mail_trace where event = 'delay_noted'")
    assert told == event["reply"]
