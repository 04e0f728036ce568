"""SCRAM-SHA-256 with Debian's clients: msmtp and mpop (GNU SASL), mutt by SMTP, POP3 and IMAP, where the service offers it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clients import inbox
from tests.support.mail import message
from tests.support.run import Account, Run, wait_for
from tests.support.world import World

from .terminal import in_terminal
from .test_interop_senders import sh


@pytest.fixture(scope="module")
def scram(world: World) -> Iterator[Run]:
    made = Run(**world.settings(), SCRAM="offer", POP3_LOGIN_DELAY_SECONDS="0")
    try:
        yield made.start()
    finally:
        made.close()


@pytest.fixture
def customer(scram: Run) -> Account:
    return scram.mailbox(scram.domain())


def test_msmtp_sends_and_mpop_takes(scram: Run, customer: Account, tmp_path: Path) -> None:
    common = f"tls on\ntls_trust_file {scram.ca_file}\nauth scram-sha-256\nuser {customer.address}\n"
    send, take = tmp_path / "msmtprc", tmp_path / "mpoprc"
    send.write_text(
        f"account default\nhost localhost\nport {scram.port('SUBMISSION')}\ntls_starttls on\n{common}"
        f"password {customer.password}\nfrom {customer.address}\n"
    )
    take.write_text(
        f"account default\nhost localhost\nport {scram.port('POP3S')}\ntls_starttls off\n{common}"
        f"password {customer.password}\ndelivery mbox {tmp_path}/got\n"
    )
    for config in (send, take):
        config.chmod(0o600)
    sent = message(customer.address, customer.address, subject="by msmtp")
    sh("msmtp", f"--file={send}", customer.address, text=sent.replace(b"\r\n", b"\n"))
    wait_for(lambda: inbox(scram, customer))
    done = sh("mpop", f"--file={take}", "--debug")
    assert b"AUTH SCRAM-SHA-256" in done.stdout + done.stderr
    assert b"by msmtp" in (tmp_path / "got").read_bytes()
    assert inbox(scram, customer) == []
    send.write_text(send.read_text().replace(customer.password, "wrong"))
    with pytest.raises(AssertionError, match="uthentication"):
        sh("msmtp", f"--file={send}", customer.address, text=b"Subject: x\n\nx\n")


def test_mutt_by_imap(scram: Run, customer: Account, tmp_path: Path) -> None:
    config = tmp_path / "msmtprc"
    sent = message(customer.address, customer.address, subject="for mutt")
    config.write_text(
        f"account default\nhost localhost\nport {scram.port('SUBMISSION')}\ntls on\ntls_starttls on\n"
        f"tls_trust_file {scram.ca_file}\nauth plain\nuser {customer.address}\npassword {customer.password}\n"
        f"from {customer.address}\n"
    )
    config.chmod(0o600)
    sh("msmtp", f"--file={config}", customer.address, text=sent.replace(b"\r\n", b"\n"))
    wait_for(lambda: inbox(scram, customer))
    rc = tmp_path / "muttrc"
    rc.write_text(
        f'set folder="imaps://localhost:{scram.port("IMAPS")}/"\nset imap_user="{customer.address}"\n'
        f'set imap_pass="{customer.password}"\nset imap_authenticators="scram-sha-256"\n'
        f'set certificate_file="{scram.ca_file}"\nset ssl_verify_host=no\nset header_cache=""\nset spoolfile="+INBOX"\n'
        f"set delete=yes\nset quit=yes\nset confirmappend=no\nset confirmcreate=no\nset wait_key=no\nset mbox_type=mbox\n"
        f'push "<first-entry><copy-message>{tmp_path}/saved<enter><quit>"\n'
    )
    in_terminal("mutt", "-n", "-F", str(rc), "-f", "=INBOX", home=tmp_path)
    assert b"for mutt" in (tmp_path / "saved").read_bytes()
