"""Copies that forwards send elsewhere: their envelope sender is the recipient's (docs/decisions/0093)."""

import pytest

from queue_worker.models import Outcome
from queue_worker_api.wire import Stamp, SubmissionRecipient

MADE = "SRS0=ABCDEFGHIJ=AB=far.test=a@here.test"


def forwarded(address: str, via: str = "list@here.test", sender: str = MADE) -> SubmissionRecipient:
    return SubmissionRecipient(address, "info@here.test", via=via, sender=sender)


async def test_each_copy_has_the_sender_of_its_recipient(world):
    item = world.message(
        forwarded("b@far.test"),
        forwarded("c@far.test"),
        forwarded("d@far.test", sender=""),  # from a gateway of the release before
        "e@far.test",
        world.mailbox("f@here.test"),
    )
    await world.submit(item)
    await world.work()
    assert {tuple(sorted(got.recipients)): got.mail_from for got in world.sink.got} == {
        ("b@far.test", "c@far.test"): MADE,
        ("d@far.test",): "a@far.test",
        ("e@far.test",): "a@far.test",
    }
    (filing,) = world.mailstore.filed.values()
    assert filing.prefix.startswith(b"Return-Path: <a@far.test>\r\n")


async def test_our_own_bounce_of_a_copy_goes_to_the_message_s_sender(world):
    world.sink.says = lambda address: (Outcome.failed, "5.1.1", "550 no") if address == "b@far.test" else None
    await world.submit(world.message(forwarded("b@far.test")))
    await world.work()
    (bounce,) = world.sink.got
    assert (bounce.mail_from, bounce.recipients) == ("", ["a@far.test"])
    assert b"<info@here.test> (forwarded to <b@far.test>):" in bounce.body and b"SRS0" not in bounce.body


async def test_the_trace_of_a_forward_says_which_destination_refused_what(world, admin):
    def says(address: str) -> tuple[Outcome, str, str] | None:
        return {
            "b@strict.test": (Outcome.failed, "5.7.1", "550 5.7.1 not from you"),
            "c@slow.test": (Outcome.deferred, "4.2.0", "450 later"),
        }.get(address)

    world.sink.says = says
    recipients = [forwarded(address) for address in ("b@strict.test", "c@slow.test", "d@far.test")]
    await world.submit(world.message(*recipients), world.message("b@strict.test"))
    await world.work()
    found = [trace async for page in admin.trace(address="list@here.test") for trace in page]
    (trace,) = [each for each in found if each["sender"]]
    said = {
        event["recipient"]: (event["event"], event["reply"], event["forwarded_by"], event["sender"])
        for event in trace["events"]
        if event["recipient"]
    }
    assert said == {
        "b@strict.test": ("failed", "550 5.7.1 not from you", "list@here.test", MADE),
        "c@slow.test": ("waiting", "450 later", "list@here.test", MADE),
        "d@far.test": ("delivered", "250 ok", "list@here.test", MADE),
    }
    rows = await world.pool.fetch("select recipient, sender, forwarded_by from queue.mail_trace where event = 'failed'")
    assert ("b@strict.test", MADE, "list@here.test") in [tuple(row) for row in rows]


async def test_mail_that_failed_dmarc_is_not_forwarded_and_nobody_is_told_but_the_trace(world, admin):
    item = world.message(
        forwarded("b@far.test"), "c@far.test", world.mailbox("f@here.test"), stamp=Stamp([], dmarc_failed=True)
    )
    await world.submit(item)
    await world.work()
    assert [got.recipients for got in world.sink.got] == [["c@far.test"]] and len(world.mailstore.filed) == 1
    (trace,) = [trace async for page in admin.trace(address="list@here.test") for trace in page]
    (refused,) = [event for event in trace["events"] if event["event"] == "failed"]
    assert (refused["recipient"], refused["status"]) == ("b@far.test", "5.7.1") and "DMARC" in refused["reply"]


@pytest.mark.parametrize("action", ["bounce", "expire"])
async def test_of_what_is_not_forwarded_an_operator_makes_no_bounce_either(world, admin, action):
    await world.submit(world.message(forwarded("b@far.test"), stamp=Stamp([], dmarc_failed=True)))
    assert await admin.acted(action, all=True, reason="No such run. (#5.7.1)") == 1
    await world.work()
    assert world.sink.got == [] and await world.rows("message") == []
