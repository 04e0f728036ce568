"""Notifications that senders asked for (RFC 3461): which events are reported, what the report says, and what is passed on."""

import email
from dataclasses import replace
from email import policy

import pytest
from msgspec import structs

from queue_worker.models import Outcome
from queue_worker_api.wire import SubmissionRecipient

SENDER = "a@sender.test"


def to(address, notify="", orcpt=""):
    return SubmissionRecipient(address, address, notify=notify, orcpt=orcpt)


def says(address):
    """Refuse what begins with no."""
    return (Outcome.failed, "5.1.1", "550 no such user") if address.startswith("no") else None


async def notices(world, *recipients, sender=SENDER, **more):
    """Send a message; the notices that its sender gets."""
    world.sink.says = says
    await world.submit(world.message(*recipients, sender=sender, **more))
    await world.work()
    assert await world.rows("asked") == await world.rows("message") == []
    return [
        email.message_from_bytes(got.body, policy=policy.default)
        for got in world.sink.got
        if got.recipients == [SENDER]
    ]


def reported(notice):
    """The blocks of the report: about the message, and by address."""
    about, *blocks = notice.get_payload()[1].get_payload()
    return about, {block["Final-Recipient"].partition("; ")[2]: block for block in blocks}


@pytest.mark.parametrize(
    ("notify", "failure", "success"),
    [
        ("", True, False),
        ("NEVER", False, False),
        ("FAILURE", True, False),
        ("DELAY", False, False),
        ("SUCCESS", False, True),
        ("SUCCESS,FAILURE,DELAY", True, True),
    ],
)
async def test_each_event_is_reported_as_asked(world, notify, failure, success):
    here = structs.replace(world.mailbox("m@here.test"), notify=notify)
    found = await notices(world, to("no@far.test", notify), to("yes@far.test", notify), here, envid="x")
    actions = {address: block["Action"] for one in found for address, block in reported(one)[1].items()}
    wanted = {"no@far.test": "failed"} if failure else {}
    if success:
        wanted |= {"yes@far.test": "relayed", "m@here.test": "delivered"}
    assert actions == wanted


async def test_the_report_names_the_envelope_and_the_recipient_as_the_sender_did(world):
    recipient = to("yes@far.test", "SUCCESS", "rfc822;Bob+2B1@else.test")
    (notice,) = await notices(world, recipient, ret="FULL", envid="QQ+2B31+204")
    about, blocks = reported(notice)
    assert about["Original-Envelope-Id"] == "QQ+31 4" and notice["Subject"] == "delivery notice"
    block = blocks["yes@far.test"]
    assert block["Original-Recipient"] == "rfc822; Bob+1@else.test" and block["Status"].startswith("2.")
    human, _, original = notice.get_payload()
    assert "permanent error" not in human.get_content() and "<yes@far.test>:" in human.get_content()
    assert original.get_content_type() == "text/rfc822-headers"


@pytest.mark.parametrize(
    ("ret", "kind"), [("", "message/rfc822"), ("FULL", "message/rfc822"), ("HDRS", "text/rfc822-headers")]
)
async def test_a_failure_returns_what_was_asked_for(world, ret, kind):
    (notice,) = await notices(world, to("no@far.test"), ret=ret)
    assert notice.get_payload()[2].get_content_type() == kind


async def test_nothing_is_reported_to_the_null_sender(world):
    assert await notices(world, to("no@far.test", "FAILURE"), to("yes@far.test", "SUCCESS"), sender="") == []
    assert len(world.sink.got) == 1


async def test_a_message_of_which_nothing_is_asked_has_no_rows(world):
    world.sink.says = lambda address: (Outcome.deferred, "4.2.0", "later")
    await world.submit(world.message("b@far.test"), world.message("c@far.test", envid="x"))
    (row,) = await world.rows("asked")
    assert (row["envid"], row["notify"], row["ret"]) == ("x", "", "")


async def test_a_host_that_took_the_wish_over_reports_itself(world):
    deliver = world.sink.deliver

    async def passed(domain, messages, report, relay=None, admit=None):
        await deliver(domain, messages, lambda results: report([replace(result, passed=True) for result in results]))

    world.sink.deliver = passed
    assert await notices(world, to("yes@far.test", "SUCCESS")) == []
    assert [got.recipients for got in world.sink.got] == [["yes@far.test"]]
