"""S3: SMTP AUTH with the mailbox's login and password, on every connection, under TLS."""

import base64
import imaplib
import smtplib
from collections.abc import Callable

import pytest

from tests.support.clients import STRANGER, imap, inbox, refusal, smtp
from tests.support.run import Account, Run, wait_for
from tests.support.world import World


@pytest.mark.parametrize("port", ["SMTP", "SUBMISSION", "SMTPS"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_auth_allows_relaying(run: Run, world: World, port: str, mechanism: str) -> None:
    user = run.mailbox(run.domain())
    with smtp(run, STRANGER, port, tls=True) as client:
        client.user, client.password = user.login, user.password
        client.auth(mechanism, getattr(client, f"auth_{mechanism.lower()}"))
        assert client.mail(user.address)[0] == 250
        assert client.rcpt(f"someone@{world.far_domain}")[0] == 250
    with smtp(run, STRANGER) as client:
        client.mail(user.address)
        assert "relayed" in refusal(client.rcpt, f"someone@{world.far_domain}"), "AUTH holds for its connection only"


def test_a_wrong_password_and_an_unknown_user_are_one_answer(run: Run) -> None:
    user = run.mailbox(run.domain())
    answers = set()
    for account in (Account(user.address, "wrong"), Account(f"nobody@{user.domain}", "wrong")):
        with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
            smtp(run, STRANGER, tls=True, login=account)
        answers.add((caught.value.smtp_code, bytes(caught.value.smtp_error)))
    assert len(answers) == 1
    assert answers.pop()[0] == 535


def test_without_tls_auth_is_not_offered_and_refused_when_tried(run: Run) -> None:
    user = run.mailbox(run.domain())
    for port in ("SMTP", "SUBMISSION"):
        with smtp(run, STRANGER, port) as client:
            assert not client.has_extn("auth")
            code, text = client.docmd("AUTH", "PLAIN " + base64.b64encode(f"\0{user.address}\0x".encode()).decode())
            assert code == 538
            assert text.startswith(b"5.7.11")


def test_submission_ports_want_a_login_or_a_grant(run: Run) -> None:
    for port in ("SUBMISSION", "SMTPS"):
        with smtp(run, "127.0.0.31", port, tls=True) as client:
            assert refusal(client.mail, "anyone@far.example").startswith("530 5.7.0")


def test_a_submission_gets_the_date_and_message_id_it_lacks(run: Run) -> None:
    user = run.mailbox(run.domain())
    bare = f"From: {user.address}\r\nSubject: bare\r\n\r\nx\r\n".encode()
    with smtp(run, STRANGER, "SUBMISSION", login=user) as client:
        client.sendmail(user.address, [user.address], bare)
    with smtp(run, STRANGER) as client:
        client.sendmail("", [user.address], bare.replace(b"bare", b"foreign"))
    both = wait_for(lambda: len(found := inbox(run, user)) == 2 and found)
    ours = next(m for m in both if b"Subject: bare" in m)
    foreign = next(m for m in both if b"Subject: foreign" in m)
    assert b"\r\nDate: " in ours
    assert b"\r\nMessage-ID: <" in ours
    assert b"\r\nDate: " not in foreign
    assert b"\r\nMessage-I" not in foreign


def test_a_password_change_ends_open_sessions(run: Run) -> None:
    """Decision 15: an open session lives no longer than the password it was opened with."""
    user = run.mailbox(run.domain())
    client = smtp(run, STRANGER, "SUBMISSION", login=user)
    assert client.noop()[0] == 250
    run.cli("mailbox", "passwd", user.address, "--password-stdin", text="another password\n")

    def ended() -> bool:
        try:
            return client.noop()[0] == 421
        except (smtplib.SMTPServerDisconnected, OSError):
            return True

    wait_for(ended, 15, "the session was ended")


def test_a_revoked_app_password_ends_its_sessions_and_no_others(run: Run) -> None:
    user = run.mailbox(run.domain())
    made = [run.cli("app-password", "add", user.address, name)["password"] for name in ("phone", "tablet")]
    phone, tablet = (Account(user.address, password) for password in made)
    with smtp(run, STRANGER, "SUBMISSION", login=phone) as by_smtp, imap(run, tablet) as other:
        by_imap = imap(run, phone)
        assert by_smtp.mail(user.address)[0] == 250
        run.cli("app-password", "rm", user.address, "phone")
        wait_for(lambda: _is_over(by_imap.noop), why="IMAP's session")
        wait_for(lambda: _is_over(by_smtp.noop), why="SMTP's session")
        assert other.noop()[0] == "OK"
    with pytest.raises(smtplib.SMTPAuthenticationError):
        smtp(run, STRANGER, tls=True, login=phone)


def _is_over(noop: Callable[[], tuple[object, object]]) -> bool:
    try:
        return noop()[0] == 421
    except (imaplib.IMAP4.abort, smtplib.SMTPServerDisconnected):
        return True
