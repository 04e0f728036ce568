"""A mailstore that hangs is a temporary failure within 10 s on every protocol, and over when it is back."""

import imaplib
import poplib
import signal
import smtplib
import time

import pytest

from mailkit.testing.speed import allowed
from tests.support.clients import STRANGER, Pop3, imap, inbox, pop3, smtp, tls_context
from tests.support.mail import message
from tests.support.run import running, wait_for
from tests.support.world import World


def test_mailstore_stands_still(world: World) -> None:
    with running(**world.settings()) as run:
        user = run.mailbox(run.domain())
        reader = imap(run, user)
        store = run.service("mailstore")
        store.send_signal(signal.SIGSTOP)
        try:
            started = time.monotonic()
            with pytest.raises(imaplib.IMAP4.error, match="UNAVAILABLE"):
                status, data = reader.status("INBOX", "(MESSAGES)")
                raise imaplib.IMAP4.error(f"{status} {data!r}")
            assert time.monotonic() - started < allowed(10)
            started = time.monotonic()
            maildrop = Pop3(run)
            maildrop.host = "localhost"
            maildrop.stls(tls_context(run))
            maildrop.user(user.login)
            with pytest.raises(poplib.error_proto, match=r"-ERR \[SYS/TEMP\]"):
                maildrop.pass_(user.password)
            assert time.monotonic() - started < allowed(10)
            maildrop.close()
            with smtp(run, STRANGER) as client:
                client.mail("")
                started = time.monotonic()
                assert client.rcpt(user.address)[0] == 451
                assert time.monotonic() - started < allowed(10)
        finally:
            store.send_signal(signal.SIGCONT)

        def sent() -> bool:
            try:
                with smtp(run, STRANGER) as client:
                    client.sendmail("", [user.address], message("a@far.example", user.address))
            except (smtplib.SMTPException, OSError):
                return False
            return True

        wait_for(sent, 15)
        assert wait_for(lambda: inbox(run, user), 20)
        pop3(run, user).quit()  # the login that came to nothing did not begin P4's minute
