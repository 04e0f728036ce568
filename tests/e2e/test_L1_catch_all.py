"""L1: a domain's catch-all delivers to a mailbox, forwards elsewhere, or bounces (S14)."""

from tests.support.clients import STRANGER, inbox, refusal, smtp
from tests.support.mail import message
from tests.support.run import Run, wait_for
from tests.support.world import World


def test_to_a_mailbox_then_elsewhere_then_off(run: Run, world: World) -> None:
    user = run.mailbox(run.domain())
    anyone = f"whoever@{user.domain}"
    run.cli("catchall", "set", user.domain, "mailbox", user.address)
    with smtp(run, STRANGER) as client:
        client.sendmail("", [anyone], message("a@far.example", anyone))
        client.sendmail("", [user.address], message("a@far.example", user.address))
    assert len(wait_for(lambda: len(found := inbox(run, user)) == 2 and found)) == 2
    far = world.remote()
    run.cli("catchall", "set", user.domain, "forward", f"box@{far.domain}")
    anyone = f"another@{user.domain}"  # what was said of the first may be remembered for a second (decision 0025)
    with smtp(run, STRANGER) as client:
        client.sendmail("", [anyone], message("a@far.example", anyone))
    wait_for(lambda: far.messages())
    assert far.messages()[0].recipients == [f"box@{far.domain}"]
    run.cli("catchall", "set", user.domain, "bounce")
    with smtp(run, STRANGER) as client:
        client.mail("")
        assert refusal(client.rcpt, f"third@{user.domain}").startswith("550 5.1.1 Sorry, no mailbox here")
