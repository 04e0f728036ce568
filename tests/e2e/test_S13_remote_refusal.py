"""S13, S12: a remote host refused: the bounce shows which host, what was said to it and all its reply lines."""

from tests.support.clients import STRANGER, imap, inbox, smtp
from tests.support.mail import message, sized
from tests.support.run import Run, wait_for
from tests.support.world import World

MB = 1024 * 1024


def test_every_reply_line(run: Run, world: World) -> None:
    user = run.mailbox(run.domain())
    remote = world.remote()
    bad = f"bad@{remote.domain}"
    remote.sink.behaviour.rcpt = lambda address: (
        ["550-MAILBOX NOT FOUND", "550-ask postmaster", "550 5.1.1 bye"] if address == bad else None
    )
    with smtp(run, STRANGER, "SUBMISSION", login=user) as client:
        client.sendmail(user.address, [bad, f"good@{remote.domain}"], message(user.address, "x"))
    bounce = wait_for(lambda: inbox(run, user))[0].decode()
    text = "\r\n".join(
        (
            f"while talking to {remote.host}.:",
            f">>> RCPT To:<{bad}>",
            "<<< 550-MAILBOX NOT FOUND",
            "<<< 550-ask postmaster",
            "<<< 550 5.1.1 bye",
            f"550 <{bad}>... User unknown",
        )
    )
    assert text in bounce
    assert f"Final-Recipient: rfc822; {bad}" in bounce
    assert f"Remote-MTA: dns; {remote.host}" in bounce
    assert "Diagnostic-Code: smtp; 550-MAILBOX NOT FOUND" in bounce
    assert f"good@{remote.domain}" not in bounce.split("message/rfc822")[0]
    wait_for(lambda: remote.messages())
    assert remote.messages()[0].recipients == [f"good@{remote.domain}"]


def test_S12_as_seen_in_a_bounce(run: Run, world: World) -> None:
    user = run.mailbox(run.domain())
    remote = world.remote()
    remote.sink.behaviour.mail = ["554 sorry, your envelope sender is in my badmailfrom list"]
    with smtp(run, STRANGER, "SUBMISSION", login=user) as client:
        client.sendmail(user.address, [f"a@{remote.domain}"], message(user.address, "x"))
    bounce = wait_for(lambda: inbox(run, user))[0].decode()
    assert "\r\n<<< 554 sorry, your envelope sender is in my badmailfrom list\r\n" in bounce


def test_a_temporary_refusal_is_deferred(run: Run, world: World) -> None:
    user = run.mailbox(run.domain())
    remote = world.remote()
    remote.sink.behaviour.dot = ["451 4.7.1 greylisted"]
    with smtp(run, STRANGER, "SUBMISSION", login=user) as client:
        client.sendmail(user.address, [f"a@{remote.domain}"], message(user.address, "x"))
    (entry,) = wait_for(lambda: [row for row in run.cli("queue", "ls") if row["sender"] == user.address])
    recipient = wait_for(lambda: (r := run.cli("queue", "show", entry["id"])["recipients"][0])["reply"] and r)
    assert "<<< 451 4.7.1 greylisted" in recipient["reply"]
    assert recipient["state"] == "waiting"
    remote.sink.behaviour.dot = None
    run.cli("queue", "retry", "--all")
    wait_for(lambda: remote.messages())


def test_a_lost_answer_to_the_final_dot_is_in_doubt(run: Run, world: World) -> None:
    user = run.mailbox(run.domain())
    remote = world.remote()
    remote.sink.behaviour.drop_at = "dot"
    with smtp(run, STRANGER, "SUBMISSION", login=user) as client:
        client.sendmail(user.address, [f"a@{remote.domain}"], message(user.address, "x"))
    (entry,) = wait_for(lambda: [row for row in run.cli("queue", "ls") if row["sender"] == user.address])
    recipient = wait_for(lambda: (r := run.cli("queue", "show", entry["id"])["recipients"][0])["in_doubt"] and r)
    assert recipient["in_doubt"] == 1


def test_a_sender_whose_mailbox_is_full_still_gets_his_bounce(run: Run, world: World) -> None:
    """Bounces are exempt from quota refusal, all the way from MAIL to the mailbox."""
    user = run.mailbox(run.domain(), quota=25 * MB)
    client = imap(run, user)
    for size in (9 * MB, 9 * MB, 7 * MB - 3 * 1024):  # with the charge of 1 KB for each message, full to the octet
        assert client.append("INBOX", "", None, sized("a@far.example", "x", size))[0] == "OK"  # type: ignore[arg-type]
    remote = world.remote()
    remote.sink.behaviour.rcpt = lambda address: ["550 5.1.1 nobody"]
    with smtp(run, STRANGER, "SUBMISSION", login=user) as sender:
        sender.sendmail(user.address, [f"a@{remote.domain}"], message(user.address, "x"))
    wait_for(
        lambda: client.noop()[0] == "OK" and client.search(None, "BODY", '"User unknown"')[1] != [b""],
        why="the bounce is filed",
    )
    client.logout()
