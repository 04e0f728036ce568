"""S14 and L3: a mailbox exists when it stands in auth; everything else at a local domain is refused at RCPT."""

from tests.support.clients import STRANGER, inbox, refusal, smtp
from tests.support.mail import message
from tests.support.run import Run, wait_for

S14 = "550 5.1.1 Sorry, no mailbox here by that name. vpopmail (#5.1.1)"


def test_L3_known_and_unknown(run: Run) -> None:
    user = run.mailbox(run.domain())
    with smtp(run, STRANGER) as client:
        client.mail("")
        assert client.rcpt(user.address.upper())[0] == 250, "names compare without case"
        assert refusal(client.rcpt, f"nobody@{user.domain}") == S14
        assert client.rcpt("postmaster")[0] == 250, "RFC 5321 4.5.1"


def test_a_removed_mailbox_is_unknown_and_shows_nothing_when_made_again(run: Run) -> None:
    user = run.mailbox(run.domain())
    with smtp(run, STRANGER) as client:
        client.sendmail("", [user.address], message("a@far.example", user.address))
    wait_for(lambda: inbox(run, user))
    run.cli("mailbox", "rm", user.address, "--yes")
    with smtp(run, STRANGER) as client:
        client.mail("")
        assert refusal(client.rcpt, user.address) == S14
    again = run.mailbox(user.domain, "user")
    assert again.address == user.address
    assert inbox(run, again) == []
