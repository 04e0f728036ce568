"""Standard clients, from any loopback address: an address is who a client is here (S2)."""

import imaplib
import poplib
import smtplib
import socket
import ssl
from typing import Any

from mailkit.testing.speed import patient
from tests.support.run import Account, Run

HOME, OFFICE, STRANGER = "127.0.0.1", "127.0.0.2", "127.0.0.3"


def tls_context(run: Run) -> ssl.SSLContext:
    """Verifies against the run's CA, as a careful client does."""
    return ssl.create_default_context(cafile=run.ca_file)


class Pop3(poplib.POP3):
    """poplib with a source address."""

    def __init__(self, run: Run, source: str = HOME, port: str = "POP3") -> None:
        self._source = run.source(source)
        self._dial = run.host(port), run.port(port)
        super().__init__(run.name, run.port(port), timeout=patient(30))

    def _create_socket(self, timeout: float) -> socket.socket:
        return socket.create_connection(self._dial, timeout, source_address=(self._source, 0))


class _Smtp(smtplib.SMTP):
    """smtplib that dials where the service is and expects the certificate of its name."""

    def __init__(self, run: Run, source: str, port: str) -> None:
        self._run, self._dial = run, (run.host(port), run.port(port))
        super().__init__(
            run.name, run.port(port), local_hostname="client.test", timeout=patient(60), source_address=(source, 0)
        )

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return socket.create_connection(self._dial, timeout, source_address=self.source_address)


class _Smtps(_Smtp):
    def _get_socket(self, host: str, port: int, timeout: float) -> ssl.SSLSocket:
        return tls_context(self._run).wrap_socket(
            super()._get_socket(host, port, timeout), server_hostname=self._run.name
        )


def dial(run: Run, port: str, *, seconds: float = 10) -> socket.socket:
    """A bare connection; `seconds` are those of an idle machine."""
    return socket.create_connection((run.host(port), run.port(port)), patient(seconds))


def smtp(
    run: Run, source: str = HOME, port: str = "SMTP", *, tls: bool = False, login: Account | None = None
) -> smtplib.SMTP:
    """A connection after EHLO; `tls` by STARTTLS (or from the start on SMTPS); with `login`, authenticated."""
    client = (_Smtps if port == "SMTPS" else _Smtp)(run, run.source(source), port)
    client.ehlo()
    if (tls or login) and port != "SMTPS":
        client.starttls(context=tls_context(run))
        client.ehlo()
    if login:
        client.login(login.address, login.password)
    return client


def pop3(run: Run, account: Account, source: str = HOME, *, login: str | None = None) -> Pop3:
    """A POP3 session over STLS, logged in (which opens the OPEN-SMTP hour)."""
    client = Pop3(run, source)
    client.stls(tls_context(run))
    client.user(login or account.login)
    client.pass_(account.password)
    return client


class Imap(imaplib.IMAP4):
    """imaplib with a source address."""

    def __init__(self, run: Run, source: str = HOME) -> None:
        self._source = run.source(source)
        self._dial = run.host("IMAP"), run.port("IMAP")
        super().__init__(run.name, run.port("IMAP"), timeout=patient(30))

    def _create_socket(self, timeout: float | None) -> socket.socket:
        return socket.create_connection(self._dial, timeout, source_address=(self._source, 0))


def imap(
    run: Run, account: Account, source: str = HOME, *, login: str | None = None, select: str | None = "INBOX"
) -> Imap:
    """An IMAP session over STARTTLS, logged in."""
    client = Imap(run, source)
    client.starttls(tls_context(run))
    client.login(login or account.address, account.password)
    if select:
        status, data = client.select(select)
        assert status == "OK", data
    return client


def inbox(run: Run, account: Account) -> list[bytes]:
    """All messages of the INBOX, byte for byte, without marking them."""
    client = imap(run, account)
    try:
        _, data = client.fetch("1:*", "(BODY.PEEK[])")
        return [part[1] for part in data if isinstance(part, tuple)]
    finally:
        client.logout()


def refusal(call: Any, *arguments: Any) -> str:
    """What an SMTP command was refused with, as one string: `550 5.7.1 Sorry, …`."""
    code, text = call(*arguments)
    assert code >= 400, f"accepted: {code} {text!r}"
    return f"{code} {text.decode()}"
