"""S5 for old devices: each listener's oldest TLS version is 1.2, or what POSTRIDER_TLS_MINIMUM says (decision 0044)."""

import contextlib
import json
import smtplib
import ssl
from collections.abc import Iterator

import pytest

from tests.support.clients import HOME, STRANGER, dial, inbox, smtp, tls_context
from tests.support.run import Run, running, wait_for
from tests.support.world import World

PORTS = ("SMTP", "SMTPS", "SUBMISSION", "POP3", "POP3S", "IMAP", "IMAPS")
STARTTLS = {
    "SMTP": b"STARTTLS\r\n",
    "SUBMISSION": b"STARTTLS\r\n",
    "POP3": b"STLS\r\n",
    "IMAP": b"a STARTTLS\r\n",
}
OLD = {"TLSv1": ssl.TLSVersion.TLSv1, "TLSv1.1": ssl.TLSVersion.TLSv1_1}


def old_device(run: Run, version: str) -> ssl.SSLContext:
    """A client that speaks one version, and is careful otherwise."""
    context = tls_context(run)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = OLD[version]
    return context


def spoken(run: Run, port: str, context: ssl.SSLContext) -> str | None:
    """The version of a handshake at `port`, by STARTTLS where there is one; None when it is refused."""
    with dial(run, port) as raw:
        if command := STARTTLS.get(port):
            lines = raw.makefile("rb", buffering=0)  # takes no octet of the handshake
            assert lines.readline()
            raw.sendall(command)
            assert lines.readline()[:3] in (b"220", b"+OK", b"a O")
        try:
            with context.wrap_socket(raw, server_hostname=run.name) as sock:
                return sock.version()
        except (ssl.SSLError, ConnectionError):
            return None


@pytest.mark.parametrize("version", OLD)
def test_versions_below_1_2_are_refused_on_every_port(run: Run, version: str) -> None:
    assert {port: spoken(run, port, old_device(run, version)) for port in PORTS} == dict.fromkeys(PORTS)


@pytest.fixture(scope="module")
def lenient(world: World) -> Iterator[Run]:
    with running(**world.settings(), TLS_MINIMUM="pop3s=1.0, submission=1.0, imap=1.1, smtps=1.1") as found:
        yield found


def warnings(run: Run, event: str) -> list[dict[str, str]]:
    """The lines of all services' logs with `event`."""
    lines = [line for log in (run.state / "logs").glob("*.log") for line in log.read_text().splitlines()]
    found = [json.loads(line) for line in lines if f'"{event}"' in line]
    assert all(line["level"] == "warning" for line in found)
    return found


@pytest.mark.single_machine
def test_a_listener_for_old_devices_takes_them_and_the_others_do_not(lenient: Run) -> None:
    taken = {version: {port: spoken(lenient, port, old_device(lenient, version)) for port in PORTS} for version in OLD}
    assert taken["TLSv1"] == dict.fromkeys(PORTS) | {"POP3S": "TLSv1", "SUBMISSION": "TLSv1"}
    assert taken["TLSv1.1"] == dict.fromkeys(PORTS) | {
        "POP3S": "TLSv1.1",
        "SUBMISSION": "TLSv1.1",
        "IMAP": "TLSv1.1",
        "SMTPS": "TLSv1.1",
    }
    assert {spoken(lenient, port, tls_context(lenient)) for port in PORTS} == {"TLSv1.3"}

    allowed = {(line["service"], line["listener"], line["minimum"]) for line in warnings(lenient, "old_tls_allowed")}
    assert allowed == {
        ("smtp-gateway", "submission", "1.0"),
        ("smtp-gateway", "smtps", "1.1"),
        ("pop-imap-frontend", "pop3s", "1.0"),
        ("pop-imap-frontend", "imap", "1.1"),
    }
    expected = {(port.lower(), version) for version in OLD for port in PORTS if taken[version][port]}
    wait_for(lambda: {(u["listener"], u["version"]) for u in warnings(lenient, "old_tls_used")} == expected, 5)
    assert {line["client"] for line in warnings(lenient, "old_tls_used")} == {HOME}


@pytest.mark.single_machine
def test_an_old_device_sends_a_message(lenient: Run) -> None:
    """A printer that scans to mail: TLS 1.0, AUTH, DATA; Received says how it came."""
    account = lenient.mailbox(lenient.domain())
    client = smtp(lenient, STRANGER, "SUBMISSION")
    client.starttls(context=old_device(lenient, "TLSv1"))
    client.login(account.address, account.password)
    client.sendmail(account.address, [account.address], b"Subject: scan\r\n\r\none page\r\n")
    with contextlib.suppress(smtplib.SMTPServerDisconnected):
        client.quit()
    (message,) = wait_for(lambda: inbox(lenient, account), 20)
    assert b"(using TLSv1 with cipher " in message and b"with ESMTPSA" in message
