"""A service that is away is a temporary failure within 10 s, never an open relay, and over when it is back."""

import imaplib
import poplib
import signal
import smtplib
import time
from collections.abc import Iterator

import pytest

from mailkit.testing.speed import allowed
from tests.support.clients import STRANGER, Pop3, imap, inbox, pop3, refusal, smtp, tls_context
from tests.support.mail import message
from tests.support.run import Run, wait_for
from tests.support.world import World


@pytest.fixture(scope="module")
def own(world: World) -> Iterator[Run]:
    run = Run(**world.settings())
    try:
        yield run.start()
    finally:
        run.close()


def test_auth_stands_still(own: Run, world: World) -> None:
    user = own.mailbox(own.domain())
    auth = own.service("auth")
    auth.send_signal(signal.SIGSTOP)
    try:
        started = time.monotonic()
        with smtp(own, STRANGER) as client:
            assert refusal(client.mail, "").startswith("451 4.3.0")
            code, _ = client.rcpt(f"someone@{world.far_domain}")
            assert code >= 400
        with pytest.raises(imaplib.IMAP4.error, match="UNAVAILABLE"):
            imap(own, user)
        assert time.monotonic() - started < allowed(25)
    finally:
        auth.send_signal(signal.SIGCONT)

    def well() -> bool:
        try:
            imap(own, user).logout()
        except (imaplib.IMAP4.error, OSError):
            return False
        return True

    wait_for(well, 15)


def test_the_queue_is_killed_and_comes_back(own: Run) -> None:
    user = own.mailbox(own.domain())
    own.service("queue_worker").kill()

    def sent() -> bool:
        try:
            with smtp(own, STRANGER) as client:
                client.sendmail("", [user.address], message("a@far.example", user.address))
        except (smtplib.SMTPException, OSError):
            return False
        return True

    wait_for(sent, 30)
    assert len(wait_for(lambda: inbox(own, user))) >= 1


def test_mailstore_stands_still(own: Run) -> None:
    user = own.mailbox(own.domain())
    reader = imap(own, user)
    store = own.service("mailstore")
    store.send_signal(signal.SIGSTOP)
    try:
        started = time.monotonic()
        with pytest.raises(imaplib.IMAP4.error, match="UNAVAILABLE"):
            status, data = reader.status("INBOX", "(MESSAGES)")
            raise imaplib.IMAP4.error(f"{status} {data!r}")
        assert time.monotonic() - started < allowed(10)
        started = time.monotonic()
        maildrop = Pop3(own)
        maildrop.host = "localhost"
        maildrop.stls(tls_context(own))
        maildrop.user(user.login)
        with pytest.raises(poplib.error_proto, match=r"-ERR \[SYS/TEMP\]"):
            maildrop.pass_(user.password)
        assert time.monotonic() - started < allowed(10)
        maildrop.close()
        with smtp(own, STRANGER) as client:
            client.mail("")
            started = time.monotonic()
            assert client.rcpt(user.address)[0] == 451
            assert time.monotonic() - started < allowed(10)
    finally:
        store.send_signal(signal.SIGCONT)

    def sent() -> bool:
        try:
            with smtp(own, STRANGER) as client:
                client.sendmail("", [user.address], message("a@far.example", user.address))
        except (smtplib.SMTPException, OSError):
            return False
        return True

    wait_for(sent, 15)
    assert wait_for(lambda: inbox(own, user), 20)
    pop3(own, user).quit()  # the login that came to nothing did not begin P4's minute
