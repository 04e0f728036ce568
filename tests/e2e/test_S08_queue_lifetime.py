"""S8, S9: tried for 24 hours on the schedule, then back to its sender with the reason. The clock is moved, not slept."""

from collections.abc import Iterator

import pytest

from tests.support.clients import STRANGER, inbox, smtp
from tests.support.mail import message
from tests.support.run import Run, wait_for
from tests.support.world import World

pytestmark = pytest.mark.single_machine
S9 = "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)"
TOO_LONG = " I'm not going to try again; this message has been in the queue too long."


@pytest.fixture(scope="module")
def own_run(world: World) -> Iterator[Run]:
    run = Run(**world.settings())
    try:
        yield run.start()
    finally:
        run.close()


def test_a_host_that_is_down_for_a_day(own_run: Run, world: World) -> None:
    user = own_run.mailbox(own_run.domain())
    down, late = world.remote(), world.remote()
    down.sink.close()
    late.sink.behaviour.greeting = ["421 come back later"]
    sent = message(user.address, "x")
    with smtp(own_run, STRANGER, "SUBMISSION", login=user) as client:
        client.sendmail(user.address, [f"a@{down.domain}", f"b@{late.domain}"], sent)
    (entry,) = wait_for(lambda: [row for row in own_run.cli("queue", "ls") if row["sender"] == user.address])

    def recipients() -> dict[str, dict[str, object]]:
        return {row["address"]: row for row in own_run.cli("queue", "show", entry["id"])["recipients"]}

    wait_for(lambda: all(row["tries"] == 1 for row in recipients().values()))
    assert recipients()[f"a@{down.domain}"]["reply"] == S9
    assert recipients()[f"a@{down.domain}"]["state"] == "waiting"
    late.sink.behaviour.greeting = None
    own_run.restart(CLOCK_OFFSET_SECONDS="420")  # the first retry comes after 400 s
    wait_for(lambda: late.messages())
    assert late.messages()[0].data.endswith(sent)
    own_run.restart(CLOCK_OFFSET_SECONDS=str(24 * 3600 + 60))
    bounce = wait_for(lambda: inbox(own_run, user))[0].decode()
    assert f"\r\n{S9}{TOO_LONG}\r\n" in bounce, "unwrapped, on one line"
    assert f"<a@{down.domain}>" in bounce
    assert late.domain not in bounce.split("message/rfc822")[0], "who got it is not complained about"
    assert "Return-Path: <>" in bounce
    assert "Auto-Submitted: auto-replied" in bounce
    assert "multipart/report; report-type=delivery-status" in bounce
    assert "Action: failed" in bounce
    assert sent.decode() in bounce, "the original is attached"
    assert {address: row["state"] for address, row in recipients().items()} == {
        f"a@{down.domain}": "expired",
        f"b@{late.domain}": "delivered",
    }


def test_a_bounce_is_never_bounced(own_run: Run, world: World) -> None:
    gone = world.remote()
    gone.sink.behaviour.rcpt = lambda address: ["550 5.1.1 no such user"]
    user = own_run.mailbox(own_run.domain())
    own_run.cli("forward", "add", f"alias@{user.domain}", f"x@{gone.domain}")
    with smtp(own_run, STRANGER) as client:
        client.sendmail("", [f"alias@{user.domain}"], message("a@far.example", "x"))
    wait_for(lambda: gone.sink.connections)
    wait_for(lambda: own_run.cli("queue", "ls") == [])
