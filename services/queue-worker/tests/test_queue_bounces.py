"""Bounces (S8, S9, S13, RFC 3464): the texts to the letter, everybody named, the original attached, and never again."""

import email
from email import policy

import asyncpg
import pytest

from bodystore import OtherDatabase
from queue_worker.models import Outcome, clean
from queue_worker_api.wire import SubmissionRecipient

S9 = "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)"
TOO_LONG = " I'm not going to try again; this message has been in the queue too long."
S13 = (
    "while talking to mx.far.test.:\n>>> RCPT To:<b@far.test>\n<<< 550-MAILBOX NOT FOUND\n<<< 550 no such user\n"
    "550 <b@far.test>... User unknown"
)


def down(address):
    """No host of the domain answers; the senders' own does."""
    return None if address.endswith("@sender.test") else (Outcome.deferred, "4.4.1", S9)


def refused(text=S13, status="5.1.1"):
    return lambda address: None if address.endswith("@sender.test") else (Outcome.failed, status, text)


def read(raw):
    return email.message_from_bytes(raw, policy=policy.default)


async def bounced(world, *recipients, says, **more):
    """Submit, let `says` refuse, and read the one bounce that the sender gets."""
    world.sink.says = says
    await world.submit(world.message(*recipients, sender="a@sender.test", **more))
    await world.work()
    (got,) = world.sink.got
    assert got.recipients == ["a@sender.test"] and got.mail_from == ""
    return got.body


async def test_s8_s9_after_24_hours_the_sender_finds_the_reason_on_one_line(world):
    world.sink.says = down
    await world.submit(world.message("b@far.test", sender="a@sender.test"))
    tries = 0
    while not world.sink.got:
        await world.work()
        rows = [row for row in await world.rows("recipient") if row["address"] == "b@far.test"]
        if rows:
            assert world.clock.now() < rows[0]["due"]
            world.pass_time((rows[0]["due"] - world.clock.now()).total_seconds())
            tries += 1
    assert tries == 15
    text = read(world.sink.got[0].body).get_payload()[0].get_content()
    assert S9 + TOO_LONG in text.splitlines()
    assert len(await world.rows("attempt")) == 15
    done = next(row for row in await world.rows("history") if row["address"] == "b@far.test")
    assert (done["state"], done["reply"], done["tries"]) == ("expired", S9 + TOO_LONG, 16)
    assert await world.rows("message") == []


async def test_s8_not_a_second_earlier(world):
    world.sink.says = down
    await world.submit(world.message("b@far.test", sender="a@sender.test"))
    world.pass_time(86399)
    await world.work()
    assert world.sink.got == [] and (await world.the("recipient"))["due"].timestamp() == world.clock.timestamp() + 1
    world.pass_time(1)
    await world.work()
    assert len(world.sink.got) == 1


async def test_s13_the_host_the_command_and_all_its_lines(world):
    raw = await bounced(world, "b@far.test", says=refused())
    assert S13.replace("\n", "\r\n").encode() in raw
    report = read(raw)
    assert report.get_content_type() == "multipart/report" and report.get_param("report-type") == "delivery-status"
    assert report["Auto-Submitted"] == "auto-replied" and report["To"] == "a@sender.test"
    human, machine, original = report.get_payload()
    assert human.get_content_type() == "text/plain" and "<b@far.test>:" in human.get_content()
    about, recipient = machine.get_payload()
    assert about["Reporting-MTA"] == "dns; mx.here.test"
    assert recipient["Final-Recipient"] == "rfc822; b@far.test" and recipient["Action"] == "failed"
    assert recipient["Status"] == "5.1.1" and recipient["Remote-MTA"] == "dns; mx.far.test"
    assert original.get_content_type() == "message/rfc822"
    assert original.get_payload()[0]["Subject"] == "hello"


