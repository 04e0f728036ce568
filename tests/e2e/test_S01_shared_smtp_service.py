"""S1: one shared SMTP service; mail for local domains from anyone, mail elsewhere only with a grant or AUTH."""

from tests.support.clients import STRANGER, inbox, refusal, smtp
from tests.support.mail import message
from tests.support.run import Run, wait_for


def test_anyone_may_send_to_a_local_mailbox(run: Run) -> None:
    user = run.mailbox(run.domain())
    sent = message("someone@elsewhere.example", user.address)
    with smtp(run, STRANGER) as client:
        client.sendmail("", [user.address], sent)
    arrived = wait_for(lambda: inbox(run, user), why="the message is filed")
    assert len(arrived) == 1
    head, _, rest = arrived[0].partition(b"From: someone@")
    assert b"From: someone@" + rest == sent
    names = [line.split(b":")[0] for line in head.split(b"\r\n") if line and not line.startswith((b" ", b"\t"))]
    assert names == [b"Return-Path", b"Delivered-To", b"Authentication-Results", b"Received"]


def test_mail_elsewhere_is_refused_for_a_stranger(run: Run) -> None:
    with smtp(run, STRANGER) as client:
        client.mail("")
        assert "isn't allowed to be relayed" in refusal(client.rcpt, "someone@far.example")


def test_a_local_sender_address_opens_nothing(run: Run) -> None:
    user = run.mailbox(run.domain())
    with smtp(run, STRANGER) as client:
        client.mail(user.address)
        assert "isn't allowed to be relayed" in refusal(client.rcpt, "someone@far.example")
