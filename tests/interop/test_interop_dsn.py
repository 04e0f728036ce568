"""DSN (RFC 3461) with Debian's Postfix on both sides: what its clients ask passes through us, and each report comes back to it."""

import email
import smtplib
from collections.abc import Iterator
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from mailkit.testing.speed import patient
from tests.support.mail import message
from tests.support.run import Run, wait_for
from tests.support.world import Remote, World

from .postfix import Postfix

SENDER = "someone@origin.example"
ASKED = "SUCCESS,FAILURE,DELAY"
#: A Postfix that was put off, by a busy machine, tries again soon.
SOON = "queue_run_delay = 2s\nminimal_backoff_time = 2s\nmaximal_backoff_time = 5s\n"
#: What a client's ENVID and ORCPT stand for; in the commands + is in xtext.
ENVID, ORIGINAL = "QQ+31", "Given+Name@elsewhere.example"


@dataclass
class Between:
    """A Postfix whose smart host we are, a Postfix that our mail goes to, and a host that does not offer DSN."""

    origin: Postfix
    port: int
    address: str
    far: Postfix
    old: Remote

    def send(self, to: str, notify: str) -> None:
        """Give the first Postfix a message from a client that asks for `notify`."""
        with smtplib.SMTP(self.address, self.port, timeout=patient(30)) as client:
            assert client.ehlo()[0] == 250 and client.has_extn("dsn")
            assert client.mail(SENDER, [f"RET=HDRS ENVID={_xtext(ENVID)}"])[0] == 250
            assert client.rcpt(to, [f"NOTIFY={notify} ORCPT=rfc822;{_xtext(ORIGINAL)}"])[0] == 250
            assert client.data(message(SENDER, to, subject=f"for {to}"))[0] == 250

    def reports(self) -> dict[tuple[str, str], EmailMessage]:
        """What came back to the sender, by recipient and action."""
        found = {}
        for raw in self.origin.delivered():
            read: Any = email.message_from_bytes(raw, policy=policy.default)
            assert read.get_content_type() == "multipart/report", raw
            for block in read.get_payload()[1].get_payload()[1:]:
                key = block["Final-Recipient"].partition(";")[2].strip(), block["Action"]
                assert key not in found, f"twice: {key}"
                found[key] = read
        return found


def _xtext(text: str) -> str:
    return text.replace("+", "+2B")


@pytest.fixture(scope="module")
def between(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Between]:
    addresses = {name: world.address() for name in ("origin", "far")}
    for name, address in addresses.items():
        world.dns.set(f"{name}.example", MX=[f"10 mx.{name}.example"])
        world.dns.set(f"mx.{name}.example", A=[address])
    folders = {name: tmp_path_factory.mktemp(name) for name in addresses}
    with Postfix(
        folders["far"], addresses["far"], world.smtp_port, _far(folders["far"], addresses, world), domain="far.example"
    ) as far:
        own = Run(**world.settings(), DELAY_NOTICE_SECONDS="2", RETRY_FIRST_SECONDS="1")
        try:
            own.start()
            user = own.mailbox(own.domain())
            login = folders["origin"] / "login"
            login.write_text(f"[localhost]:{own.port('SUBMISSION')} {user.address}:{user.password}\n")
            settings = (
                f"{SOON}myhostname = mx.origin.example\nmynetworks = 127.0.0.0/8\n"
                f"smtpd_relay_restrictions = permit_mynetworks, reject\n"
                f"relayhost = [localhost]:{own.port('SUBMISSION')}\nsmtp_host_lookup = native\nsmtp_tls_security_level = verify\n"
                f"smtp_tls_CAfile = {own.ca_file}\nsmtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = texthash:{login}\n"
                f"smtp_sasl_security_options = noanonymous\nsmtp_sasl_tls_security_options = noanonymous\n"
            )
            address, port = addresses["origin"], world.smtp_port
            with Postfix(folders["origin"], address, port, settings, domain="origin.example") as origin:
                yield Between(origin, port, address, far, world.remote())
        finally:
            own.close()


def _far(folder: Path, addresses: dict[str, str], world: World) -> str:
    """The settings of the second Postfix, which sends its own reports to the first one."""
    (folder / "refused").write_text("bad@far.example 550 5.7.1 not this one\nlater@far.example 450 4.7.1 not yet\n")
    return (
        f"{SOON}myhostname = mx.far.example\nsmtpd_relay_restrictions = reject_unauth_destination\n"
        f"smtpd_recipient_restrictions = check_recipient_access texthash:{folder}/refused\n"
        f"relayhost = [{addresses['origin']}]:{world.smtp_port}\nsmtp_host_lookup = native\n"
    )


def _block(report: EmailMessage, to: str) -> Any:
    about, *blocks = report.get_payload()[1].get_payload()  # type: ignore[union-attr, index]
    assert about["Original-Envelope-Id"] == ENVID
    (block,) = [each for each in blocks if each["Final-Recipient"].endswith(to)]
    assert block["Original-Recipient"].replace(" ", "") == f"rfc822;{ORIGINAL}"
    return about, block


def test_success_is_reported_by_the_last_host_that_knows_dsn(between: Between) -> None:
    between.send("good@far.example", ASKED)
    between.send(f"good@{between.old.domain}", ASKED)
    wanted = {("good@far.example", "delivered"), (f"good@{between.old.domain}", "relayed")}
    wait_for(lambda: wanted <= between.reports().keys(), 60, between.origin.log())
    reports = between.reports()
    about, block = _block(reports["good@far.example", "delivered"], "good@far.example")
    assert about["Reporting-MTA"] == "dns; mx.far.example" and block["Status"].startswith("2.")
    about, block = _block(reports[f"good@{between.old.domain}", "relayed"], between.old.domain)
    assert about["Reporting-MTA"] != "dns; mx.origin.example", "we took it over, so the first Postfix says nothing"
    assert block["Remote-MTA"] == f"dns; {between.old.host}"


def test_failure_and_delay_are_reported_by_us_as_asked(between: Between) -> None:
    between.send("bad@far.example", "NEVER")
    between.send("later@far.example", "FAILURE")
    between.send("bad@far.example", ASKED)
    between.send("later@far.example", ASKED)
    wanted = {("bad@far.example", "failed"), ("later@far.example", "delayed")}
    wait_for(lambda: wanted <= between.reports().keys(), 60, between.origin.log())
    reports = between.reports()  # fails if one came twice: of those that asked for no such report
    about, block = _block(reports["bad@far.example", "failed"], "bad@far.example")
    assert block["Status"] == "5.7.1" and "not this one" in block["Diagnostic-Code"]
    assert [part.get_content_type() for part in reports["bad@far.example", "failed"].iter_parts()][
        2
    ] == "text/rfc822-headers"
    about, block = _block(reports["later@far.example", "delayed"], "later@far.example")
    assert block["Status"] == "4.7.1" and "not yet" in block["Diagnostic-Code"] and block["Will-Retry-Until"]
    assert about["Reporting-MTA"] not in ("dns; mx.origin.example", "dns; mx.far.example")
