"""Mailboxes of ours: accepted, filed once, gone from the queue; what mailstore answers decides what comes next."""

import asyncio

import pytest

from mailkit.errors import BadRequest
from mailkit.testing.speed import patient
from queue_worker_api.wire import Stamp

S14 = "Sorry, no mailbox here by that name. vpopmail (#5.1.1)"


async def test_a_message_for_three_mailboxes_is_one_body_and_three_filings(world):
    boxes = [world.mailbox(f"{name}@here.test") for name in "abc"]
    sent = world.message(*boxes, sender="x@far.test")
    (answer,) = await world.submit(sent)
    await world.work()
    assert set(world.mailstore.filed) == {(box.mailbox_id, answer.queue_id) for box in boxes}
    filings = list(world.mailstore.filed.values())
    assert len({filing.body_id for filing in filings}) == 1
    assert await world.bodies.read(filings[0].body_id) == sent.body
    assert {filing.prefix for filing in filings} == {
        b"Return-Path: <x@far.test>\r\nDelivered-To: %s\r\n" % box.address.encode() for box in boxes
    }
    assert filings[0].received_at == world.clock.timestamp()
    assert (filings[0].quota_limit, filings[0].limit_version, filings[0].exempt) == (25 * 1024 * 1024, 1, False)
    assert await world.rows("message") == await world.rows("recipient") == []
    assert {row["state"] for row in await world.rows("history")} == {"delivered"}


async def test_a_stamped_message_is_filed_into_the_folder_and_with_the_flags_of_its_stamp(world):
    await world.submit(world.message(world.mailbox("a@here.test"), stamp=Stamp(folder="\\Junk", flags=["$Junk"])))
    await world.work()
    (filing,) = world.mailstore.filed.values()
    assert (filing.folder, filing.flags) == ("\\Junk", ["$Junk"])


async def test_a_full_mailbox_defers_and_bounces_after_the_lifetime(world):
    world.mailstore.says = lambda filing: None if filing.exempt else "full"
    await world.submit(world.message(world.mailbox("full@here.test"), sender="x@far.test"))
    await world.work()
    row = await world.the("recipient")
    assert (row["state"], row["status"], row["reply"]) == ("waiting", "4.2.2", "The mailbox is full. (#4.2.2)")
    assert (row["due"] - world.clock.now()).total_seconds() == 400
    world.pass_time(86400)
    await world.work()
    (bounce,) = world.sink.got
    assert bounce.recipients == ["x@far.test"] and bounce.mail_from == ""
    assert b"The mailbox is full. (#4.2.2) I'm not going to try again" in bounce.body


async def test_a_mailbox_that_is_gone_bounces_with_s14(world):
    world.mailstore.says = lambda filing: "gone"
    await world.submit(world.message(world.mailbox("b@here.test")))
    await world.work()
    assert f"\r\n{S14}\r\n".encode() in world.sink.got[0].body
    assert {row["state"] for row in await world.rows("history")} == {"failed", "delivered"}


@pytest.mark.parametrize("trouble", ["away", "failed", "no_space"])
async def test_filing_trouble_is_tried_again_soon_and_is_not_a_reason_to_bounce(world, trouble):
    worker = world.worker()
    world.mailstore.away = trouble == "away"
    world.mailstore.says = lambda filing: trouble
    await world.submit(world.message(world.mailbox("b@here.test")))
    for pause in (1, 2, 4, 8, 16, 30, 30, 30):
        assert await worker.filer.turn() == 1
        row = await world.the("recipient")
        assert (row["due"] - world.clock.now()).total_seconds() == pause
        world.pass_time(pause - 0.001)
        assert await worker.filer.turn() == 0
        world.pass_time(0.001)
    world.mailstore.away, world.mailstore.says = False, lambda filing: None
    await world.work(worker)
    assert len(world.mailstore.filed) == 1 and world.sink.got == []


async def test_a_list_that_hangs_does_not_keep_the_next_from_its_turn(world, monkeypatch):
    monkeypatch.setattr("queue_worker.delivery.filing.SLOW_SECONDS", 0.05)
    worker, hangs, begun = world.worker(), asyncio.Event(), asyncio.Event()
    file = world.mailstore.file

    async def slow(question, *, timeout=None):
        if any(item.prefix.endswith(b"slow@here.test\r\n") for item in question.items):
            begun.set()
            await hangs.wait()
        return await file(question, timeout=timeout)

    world.mailstore.file = slow
    running = asyncio.create_task(worker.filer.run())
    async with asyncio.timeout(patient(20)):
        await world.submit(world.message(world.mailbox("slow@here.test")), worker=worker)
        await begun.wait()
        for name in "abc":
            await world.submit(world.message(world.mailbox(f"{name}@here.test")), worker=worker)
        while len(world.mailstore.filed) < 3:
            await asyncio.sleep(0.01)
        hangs.set()
        worker.filer.stop()
        await running
    assert len(world.mailstore.filed) == 4 and await world.rows("recipient") == []


async def test_while_mailstore_is_away_the_backlog_stays_due(world):
    worker = world.worker()
    world.mailstore.away = True
    await world.submit(*(world.message(world.mailbox(f"{n}@here.test")) for n in range(100)))
    assert await worker.filer.turn() == 100
    await world.submit(*(world.message(world.mailbox(f"{n}@here.test")) for n in range(100)))
    assert await worker.filer.turn() == 10
    world.mailstore.away = False
    while await worker.filer.turn():
        pass
    assert len(world.mailstore.filed) == 90


async def test_one_unfilable_item_does_not_hold_up_the_others(world):
    def judge(filing):
        if b"poison" in filing.prefix:
            raise BadRequest("cannot be understood")

    world.mailstore.says = judge
    boxes = [world.mailbox(f"{name}@here.test") for name in ("a", "b", "poison", "c", "d")]
    await world.submit(*(world.message(box) for box in boxes))
    await world.worker().filer.turn()
    assert len(world.mailstore.filed) == 4
    assert (await world.the("recipient"))["address"] == "poison@here.test"


async def test_a_message_with_our_delivered_to_is_a_loop(world):
    body = b"Received: by mx\r\ndelivered-to: B@here.test\r\nSubject: again\r\n\r\nDelivered-To: c@here.test\r\n"
    await world.submit(world.message(world.mailbox("b@here.test"), world.mailbox("c@here.test"), body=body))
    await world.work()
    assert [filing.prefix.split()[-1] for filing in world.mailstore.filed.values()] == [b"c@here.test"]
    assert b"This message is looping: it already has my Delivered-To line. (#5.4.6)" in world.sink.got[0].body
    assert b"Status: 5.4.6" in world.sink.got[0].body


async def test_the_loops_file_what_comes_in_and_end_when_told(world):
    worker = world.worker()
    running = asyncio.create_task(worker.filer.run())
    await world.submit(*(world.message(world.mailbox(f"{n}@here.test")) for n in range(500)), worker=worker)
    async with asyncio.timeout(patient(20)):
        while await world.rows("message"):
            await asyncio.sleep(0.01)
    worker.filer.stop()
    await asyncio.wait_for(running, patient(5))
    assert len(world.mailstore.filed) == 500 and len(worker.leases) == 0
