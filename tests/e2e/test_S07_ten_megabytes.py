"""S7: 10 MB passes end to end; one octet more is refused, by the declared and by the real size."""

from tests.support.clients import STRANGER, inbox, refusal, smtp
from tests.support.mail import sized
from tests.support.run import Run, wait_for

LIMIT = 10 * 1024 * 1024


def test_exactly_ten_megabytes_arrive(run: Run) -> None:
    user = run.mailbox(run.domain())
    sent = sized("a@far.example", user.address, LIMIT)
    with smtp(run, STRANGER) as client:
        assert client.esmtp_features["size"] == str(LIMIT)
        assert client.mail("", [f"size={len(sent)}"])[0] == 250
        assert client.rcpt(user.address)[0] == 250
        assert client.data(sent)[0] == 250
    arrived = wait_for(lambda: inbox(run, user), 40)
    assert arrived[0].endswith(sent)


def test_one_octet_more_is_refused_when_declared(run: Run) -> None:
    with smtp(run, STRANGER) as client:
        assert refusal(client.mail, "", [f"size={LIMIT + 1}"]).startswith("552 5.3.4")


def test_one_octet_more_is_refused_when_sent(run: Run) -> None:
    user = run.mailbox(run.domain())
    with smtp(run, STRANGER) as client:
        client.mail("")
        client.rcpt(user.address)
        code, text = client.data(sized("a@far.example", user.address, LIMIT + 1))
        assert (code, text[:5]) == (552, b"5.3.4")
        assert client.noop()[0] == 250, "the dialogue is in step"
    assert inbox(run, user) == []
