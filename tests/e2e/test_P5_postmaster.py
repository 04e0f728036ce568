"""P5: postmaster@ comes with the domain, has no usable password until one is set, and cannot be deleted."""

import imaplib

import pytest

from tests.support.clients import STRANGER, imap, inbox, smtp
from tests.support.mail import message
from tests.support.run import Account, Run, wait_for


def test_postmaster(run: Run) -> None:
    domain = run.domain()
    postmaster = Account(f"postmaster@{domain}", "a password of its own")
    assert postmaster.address in {row["address"] for row in run.cli("mailbox", "ls", domain)}
    done = run.cli_process("mailbox", "rm", postmaster.address, "--yes")
    assert done.returncode != 0
    assert "postmaster" in done.stderr
    with pytest.raises(imaplib.IMAP4.error):
        imap(run, Account(postmaster.address, ""))
    with smtp(run, STRANGER) as client:
        client.sendmail("", [postmaster.address], message("a@far.example", postmaster.address))
    run.cli("mailbox", "passwd", postmaster.address, "--password-stdin", text=postmaster.password + "\n")
    assert len(wait_for(lambda: inbox(run, postmaster))) == 1
