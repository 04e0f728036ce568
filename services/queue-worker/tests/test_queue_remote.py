"""Mail for everybody else: grouped by destination, in turn, within caps; a domain that is away costs little."""

import asyncio

from mailkit.testing.speed import patient
from queue_worker.delivery import walk
from queue_worker.delivery.destinations import CONVERSATION, FIRST, LATELY, REMEMBERED, Destinations, split
from queue_worker.models import Outcome
from queue_worker_api.wire import SubmissionRecipient


async def test_what_arrives_is_what_was_accepted(world):
    item = world.message("b@far.test", "c@FAR.test", "d@other.test", body=b"Subject: x\r\n\r\n.\r\n..dots\r\n\xff\r\n")
    await world.submit(item)
    await world.work()
    assert sorted((got.domain, got.recipients) for got in world.sink.got) == [
        ("far.test", ["b@far.test", "c@FAR.test"]),
        ("other.test", ["d@other.test"]),
    ]
    assert {got.body for got in world.sink.got} == {item.body}
    assert {got.mail_from for got in world.sink.got} == {item.mail_from}


async def test_only_the_recipients_that_failed_are_tried_again(world):
    world.sink.says = lambda address: (Outcome.deferred, "4.2.0", "450 later") if address == "c@far.test" else None
    await world.submit(world.message("b@far.test", "c@far.test"))
    await world.work()
    assert [got.recipients for got in world.sink.got] == [["b@far.test"]]
    row = await world.the("recipient")
    assert (row["address"], row["reply"], row["remote_host"]) == ("c@far.test", "450 later", "mx.far.test")
    world.sink.says = lambda address: None
    world.pass_time(400)
    await world.work()
    assert [got.recipients for got in world.sink.got] == [["b@far.test"], ["c@far.test"]]


async def test_a_courier_that_says_nothing_leaves_the_lease_to_run_out(world):
    await world.submit(world.message("b@far.test"))
    deliver = world.sink.deliver

    async def broken(domain, messages, report, relay=None, admit=None):
        raise RuntimeError("a bug")

    world.sink.deliver = broken
    worker = await world.work()
    assert len(worker.leases) == 0 and (await world.the("recipient"))["state"] == "claimed"
    world.sink.deliver = deliver
    world.pass_time(60)
    await world.work(worker)
    assert len(world.sink.got) == 1


async def test_a_domain_without_limits_does_not_starve_the_others(world):
    await world.submit(*(world.message(f"{n}@big.test") for n in range(1000)))
    await world.submit(*(world.message(f"x@small{n}.test") for n in range(5)))
    go = asyncio.Event()
    begun, take = [], world.sink.deliver

    async def slow(domain, messages, report, relay=None, admit=None):
        begun.append(domain)
        if domain == "big.test":
            await go.wait()
        await take(domain, messages, report)

    world.sink.deliver = slow
    worker = world.worker()
    running = asyncio.create_task(worker.delivery.run())
    async with asyncio.timeout(patient(20)):
        while len(world.sink.got) < 5:
            await asyncio.sleep(0.01)
        assert {got.domain for got in world.sink.got} == {f"small{n}.test" for n in range(5)}
        assert begun.count("big.test") <= world.settings.remote_concurrency
        go.set()
        while await world.rows("message"):
            await asyncio.sleep(0.01)
    await worker.delivery.stop(1)
    await asyncio.wait_for(running, patient(5))
    assert len(world.sink.got) == 1005


async def test_the_walk_finds_every_domain_whatever_their_number(world, monkeypatch):
    monkeypatch.setattr(walk, "WALK", 7)
    await world.submit(*(world.message(f"x@d{n:03}.test", f"y@d{n:03}.test") for n in range(60)))
    await world.pool.execute("update queue.recipient set due = due + interval '1 hour' where destination < 'd010'")
    await world.pool.execute(
        "update queue.recipient set due = due - substr(destination, 2, 3)::int / 4 * interval '1 s' where destination >= 'd010'"
    )
    worker = world.worker()
    steps = 1
    while not await worker.delivery.walk.step():
        steps += 1
    assert steps == 13  # 2 to 8 recipients of each, those that became due together in one step
    assert set(worker.delivery._ready._domains) == {f"d{n:03}.test" for n in range(10, 60)}


