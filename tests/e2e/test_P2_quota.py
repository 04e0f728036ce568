"""P2: a mailbox holds 25 MB to 2 GB by its plan, exactly, for filing, APPEND and COPY alike."""

import concurrent.futures

import pytest

from tests.support.clients import STRANGER, imap, refusal, smtp
from tests.support.mail import message, sized
from tests.support.run import Run, wait_for

MB = 1024 * 1024


@pytest.mark.parametrize(("quota", "good"), [("24MB", False), ("25MB", True), ("2GB", True), ("2049MB", False)])
def test_the_bounds(run: Run, quota: str, good: bool) -> None:
    done = run.cli_process(
        "mailbox", "add", f"q@{run.domain()}", "--password-stdin", "--quota", quota, text="secret password\n"
    )
    assert (done.returncode == 0) is good, done.stderr
    if not good:
        assert len(done.stderr.strip().splitlines()) == 1
        assert "25" in done.stderr


def usage(run: Run, address: str) -> int:
    mailbox = run.api("GET", "auth", f"/v1/mailboxes/{address}")
    return int(run.api("GET", "mailstore", f"/v1/mailboxes/{mailbox['id']}")["usage"])


def test_rcpt_counts_the_declared_size(run: Run) -> None:
    user = run.mailbox(run.domain(), quota=25 * MB)
    client = imap(run, user)
    big = sized("a@far.example", user.address, 9 * MB)
    for _ in range(2):
        assert client.append("INBOX", "", None, big)[0] == "OK"  # type: ignore[arg-type]
    with smtp(run, STRANGER) as sender:
        sender.mail("", [f"size={8 * MB}"])
        assert refusal(sender.rcpt, user.address).startswith("452 4.2.2")
        sender.rset()
        sender.mail("", [f"size={2 * MB}"])
        assert sender.rcpt(user.address)[0] == 250
    status, data = client.append("INBOX", "", None, big)  # type: ignore[arg-type]
    assert status == "NO"
    assert b"[OVERQUOTA]" in data[0]
    status, data = client.copy("1", "Sent")
    assert status == "NO"
    assert b"[OVERQUOTA]" in data[0]
    client.logout()


def test_exact_under_concurrency(run: Run) -> None:
    """Twelve writers of 4 MB each on 25 MB: six fit, whoever they are."""
    user = run.mailbox(run.domain(), quota=25 * MB)
    body = sized("a@far.example", user.address, 4 * MB)

    def put(_: int) -> str:
        client = imap(run, user)
        try:
            return str(client.append("INBOX", "", None, body)[0])  # type: ignore[arg-type]
        finally:
            client.logout()

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(put, range(12)))
    assert answers.count("OK") == 6
    client = imap(run, user)
    wait_for(lambda: client.select("INBOX")[1] == [b"7"])  # and one message that says that it is almost full
    (warning,) = client.search(None, "SUBJECT", '"almost full"')[1]
    size = client.fetch(warning, "(RFC822.SIZE)")[1][0]
    client.logout()
    assert usage(run, user.address) == 6 * len(body) + int(size.rsplit(b" ", 1)[1].rstrip(b")"))  # type: ignore[union-attr]


def test_room_comes_back(run: Run) -> None:
    user = run.mailbox(run.domain(), quota=25 * MB)
    with smtp(run, STRANGER) as sender:
        sender.sendmail("", [user.address], message("a@far.example", user.address))
    wait_for(lambda: usage(run, user.address) > 0)
    client = imap(run, user)
    client.store("1", "+FLAGS", "\\Deleted")
    client.expunge()
    client.logout()
    assert usage(run, user.address) == 0
