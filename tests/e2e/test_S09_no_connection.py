"""S9: no connection could be made to any mail host of the recipient: deferred with the text."""

from tests.support.clients import STRANGER, smtp
from tests.support.mail import message
from tests.support.run import Run, wait_for
from tests.support.world import World


def test_the_text_and_retry_now(run: Run, world: World) -> None:
    user = run.mailbox(run.domain())
    remote = world.remote()
    world.dns.set(remote.host, A=[world.address()])
    with smtp(run, STRANGER, "SUBMISSION", login=user) as client:
        client.sendmail(user.address, [f"a@{remote.domain}"], message(user.address, "x"))
    (entry,) = wait_for(lambda: [row for row in run.cli("queue", "ls") if row["sender"] == user.address])

    def recipient() -> dict[str, object]:
        found: dict[str, object] = run.cli("queue", "show", entry["id"])["recipients"][0]
        return found

    wait_for(lambda: recipient()["reply"])
    assert recipient()["reply"] == "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)"
    assert recipient()["status"] == "4.4.1"
    assert recipient()["state"] == "waiting"
    run.cli("queue", "retry", entry["id"])
    wait_for(lambda: recipient()["tries"] == 2)
