"""1: install, all ready, `helm test`, and a customer's journey through the external addresses.

The clients are outside the pod network, at addresses of their own: S2's grant has to be for exactly theirs.
"""

import imaplib
import json
import poplib
import smtplib
import socket
import ssl
import time

import pytest

from mailkit.testing.speed import patient
from tests.cluster.world import DEPLOYMENTS, HOME, OFFICE, STRANGER, Release
from tests.support.clients import refusal
from tests.support.mail import message, sized
from tests.support.run import Account, wait_for

TLS = ssl._create_unverified_context()  # the release's certificate is self-signed, its name is not what we dial
AWAY = "somebody@elsewhere.example"


def smtp(release: Release, source: str = HOME, port: int = 25, login: Account | None = None) -> smtplib.SMTP:
    client: smtplib.SMTP
    if port == 465:
        client = smtplib.SMTP_SSL(
            release.smtp,
            port,
            local_hostname="client.test",
            timeout=patient(60),
            source_address=(source, 0),
            context=TLS,
        )
    else:
        client = smtplib.SMTP(
            release.smtp, port, local_hostname="client.test", timeout=patient(60), source_address=(source, 0)
        )
    client.ehlo()
    if login:
        if port != 465:
            client.starttls(context=TLS)
            client.ehlo()
        client.login(login.address, login.password)
    return client


class Pop3(poplib.POP3):
    source = HOME

    def _create_socket(self, timeout: float) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout, source_address=(self.source, 0))


def pop3(release: Release, account: Account, source: str) -> Pop3:
    kind = type("Pop3From", (Pop3,), {"source": source})
    client: Pop3 = kind(release.reading, 110, timeout=patient(60))
    client.stls(TLS)
    client.user(account.login)
    client.pass_(account.password)
    return client


def imap(release: Release, account: Account) -> imaplib.IMAP4_SSL:
    client = imaplib.IMAP4_SSL(release.reading, 993, ssl_context=TLS, timeout=patient(60))
    client.login(account.address, account.password)
    client.select("INBOX")
    return client


def subjects(release: Release, account: Account) -> list[str]:
    client = imap(release, account)
    _, data = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    client.logout()
    return [part[1].decode().partition(":")[2].strip() for part in data if isinstance(part, tuple)]


def test_everything_is_ready_within_its_time(release: Release) -> None:
    started = {}
    for name in DEPLOYMENTS:
        (pod,) = release.pods(name)
        conditions = {item["type"]: item for item in pod["status"]["conditions"]}
        assert conditions["Ready"]["status"] == "True", pod["status"]
        assert not any(status["restartCount"] for status in pod["status"]["containerStatuses"])
        container = pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"]
        moment = time.mktime(time.strptime(conditions["Ready"]["lastTransitionTime"], "%Y-%m-%dT%H:%M:%SZ"))
        started[name] = moment - time.mktime(time.strptime(container, "%Y-%m-%dT%H:%M:%SZ"))
    print("container start to ready, whole seconds:", json.dumps(started))


def test_helm_test(release: Release) -> None:
    print(release.helm("test", "--logs", "--timeout", "3m"))


def test_mail_from_outside_is_filed_and_read_by_imap_and_pop3(release: Release, account: Account) -> None:
    def journey() -> None:
        client = smtp(release)
        text = message("friend@elsewhere.example", account.address, subject="from outside")
        client.sendmail("friend@elsewhere.example", [account.address], text)
        client.quit()
        wait_for(lambda: subjects(release, account) == ["from outside"], 30)
        reader = pop3(release, account, HOME)
        lines = reader.retr(1)[1]
        reader.quit()
        assert b"Subject: from outside" in lines
        # what the world is told of the client is the client's own address
        assert any(HOME.encode() in line for line in lines if line.startswith((b"Received", b"\t", b" "))), lines

    release.outside(journey)


@pytest.mark.own_cluster
def test_S2_a_grant_is_for_the_clients_own_address(release: Release, account: Account) -> None:
    def journey() -> None:
        client = smtp(release, OFFICE)
        client.mail(account.address)
        assert refusal(client.rcpt, AWAY).startswith("5")
        client.quit()
        pop3(release, account, OFFICE).quit()

        def granted() -> bool:
            client = smtp(release, OFFICE)
            client.mail(account.address)
            code, _ = client.rcpt(AWAY)
            client.rset()
            client.quit()
            return code == 250

        wait_for(granted, 10, "a grant after POP3")
        other = smtp(release, STRANGER)
        other.mail(account.address)
        assert refusal(other.rcpt, AWAY).startswith("5")
        other.quit()

    release.outside(journey)
    grants = release.admin("GET", "auth", f"grants?mailbox={account.address}")
    assert [grant["address"] for grant in grants] == [OFFICE], grants


@pytest.mark.parametrize("port", [25, 587, 465])
def test_S3_login_opens_the_way_out(release: Release, account: Account, port: int) -> None:
    def journey() -> None:
        client = smtp(release, STRANGER, port, login=account)
        client.mail(account.address)
        assert client.rcpt(AWAY)[0] == 250
        client.rset()
        client.quit()

    release.outside(journey)


def test_S7_ten_megabytes(release: Release, account: Account) -> None:
    text = sized("friend@elsewhere.example", account.address, 10_000_000)

    def journey() -> None:
        client = smtp(release)
        client.sendmail("friend@elsewhere.example", [account.address], text)
        client.quit()

        def filed() -> bool:
            reader = imap(release, account)
            _, data = reader.fetch("1:*", "(RFC822.SIZE)")
            reader.logout()
            return isinstance(data[0], bytes) and int(data[0].split(b"RFC822.SIZE ")[1].rstrip(b")")) >= len(text)

        wait_for(filed, 60)

    release.outside(journey)


@pytest.mark.own_cluster
def test_refusals_come_through(release: Release, account: Account) -> None:
    """S10 no relay, S12 badmailfrom, S14 no mailbox, S16 a sender's domain that does not exist."""
    release.admin("POST", "auth", "badmailfrom", {"entry": "spam@elsewhere.example"})

    def journey() -> None:
        client = smtp(release, STRANGER)
        client.mail("friend@elsewhere.example")
        assert refusal(client.rcpt, AWAY).startswith("5")
        assert refusal(client.rcpt, f"nobody@{account.domain}").startswith("5")
        client.rset()
        assert client.mail("friend@gone.example") == (
            550,
            b"5.1.8 Non-existing DNS_MX: MAIL FROM:<friend@gone.example>",
        )
        client.quit()

        def listed() -> bool:
            client = smtp(release, STRANGER)
            answer = client.mail("spam@elsewhere.example")
            client.quit()
            return answer == (554, b"5.7.1 sorry, your envelope sender is in my badmailfrom list")

        wait_for(listed, 10)

    release.outside(journey)
