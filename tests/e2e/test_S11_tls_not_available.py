"""S11: STARTTLS was offered and the TLS session could not be made: deferred with the library's error, never plain text."""

from tests.support.clients import STRANGER, smtp
from tests.support.mail import message
from tests.support.run import Run, wait_for
from tests.support.world import World


def test_a_broken_handshake_defers(run: Run, world: World) -> None:
    user = run.mailbox(run.domain())
    remote = world.remote()
    remote.sink.behaviour.starttls = remote.sink.behaviour.break_tls = True
    with smtp(run, STRANGER, "SUBMISSION", login=user) as client:
        client.sendmail(user.address, [f"a@{remote.domain}"], message(user.address, "x"))
    (entry,) = wait_for(lambda: [row for row in run.cli("queue", "ls") if row["sender"] == user.address])
    recipient = wait_for(lambda: (r := run.cli("queue", "show", entry["id"])["recipients"][0])["reply"] and r)
    assert recipient["reply"].startswith("TLS not available: connect failed: ")
    assert len(recipient["reply"]) > len("TLS not available: connect failed: ")
    assert recipient["state"] == "waiting"
    assert remote.messages() == []
