"""Beside proxied listeners, direct ones: no PROXY header, and no OPEN-SMTP in either direction (decision 9)."""

import imaplib
import poplib
import smtplib
import socket
import ssl
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from mailkit.net.internal import internal_address
from mailkit.testing.speed import patient
from postrider.probe import Probe, ProbedService
from tests.support.clients import STRANGER, tls_context
from tests.support.mail import message
from tests.support.run import Account, Run, wait_for
from tests.support.world import World

OFFSET = 20
CLIENT = "127.0.0.41"


@pytest.fixture(scope="module")
def own(world: World) -> Iterator[Run]:
    internal = {"INTERNAL_SUBMISSION_PORT": free_port(), "INTERNAL_IMAPS_PORT": free_port()}
    run = Run(**world.settings(), TRUSTED_PROXIES="127.0.0.9/32", DIRECT_PORT_OFFSET=str(OFFSET), **internal)
    try:
        yield run.start()
    finally:
        run.close()


def free_port() -> str:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return str(sock.getsockname()[1])


def dial(port: int, *, proxied: bool) -> socket.socket:
    """CLIENT's connection, past the proxy or through it."""
    sock = socket.create_connection(
        ("127.0.0.1", port), patient(30), source_address=("127.0.0.9" if proxied else CLIENT, 0)
    )
    if proxied:
        sock.sendall(f"PROXY TCP4 {CLIENT} 127.0.0.1 4711 {port}\r\n".encode())
    return sock


def place(run: Run, name: str, proxied: bool) -> int:
    return run.port(name) + (0 if proxied else OFFSET)


def smtp(run: Run, *, proxied: bool, login: Account | None = None) -> smtplib.SMTP:
    class Smtp(smtplib.SMTP):
        def _get_socket(self, host: Any, port: Any, timeout: Any) -> socket.socket:
            return dial(port, proxied=proxied)

    client = Smtp("localhost", place(run, "SMTP", proxied), local_hostname="client.test", timeout=patient(30))
    client._host = "localhost"  # type: ignore[attr-defined]
    client.ehlo()
    if login:
        client.starttls(context=tls_context(run))
        client.ehlo()
        client.login(login.address, login.password)
    return client


def pop3(run: Run, user: Account, *, proxied: bool) -> None:
    class Pop3(poplib.POP3):
        def _create_socket(self, timeout: Any) -> socket.socket:
            return dial(place(run, "POP3", proxied), proxied=proxied)

    client = Pop3("localhost", timeout=patient(30))
    client.stls(tls_context(run))
    client.user(user.login)
    client.pass_(user.password)
    client.quit()


def imaps(run: Run, user: Account, *, proxied: bool) -> None:
    class Imap(imaplib.IMAP4):
        def _create_socket(self, timeout: Any) -> ssl.SSLSocket:
            sock = dial(place(run, "IMAPS", proxied), proxied=proxied)
            return tls_context(run).wrap_socket(sock, server_hostname="localhost")

    client = Imap("localhost", timeout=patient(30))
    client.login(user.address, user.password)
    client.logout()


def may_relay(run: Run, world: World, *, proxied: bool, login: Account | None = None) -> bool:
    with smtp(run, proxied=proxied, login=login) as client:
        assert client.mail("")[0] == 250
        return bool(client.rcpt(f"someone@{world.far_domain}")[0] == 250)


def test_direct_logins_give_nothing_and_direct_senders_use_nothing(own: Run, world: World) -> None:
    user = own.mailbox(own.domain())
    imaps(own, user, proxied=False)
    pop3(own, user, proxied=False)
    assert not may_relay(own, world, proxied=True), "a direct login gave a grant"
    assert not may_relay(own, world, proxied=False)

    imaps(own, user, proxied=True)
    assert may_relay(own, world, proxied=True)
    assert not may_relay(own, world, proxied=False), "a direct sender used the grant of its address"
    assert may_relay(own, world, proxied=False, login=user), "AUTH works there"


def test_an_internal_login_gives_a_grant_for_internal_senders_only(own: Run, world: World) -> None:
    """Decision 103."""
    user = own.mailbox(own.domain())
    known = internal_address(CLIENT)
    smtp_port, imaps_port = (int(own.settings[f"INTERNAL_{name}_PORT"]) for name in ("SUBMISSION", "IMAPS"))

    def log_in(port: int, claimed: str = "") -> None:
        class Imap(imaplib.IMAP4):
            def _create_socket(self, timeout: Any) -> ssl.SSLSocket:
                sock = dial(port, proxied=False) if not claimed else claiming(port, claimed)
                return tls_context(own).wrap_socket(sock, server_hostname="localhost")

        client = Imap("localhost", timeout=patient(30))
        client.login(user.address, user.password)
        client.logout()

    def may_send(sock: socket.socket) -> bool:
        with sock, sock.makefile("rwb") as talk:
            talk.readline()
            replies = []
            for line in ("HELO client.test", "MAIL FROM:<>", f"RCPT TO:<someone@{world.far_domain}>"):
                talk.write(f"{line}\r\n".encode())
                talk.flush()
                replies.append(talk.readline()[:3])
            return replies[-1] == b"250"

    def claiming(port: int, address: str) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", port), patient(30), source_address=("127.0.0.9", 0))
        kind = "TCP6" if ":" in address else "TCP4"
        sock.sendall(f"PROXY {kind} {address} {'::1' if ':' in address else '127.0.0.1'} 4711 25\r\n".encode())
        return sock

    def internal(source: str = CLIENT) -> socket.socket:
        return socket.create_connection(("127.0.0.1", smtp_port), patient(30), source_address=(source, 0))

    own.cli_process("grant", "revoke", CLIENT)  # of another test
    log_in(own.port("IMAPS"), known)
    assert own.cli("grant", "ls") == [], "a proxy's client has no such address"
    log_in(imaps_port)
    assert [(row["address"], row["mailbox"]) for row in own.cli("grant", "ls")] == [(known, user.address)]
    assert may_send(internal()), "with the grant of the internal login"
    assert not may_send(internal("127.0.0.42")), "another client"
    for address in (CLIENT, known):
        assert not may_send(claiming(own.port("SMTP"), address)), "a public port"
    assert not may_send(dial(own.port("SMTP") + OFFSET, proxied=False)), "a direct port"
    own.cli("grant", "revoke", known)
    assert not may_send(internal())
    log_in(own.port("IMAPS"), CLIENT)
    assert not may_send(internal()), "a public login gives no right at an internal port"
    own.cli("grant", "revoke", CLIENT)