@pytest.mark.parametrize("tls", ["", "required"])
async def test_the_bounce_of_a_message_with_requiretls_has_the_header_only(world, tls):
    """RFC 8689 5: as with RET=HDRS, whatever the sender asked for, since the bounce may pass hosts without TLS."""
    body = b"From: a@here.test\r\nSubject: x\r\n\r\nfor nobody else\r\n"
    raw = await bounced(world, "b@far.test", says=refused(), body=body, tls=tls, ret="FULL")
    assert (b"for nobody else" in raw) == (not tls) and b"Subject: x" in raw


async def test_every_recipient_concerned_is_named_in_one_bounce_and_no_other(world):
    world.mailstore.says = lambda filing: "gone" if b"gone" in filing.prefix else None
    says = refused()
    raw = await bounced(
        world,
        "b@far.test",
        "c@far.test",
        world.mailbox("fine@here.test"),
        says=lambda address: None if address == "ok@far.test" else says(address),
    )
    text = read(raw).get_payload()[0].get_content()
    assert "<b@far.test>:" in text and "<c@far.test>:" in text and "fine@here.test" not in text
    assert raw.count(b"Final-Recipient:") == 2


async def one_of_two_taken_over(world):
    """Refuse two recipients, one of which another worker has claimed meanwhile; return the body of the bounce."""
    deliver = world.sink.deliver

    async def after_the_other(*arguments):
        await world.pool.execute("update queue.recipient set attempt = attempt + 1 where address = 'c@far.test'")
        await deliver(*arguments)

    world.sink.deliver = after_the_other
    return await bounced(world, "b@far.test", "c@far.test", says=refused())


async def test_a_bounce_names_only_recipients_that_this_worker_still_had(world):
    raw = await one_of_two_taken_over(world)
    assert b"b@far.test" in raw and raw.count(b"Final-Recipient:") == 1
    assert [row["address"] for row in await world.rows("recipient")] == ["c@far.test"]
    assert await world.pool.fetchval("select count(*) from bodies.body") == 2


async def test_so_does_one_whose_body_is_in_another_database(world, postgres):
    with postgres.database(("bodystore", "bodies")) as dsn:
        async with asyncpg.create_pool(dsn, min_size=1, max_size=4) as pool:
            world.bodies = OtherDatabase(pool)
            raw = await one_of_two_taken_over(world)
            assert b"b@far.test" in raw and raw.count(b"Final-Recipient:") == 1
            # the bounce for both was stored before it was known that it would not be sent
            assert await pool.fetchval("select count(*) from bodies.body") == 3
            assert await world.pool.fetchval("select count(*) from bodies.body") == 0


async def test_a_forwarded_recipient_is_named_as_the_sender_wrote_it(world):

    raw = await bounced(world, SubmissionRecipient("far@far.test", "info@here.test"), says=refused())
    assert b"<info@here.test> (forwarded to <far@far.test>):" in raw
    assert b"Original-Recipient: rfc822; info@here.test\r\nFinal-Recipient: rfc822; far@far.test" in raw


@pytest.mark.parametrize(("size", "whole"), [(100 * 1024, True), (100 * 1024 + 1, False)])
async def test_the_original_is_attached_up_to_100_kb_above_that_its_headers(world, size, whole):
    head = b"Subject: big\r\n\r\n"
    body = head + b"x" * (size - len(head))
    raw = await bounced(world, "b@far.test", says=refused(), body=body)
    part = read(raw).get_payload()[2]
    assert part.get_content_type() == ("message/rfc822" if whole else "text/rfc822-headers")
    assert (body in raw) is whole and b"Subject: big\r\n" in raw
    assert whole or len(raw) < 3000


async def test_a_header_that_is_itself_too_large_is_cut_at_a_line(world):
    body = b"".join(b"X-Line-%d: %s\r\n" % (n, b"y" * 900) for n in range(300)) + b"\r\nbody"
    raw = await bounced(world, "b@far.test", says=refused(), body=body)
    assert len(raw) < 110_000 and b"X-Line-0:" in raw and b"X-Line-299:" not in raw


