"""L2: a forward goes to one or several addresses, with or without a copy in the mailbox; circles end."""

import pytest

from tests.support.clients import STRANGER, inbox, refusal, smtp
from tests.support.mail import message
from tests.support.run import Run, wait_for
from tests.support.world import World


def test_several_targets_and_a_kept_copy(run: Run, world: World) -> None:
    domain = run.domain()
    anna, ben = run.mailbox(domain, "anna"), run.mailbox(domain, "ben")
    far = world.remote()
    run.cli("forward", "add", anna.address, ben.address, f"x@{far.domain}", "--keep-copy")
    sent = message("a@far.example", anna.address)
    with smtp(run, STRANGER) as client:
        client.sendmail("", [anna.address], sent)
    for account in (anna, ben):
        arrived = wait_for(lambda account=account: inbox(run, account))
        assert len(arrived) == 1
        assert arrived[0].endswith(sent)
    wait_for(far.messages)
    assert [m.recipients for m in far.messages()] == [[f"x@{far.domain}"]]


def test_without_a_copy(run: Run) -> None:
    domain = run.domain()
    anna, ben = run.mailbox(domain, "anna"), run.mailbox(domain, "ben")
    run.cli("forward", "add", anna.address, ben.address)
    with smtp(run, STRANGER) as client:
        client.sendmail("", [anna.address, ben.address], message("a@far.example", anna.address))
    assert len(wait_for(lambda: inbox(run, ben))) == 1, "one recipient reached twice gets one message"
    assert inbox(run, anna) == []
    assert [row["address"] for row in run.cli("forward", "ls", domain)] == [anna.address]
    run.cli("forward", "rm", anna.address)

    def sent_now() -> list[bytes]:
        """The gateway may remember the forward for a second (decision 0025)."""
        with smtp(run, STRANGER) as client:
            client.sendmail("", [anna.address], message("a@far.example", anna.address))
        return inbox(run, anna)

    wait_for(sent_now)


def test_an_alias_without_a_mailbox(run: Run) -> None:
    user = run.mailbox(run.domain())
    run.cli("forward", "add", f"sales@{user.domain}", user.address)
    with smtp(run, STRANGER) as client:
        client.sendmail("", [f"sales@{user.domain}"], message("a@far.example", "sales"))
    wait_for(lambda: inbox(run, user))


def test_a_circle_is_refused(run: Run) -> None:
    domain = run.domain()
    run.cli("forward", "add", f"one@{domain}", f"two@{domain}")
    run.cli("forward", "add", f"two@{domain}", f"one@{domain}")
    with smtp(run, STRANGER) as client:
        client.mail("")
        assert refusal(client.rcpt, f"one@{domain}").split(" ")[1] == "5.4.6"


def test_a_circle_through_another_host_ends_at_the_first_return(run: Run, world: World) -> None:
    domain = run.domain()
    far = world.remote()
    run.cli("forward", "add", f"list@{domain}", f"x@{far.domain}")
    other = run.mailbox(domain, "other")
    with smtp(run, STRANGER) as client:
        client.sendmail(f"a@{far.domain}", [f"list@{domain}"], message("a@far.example", "list"))
    wait_for(far.messages)
    returned = far.messages()[0].data
    assert returned.startswith(f"Delivered-To: list@{domain}\r\n".encode())
    with smtp(run, STRANGER) as client:  # the other host sends it back
        client.mail(f"a@{far.domain}")
        client.rcpt(f"list@{domain}")
        assert refusal(client.data, returned).split(" ")[:2] == ["554", "5.4.6"]
    with smtp(run, STRANGER) as client:
        client.sendmail(f"a@{far.domain}", [f"list@{domain}", other.address], returned)
    wait_for(lambda: inbox(run, other))  # he has it; the other recipient alone fails
    wait_for(lambda: [m for m in far.messages() if b"Status: 5.4.6" in m.data])
    assert len(far.messages()) == 2


@pytest.mark.single_machine  # a release's gateway answers simulations in its cluster only
def test_a_simulation_names_the_sender_of_a_copy_sent_elsewhere(run: Run, world: World) -> None:
    domain, far, origin = run.domain(), world.remote(), world.remote()
    run.cli("forward", "add", f"out@{domain}", f"x@{far.domain}")
    with smtp(run, STRANGER) as client:
        client.sendmail(f"joe@{origin.domain}", [f"out@{domain}"], message("a@far.example", "out"))
    wait_for(far.messages)
    made = far.messages()[0].mail_from
    asked = ("simulate", "--client", "192.0.2.7", "--from", f"joe@{origin.domain}", "--rcpt", f"out@{domain}")
    assert f"x@{far.domain}: forwarded by <out@{domain}> as <{made}>" in run.cli_process(*asked).stdout


def test_bounces_of_a_copy_sent_elsewhere_come_back_to_its_sender(run: Run, world: World) -> None:
    domain, far, origin = run.domain(), world.remote(), world.remote()
    run.cli("forward", "add", f"out@{domain}", f"x@{far.domain}")
    with smtp(run, STRANGER) as client:
        client.sendmail(f"joe@{origin.domain}", [f"out@{domain}"], message("a@far.example", "out"))
    wait_for(far.messages)
    made = far.messages()[0].mail_from
    assert made.startswith("SRS0=") and f"={origin.domain}=joe@" in made
    with smtp(run, STRANGER) as client:
        client.sendmail("", [made.lower()], message("mailer-daemon@far.example", made))
        client.mail("")
        assert refusal(client.rcpt, made.replace("=joe@", "=eve@")) == (
            "550 5.1.1 Sorry, no mailbox here by that name. vpopmail (#5.1.1)"
        )
    wait_for(origin.messages)
    assert [(m.mail_from, m.recipients) for m in origin.messages()] == [("", [f"joe@{origin.domain}"])]