def test_the_probe_sends_by_a_grant_of_internal_ports(own: Run) -> None:
    places = [("localhost", int(own.settings[f"INTERNAL_{name}_PORT"])) for name in ("SUBMISSION", "IMAPS")]
    ports = [own.port(name) + OFFSET for name in ("SUBMISSION", "IMAPS", "POP3S")]
    service = ProbedService(
        own.env["POSTRIDER_AUTH_URL"], own.env["POSTRIDER_ADMIN_TOKEN"], "localhost", "localhost", *ports,
        *places, tls_context(own),
    )  # fmt: skip
    probe = Probe(service, "probe.test")
    probe.prepare()
    assert probe.round(), probe.failures
    assert list(probe.seconds) == ["grant", "revoke", "auth", "imap", "pop3"]
    assert [row for row in own.cli("grant", "ls") if "probe.test" in row["mailbox"]] == []


def test_mail_comes_in_directly_and_its_trace_names_the_client(own: Run) -> None:
    user = own.mailbox(own.domain())
    with smtp(own, proxied=False) as client:
        client.sendmail("", [user.address], message("a@far.example", user.address))

    class Pop3(poplib.POP3):
        def _create_socket(self, timeout: Any) -> socket.socket:
            return dial(place(own, "POP3", False), proxied=False)

    def read() -> bytes:
        box = Pop3("localhost", timeout=patient(30))
        box.stls(tls_context(own))
        box.user(user.login)
        box.pass_(user.password)
        found = b"\n".join(box.retr(1)[1]) if box.stat()[0] else b""
        box.quit()
        return found

    own.restart(POP3_LOGIN_DELAY_SECONDS="0")
    assert f"[{CLIENT}]".encode() in wait_for(read)


@pytest.mark.parametrize("name", ["SMTP", "SUBMISSION", "POP3", "IMAP"])
def test_the_public_port_takes_proxies_only_and_the_direct_one_no_header(own: Run, name: str) -> None:
    with socket.create_connection(("127.0.0.1", own.port(name)), patient(10), source_address=(STRANGER, 0)) as sock:
        assert sock.recv(100) == b"", "a stranger at the proxied port hears nothing"
    with dial(own.port(name), proxied=True) as sock:
        assert sock.recv(1000)[:1] in b"2+*"
    with socket.create_connection(
        ("127.0.0.1", own.port(name) + OFFSET), patient(10), source_address=(STRANGER, 0)
    ) as sock:
        assert sock.recv(1000)[:1] in b"2+*"
        sock.sendall(f"PROXY TCP4 {CLIENT} 127.0.0.1 4711 25\r\n".encode())
        assert sock.recv(1000)[:4] in (b"500 ", b"502 ", b"-ERR", b"PROX")  # a command like another, and none we know


@pytest.mark.parametrize("service", ["GATEWAY", "FRONTEND"])
def test_probes_are_no_sessions(own: Run, service: str) -> None:
    """The kubelet asks the HTTP side; nothing of it is seen at the listeners or in what they count."""

    def ask(path: str) -> str:
        with urllib.request.urlopen(own.env[f"POSTRIDER_{service}_URL"] + path, timeout=patient(10)) as reply:
            assert reply.status == 200
            return str(reply.read().decode())

    def counted() -> list[str]:
        lines = ask("/metrics").splitlines()
        return [line for line in lines if "postrider_listener_" in line or "_sessions_" in line]

    before = counted()
    assert any("postrider_listener_accepted_total" in line for line in before)
    for _ in range(10):
        ask("/readyz")
        ask("/healthz")
    assert counted() == before


def test_without_proxies_nothing_more_is_opened(world: World) -> None:
    run = Run(**world.settings(), DIRECT_PORT_OFFSET=str(OFFSET))
    try:
        run.start()
        for name in ("SMTP", "SMTPS", "SUBMISSION", "POP3", "POP3S", "IMAP", "IMAPS"):
            with socket.socket() as sock:
                assert sock.connect_ex(("127.0.0.1", run.port(name) + OFFSET)) != 0, name
        run.restart(OPEN_SMTP="false")
        user = run.mailbox(run.domain())
        from tests.support import clients

        clients.imap(run, user, CLIENT).logout()
        with clients.smtp(run, CLIENT) as client:
            client.mail("")
            assert client.rcpt(f"someone@{world.far_domain}")[0] == 550
        with clients.smtp(run, CLIENT, login=user) as client:
            client.mail("")
            assert client.rcpt(f"someone@{world.far_domain}")[0] == 250
    finally:
        run.close()