def test_a_domain_that_is_away_gets_one_conversation_at_a_time_and_recovers():
    row = Destinations(8)
    row.answered("away.test", 0)
    for cap in (8, 4, 2, 1, 1):
        assert row.free("away.test", 0) == cap
        row.begin("away.test")
        assert row.free("away.test", 0) == cap - 1
        row.end("away.test", reached=False)
    for cap in (2, 3, 4, 5, 6, 7, 8, 8):
        row.begin("away.test")
        row.end("away.test", reached=True)
        assert row.free("away.test", 0) == cap
    assert row._caps == {} == row._running


def test_a_domain_that_did_not_answer_lately_has_few_conversations():
    row = Destinations(20)
    assert row.free("new.test", 0) == FIRST
    row.answered("new.test", 10)
    assert row.free("new.test", 10 + LATELY - 1) == 20 and row.free("new.test", 10 + LATELY) == FIRST
    row.begin("new.test")
    row.end("new.test", reached=None)
    assert row.free("new.test", 11) == 20


def test_what_is_remembered_of_domains_is_bounded():
    row = Destinations(20)
    for n in range(2 * REMEMBERED):
        row.answered(f"d{n}.test", 0)
        row.begin(f"d{n}.test")
        row.end(f"d{n}.test", reached=False)
    assert len(row._answered) == len(row._caps) == REMEMBERED and row._running == {}


def test_a_conversation_gets_ten_messages_or_its_share():
    assert split(3, 20) == CONVERSATION and split(100, 20) == CONVERSATION
    assert split(100, 2) == 50 and split(100, 1) == 100 and split(101, 2) == 51


def forwarded(address, via):
    return SubmissionRecipient(address, via, via=via)


async def test_a_forwarded_copy_says_through_which_address_it_went(world):
    """The line belongs to the recipient: one transaction has recipients with the same line only."""
    item = world.message(
        forwarded("b@far.test", "list@here.test"),
        forwarded("c@far.test", "list@here.test"),
        forwarded("d@far.test", "other@here.test"),
        "e@far.test",
        world.mailbox("f@here.test"),
    )
    await world.submit(item)
    await world.work()
    assert {tuple(sorted(got.recipients)): got.body for got in world.sink.got} == {
        ("b@far.test", "c@far.test"): b"Delivered-To: list@here.test\r\n" + item.body,
        ("d@far.test",): b"Delivered-To: other@here.test\r\n" + item.body,
        ("e@far.test",): item.body,
    }
    (filing,) = world.mailstore.filed.values()
    assert filing.prefix.count(b"Delivered-To") == 1
    assert await world.rows("message") == []


async def test_a_delivered_to_line_without_an_address_is_no_loop(world):
    body = b"Delivered-To:\r\nSubject: hello\r\n\r\nx\r\n"
    await world.submit(world.message("b@far.test", forwarded("c@far.test", "list@here.test"), body=body))
    await world.work()
    assert sorted(got.recipients[0] for got in world.sink.got) == ["b@far.test", "c@far.test"]


async def test_a_forwarded_copy_that_comes_back_is_bounced_and_leaves_no_more(world):
    (first,) = [forwarded("b@far.test", "List@here.test")]
    await world.submit(world.message(first))
    await world.work()
    returned = world.sink.got.pop().body
    await world.submit(world.message(first, "c@far.test", body=b"Received: by far\r\n" + returned))
    await world.work()
    outside = [got for got in world.sink.got if got.mail_from]
    assert [got.recipients for got in outside] == [["c@far.test"]]  # the other recipient has its message
    (bounce,) = [got for got in world.sink.got if not got.mail_from]
    assert b"This message is looping" in bounce.body and b"Status: 5.4.6" in bounce.body
    assert world.sink.groups.count(("far.test", 1)) == len(world.sink.groups)
    assert await world.rows("message") == []
