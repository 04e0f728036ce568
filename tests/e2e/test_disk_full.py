"""A disk that is full refuses new mail, while reading and deleting go on (decision 12)."""

import smtplib

import pytest

from tests.support.clients import STRANGER, imap, inbox, smtp
from tests.support.mail import message
from tests.support.run import running, wait_for
from tests.support.world import World


def test_new_mail_is_refused_and_old_mail_is_read_and_deleted(world: World) -> None:
    with running(**world.settings()) as run:
        user = run.mailbox(run.domain())
        with smtp(run, STRANGER) as client:
            client.sendmail("", [user.address], message("a@far.example", user.address))
        wait_for(lambda: inbox(run, user))
        run.restart(DISK_RESERVE_BYTES=str(1 << 60))
        with smtp(run, STRANGER) as client, pytest.raises(smtplib.SMTPDataError) as refused:
            client.sendmail("", [user.address], message("a@far.example", user.address))
        assert (refused.value.smtp_code, refused.value.smtp_error[:5]) == (452, b"4.3.1")
        reader = imap(run, user)
        status, data = reader.append("INBOX", "", "", message("a@far.example", user.address))  # type: ignore[arg-type]
        assert status == "NO"
        assert data[0].startswith(b"[UNAVAILABLE]")
        assert len(inbox(run, user)) == 1
        assert reader.store("1", "+FLAGS", "(\\Deleted)")[0] == "OK"
        assert reader.expunge()[0] == "OK"
        assert inbox(run, user) == []
