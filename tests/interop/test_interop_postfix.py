"""Debian's Postfix on both sides: it submits through us, and it is the host that our mail goes to."""

import smtplib
import socket
from pathlib import Path

from mailkit.testing.speed import patient
from tests.support.clients import STRANGER, inbox, smtp
from tests.support.mail import message
from tests.support.run import Account, Run, wait_for
from tests.support.world import World

from .postfix import Postfix
from .test_interop_senders import sh


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def test_postfix_submits_through_us(run: Run, user: Account, world: World, tmp_path: Path) -> None:
    """A customer's own server with us as its smart host: TLS that is verified, AUTH, and mail for here and elsewhere."""
    far = world.remote()
    (tmp_path / "login").write_text(f"[localhost]:{run.port('SUBMISSION')} {user.address}:{user.password}\n")
    port = free_port()
    settings = (
        f"smtpd_relay_restrictions = permit_mynetworks, reject\n"
        f"relayhost = [localhost]:{run.port('SUBMISSION')}\nsmtp_host_lookup = native\nsmtp_tls_security_level = verify\n"
        f"smtp_tls_CAfile = {run.ca_file}\nsmtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = texthash:{tmp_path}/login\n"
        f"smtp_sasl_security_options = noanonymous\nsmtp_sasl_tls_security_options = noanonymous\n"
    )
    sent = message(
        user.address, "somebody", subject="through a smart host", body="one\r\n.\r\n..two\r\n" + "ö" * 40 + "\r\n"
    )
    with Postfix(tmp_path, "127.0.0.1", port, settings) as postfix:
        with smtplib.SMTP("127.0.0.1", port, timeout=patient(30)) as client:
            client.sendmail(user.address, [user.address, f"x@{far.domain}"], sent, ["body=8bitmime"])
        (here,) = wait_for(lambda: inbox(run, user), 30, f"the message is filed; {postfix.log()}")
        wait_for(far.messages, 30)
    for arrived in (here, far.messages()[0].data):
        head, _, rest = arrived.partition(b"Received: from client" if b"Received: from client" in arrived else b"From:")
        assert b"with ESMTPSA" in head, "authenticated, under TLS"
        assert arrived.endswith(sent)
        assert rest


def test_our_mail_goes_to_postfix_under_tls(run: Run, user: Account, world: World, tmp_path: Path) -> None:
    domain, address = "postfix.example", world.address()
    world.dns.set(domain, MX=[f"10 mx.{domain}"])
    world.dns.set(f"mx.{domain}", A=[address])
    (tmp_path / "refused").write_text(f"bad@{domain} 550 5.7.1 not this one\n")
    settings = (
        f"smtpd_relay_restrictions = reject_unauth_destination\n"
        f"smtpd_recipient_restrictions = check_recipient_access texthash:{tmp_path}/refused\n"
        f"smtpd_reject_footer = Ask postmaster@{domain}\\nor wait\n"  # a reply of three lines
        f"smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {tmp_path}/etc/tls.pem\n"
    )
    sent = message(user.address, "somebody", subject="to postfix", body="one\r\n.\r\n..two\r\n" + "ö" * 40 + "\r\n")
    with Postfix(tmp_path, address, world.smtp_port, settings, domain=domain) as postfix:
        with smtp(run, STRANGER, "SUBMISSION", login=user) as client:
            client.sendmail(user.address, [f"good@{domain}", f"bad@{domain}"], sent, ["body=8bitmime"])
        (arrived,) = wait_for(postfix.delivered, 30, f"Postfix has it; {postfix.log()}")
        (bounce,) = wait_for(lambda: inbox(run, user), 30, "the refusal came back")
    assert arrived.endswith(sent.replace(b"\r\n", b"\n"))
    assert b"with ESMTPS id" in arrived or b"using TLSv1.3" in arrived
    text = bounce.decode()
    assert f"while talking to mx.{domain}.:" in text
    assert f">>> RCPT To:<bad@{domain}>" in text
    refusal = (
        f"550-5.7.1 <bad@{domain}>: Recipient address rejected: not this one",
        f"550-5.7.1 Ask postmaster@{domain}",
        "550 5.7.1 or wait",
    )
    assert "".join(f"<<< {line}\r\n" for line in refusal) in text, "S13: every line, in order"
    assert f"good@{domain}" not in text.split("message/rfc822")[0]


def test_smtp_source(run: Run, user: Account, tmp_path: Path) -> None:
    """Postfix's own load generator: twenty sessions at once, each keeping its connection; what arrives is byte-equal."""
    sent = message(
        "a@far.example", user.address, subject="load", body="one\r\n.\r\n..two\r\n" + ("y" * 70 + "\r\n") * 55
    )
    (tmp_path / "message").write_bytes(sent.replace(b"\r\n", b"\n"))
    sh(
        "smtp-source",
        "-4",
        "-c",
        "-d",
        "-s",
        "20",
        "-F",
        str(tmp_path / "message"),
        "-m",
        "60",
        "-f",
        "a@far.example",
        "-t",
        user.address,
        f"127.0.0.1:{run.port('SMTP')}",
    )
    arrived = wait_for(lambda: len(found := inbox(run, user)) == 60 and found, 30)
    on_the_wire = sent + b"\r\n"  # smtp-source ends a file's message with an empty line of its own
    assert all(one.endswith(b"\r\n" + on_the_wire) for one in arrived)
