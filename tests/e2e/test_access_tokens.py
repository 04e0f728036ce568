"""OAUTHBEARER and XOAUTH2 by SMTP, POP3 and IMAP, with the tokens of an issuer on loopback."""

import base64
import imaplib
import poplib
import smtplib
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.support.clients import HOME, Imap, Pop3, smtp, tls_context
from tests.support.issuer import TestIssuer
from tests.support.run import Account, Run

pytestmark = pytest.mark.single_machine  # a release needs an issuer that its pods reach


@pytest.fixture(scope="module")
def issuer() -> Iterator[TestIssuer]:
    with TestIssuer() as running:
        yield running


@pytest.fixture(scope="module")
def own(issuer: TestIssuer) -> Iterator[Run]:
    run = Run(OAUTH="true", **{name.upper(): value for name, value in issuer.settings().items()})
    try:
        yield run.start()
    finally:
        run.close()


@pytest.fixture(scope="module")
def user(own: Run) -> Account:
    return own.mailbox(own.domain())


def message(mechanism: str, user: str, token: str) -> bytes:
    head = f"user={user}" if mechanism == "XOAUTH2" else f"n,a={user},"
    return f"{head}\x01auth=Bearer {token}\x01\x01".encode()


@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
def test_a_token_logs_in_by_each_protocol(own: Run, issuer: TestIssuer, user: Account, mechanism: str) -> None:
    said = message(mechanism, user.address, issuer.token(user.address, now=time.time()))
    encoded = base64.b64encode(said).decode()
    with smtp(own, HOME, "SUBMISSION", tls=True) as client:
        assert mechanism in client.esmtp_features["auth"].split()
        assert client.docmd("AUTH", f"{mechanism} {encoded}")[0] == 235
        assert client.mail(user.address)[0] == 250
    with Imap(own) as by_imap:
        by_imap.starttls(tls_context(own))
        assert f"AUTH={mechanism}" in by_imap.capabilities
        assert by_imap.authenticate(mechanism, lambda _: said)[0] == "OK"
        assert by_imap.select()[0] == "OK"
    with closing(Pop3(own)) as by_pop3:
        by_pop3.stls(tls_context(own))
        assert mechanism in by_pop3.capa()["SASL"]
        assert by_pop3._shortcmd(f"AUTH {mechanism}") == b"+ "
        try:
            assert by_pop3._shortcmd(encoded).startswith(b"+OK")
        except poplib.error_proto as error:
            assert b"[LOGIN-DELAY]" in error.args[0]  # P4: the second mechanism within a minute; the token was good


@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
def test_a_refused_token_is_said_why_before_the_refusal(
    own: Run, issuer: TestIssuer, user: Account, mechanism: str
) -> None:
    said = message(mechanism, user.address, issuer.token(user.address, now=time.time(), aud="another service"))
    encoded = base64.b64encode(said).decode()
    with smtp(own, HOME, "SUBMISSION", tls=True) as client:
        code, why = client.docmd("AUTH", f"{mechanism} {encoded}")
        assert code == 334 and b'"schemes":"bearer"' in base64.b64decode(why)
        assert client.docmd("AQ==")[0] == 535
    with Imap(own) as by_imap:
        by_imap.starttls(tls_context(own))
        asked: list[bytes] = []

        def answer(challenge: bytes) -> bytes:
            asked.append(challenge)
            return said if not challenge else b"\x01"

        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            by_imap.authenticate(mechanism, answer)
        assert b'"schemes":"bearer"' in asked[-1]
    with closing(Pop3(own)) as by_pop3:
        by_pop3.stls(tls_context(own))
        by_pop3._shortcmd(f"AUTH {mechanism}")
        assert b'"schemes":"bearer"' in base64.b64decode(by_pop3._shortcmd(encoded).removeprefix(b"+ "))
        with pytest.raises(poplib.error_proto, match="AUTH"):
            by_pop3._shortcmd("AQ==")


def test_without_tls_no_token_is_asked_for(own: Run) -> None:
    with smtp(own, HOME, "SUBMISSION") as client, pytest.raises(smtplib.SMTPException):
        assert not client.has_extn("auth")
        client.auth("XOAUTH2", lambda _=None: "x")
