"""S5: STARTTLS on 25 and 587, implicit TLS on 465; nothing sent ahead of the handshake is believed."""

import ssl

import pytest

from tests.support.clients import dial, smtp, tls_context
from tests.support.run import Run


@pytest.mark.parametrize("port", ["SMTP", "SUBMISSION"])
def test_starttls(run: Run, port: str) -> None:
    with smtp(run, port=port) as client:
        assert client.has_extn("starttls")
        client.starttls(context=tls_context(run))
        client.ehlo()
        assert not client.has_extn("starttls")
        assert client.has_extn("auth")


def test_implicit_tls(run: Run) -> None:
    with smtp(run, port="SMTPS") as client:
        assert isinstance(client.sock, ssl.SSLSocket)
        assert client.has_extn("auth")


def test_commands_pipelined_before_the_handshake_are_thrown_away(run: Run) -> None:
    with dial(run, "SMTP") as raw:
        file = raw.makefile("rb")
        assert file.readline().startswith(b"220")
        raw.sendall(b"EHLO client.test\r\n")
        while not file.readline().startswith(b"250 "):
            pass
        raw.sendall(b"STARTTLS\r\nMAIL FROM:<injected@far.example>\r\n")
        assert file.readline().startswith(b"220")
        tls = tls_context(run).wrap_socket(raw, server_hostname=run.name)
        tls.sendall(b"EHLO client.test\r\nRCPT TO:<postmaster>\r\n")
        lines = tls.makefile("rb")
        while not (line := lines.readline()).startswith(b"250 "):
            assert line.startswith(b"250-"), line
        assert lines.readline().startswith(b"503"), "the injected MAIL was not carried out"