async def test_the_report_is_crlf_clean_and_says_how_wide_it_is(world):
    body = "Subject: grüße\r\n\r\nschöne grüße\r\n".encode()
    raw = await bounced(world, "b@far.test", says=refused(clean("550 \x00Postfach \udcfcnbekannt: ü")), body=body)
    assert b"\r\n" in raw and b"\n" not in raw.replace(b"\r\n", b"") and b"\r" not in raw.replace(b"\r\n", b"")
    report = read(raw)
    assert report["Content-Transfer-Encoding"] == "8bit" and body in raw
    assert report.get_payload()[1].get_content_type() == "message/delivery-status"
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    row = [row for row in await world.rows("history") if row["address"] == "b@far.test"]
    assert row[0]["reply"] == "550  Postfach ?nbekannt: ü"


async def test_a_local_sender_finds_it_in_the_mailbox_and_a_full_one_is_no_excuse(world):
    sender = world.mailbox("a@here.test")
    world.sink.says = refused()
    await world.submit(world.message("b@far.test", sender="a@here.test", sender_target=sender))
    await world.work()
    (filing,) = world.mailstore.filed.values()
    assert filing.mailbox_id == sender.mailbox_id and filing.exempt
    assert filing.prefix == b"Return-Path: <>\r\nDelivered-To: a@here.test\r\n"
    assert b"User unknown" in await world.bodies.read(filing.body_id)


async def test_a_sender_of_ours_that_leads_elsewhere_gets_it_there(world):
    """By MX, a bounce to `sales@here.test` or to an SRS address of ours came back to ourselves, which is a loop."""
    world.sink.says = lambda address: (Outcome.failed, "5.1.1", S13) if address == "b@far.test" else None
    leading = SubmissionRecipient("boss@elsewhere.test", "sales@here.test")
    await world.submit(world.message("b@far.test", sender="sales@here.test", sender_target=leading))
    plain = SubmissionRecipient("a@sender.test", "a@sender.test")
    await world.submit(world.message("b@far.test", sender="a@sender.test", sender_target=plain))
    await world.work()
    await world.work()
    assert sorted(each.recipients[0] for each in world.sink.got) == ["a@sender.test", "boss@elsewhere.test"]
    (led,) = [each for each in world.sink.got if each.recipients == ["boss@elsewhere.test"]]
    assert led.mail_from == "" and read(led.body)["To"] == "sales@here.test"


async def test_a_strangers_null_sender_opens_no_quota(world):
    await world.submit(world.message(world.mailbox("b@here.test"), sender=""))
    await world.work()
    assert [filing.exempt for filing in world.mailstore.filed.values()] == [False]


async def test_a_bounce_that_fails_is_counted_and_never_bounced(world):
    from prometheus_client import REGISTRY

    name = "postrider_queue_bounce_failed_total"
    before = REGISTRY.get_sample_value(name)
    world.sink.says = lambda address: (Outcome.failed, "5.1.1", "no such user")
    await world.submit(world.message("b@far.test"), world.message("c@far.test", sender=""))
    await world.work()
    await world.work()
    assert REGISTRY.get_sample_value(name) == before + 2  # the bounce to a@far.test, and c's
    assert await world.rows("message") == [] and world.sink.got == []


async def test_a_sender_without_a_domain_is_not_bounced_to(world):
    world.sink.says = lambda address: (Outcome.failed, "5.1.1", "no such user")
    await world.submit(world.message("b@far.test", sender="root"))
    await world.work()
    assert await world.rows("message") == []


async def test_the_bounce_is_committed_with_the_recipients_end(world):
    """Killed while recording: neither happened, and the next worker does both."""
    world.sink.says = refused()
    await world.submit(world.message("b@far.test", sender="a@sender.test"))
    await world.pool.execute(
        "create function stop() returns trigger language plpgsql as $$ begin raise exception 'killed'; end $$"
    )
    await world.pool.execute("create trigger stop before delete on queue.recipient execute function stop()")
    await world.work()
    assert len(await world.rows("message")) == 1 and await world.rows("history") == []
    await world.pool.execute("drop trigger stop on queue.recipient")
    world.pass_time(60)
    await world.work()
    assert len(world.sink.got) == 1 and await world.rows("message") == []
