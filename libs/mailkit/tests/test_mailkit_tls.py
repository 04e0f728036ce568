"""Certificates: by name, reloaded, and a broken file changes nothing."""

import asyncio
import os
import shutil
import socket
import ssl
from pathlib import Path
from typing import cast

import pytest
import trustme
import uvloop
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from mailkit.errors import ConfigError
from mailkit.net.tls import CertificateStore
from mailkit.net.tls_versions import MAILBOX_LISTENERS, SMTP_LISTENERS, VERSIONS, tls_minimums
from mailkit.testing.speed import patient

CA = trustme.CA()
MINIMUMS = tls_minimums((), SMTP_LISTENERS)


def install(folder: Path, *names: str) -> None:
    """Write a new certificate for `names`, as `certificate add` does: each file replaced whole."""
    issued = CA.issue_cert(*names)
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in (
        ("tls.crt", b"".join(blob.bytes() for blob in issued.cert_chain_pems)),
        ("tls.key", issued.private_key_pem.bytes()),
    ):
        fresh = folder / (file + ".new")
        fresh.write_bytes(content)
        fresh.replace(folder / file)


class Ticks:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def store(tmp_path: Path, ticks: Ticks) -> CertificateStore:
    install(tmp_path / "default", "ns0.provider.example")
    install(tmp_path / "smtp.customer.example", "smtp.customer.example")
    install(tmp_path / "*.wild.example", "*.wild.example")
    return CertificateStore(tmp_path, MINIMUMS, monotonic=ticks)


def speaking(version: str | None) -> ssl.SSLContext:
    """A client's context that speaks `version` alone, as an old device does; None: as it comes."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    if version is not None:
        client.set_ciphers("ALL:@SECLEVEL=0")
        client.minimum_version = client.maximum_version = VERSIONS[version]
    return client


def shown(context: ssl.SSLContext, name: str | None) -> bytes:
    """The certificate shown to a client that dials `name`."""
    found = connected(context, name).getpeercert(binary_form=True)
    assert found
    return found


def connected(context: ssl.SSLContext, name: str | None, version: str | None = None) -> ssl.SSLObject:
    """The client's side of a finished handshake. Raises ssl.SSLError."""
    client = speaking(version)
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(6):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                pass
    return ours


def names(certificate: bytes) -> list[str]:
    from cryptography import x509

    extension = x509.load_der_x509_certificate(certificate).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    return extension.value.get_values_for_type(x509.DNSName)


@pytest.mark.parametrize(
    ("dialled", "expected"),
    [
        ("ns0.provider.example", "ns0.provider.example"),
        ("smtp.customer.example", "smtp.customer.example"),
        ("SMTP.Customer.EXAMPLE", "smtp.customer.example"),
        ("pop3.customer.example", "ns0.provider.example"),
        ("a.wild.example", "*.wild.example"),
        ("a.b.wild.example", "ns0.provider.example"),
        ("wild.example", "ns0.provider.example"),
        (None, "ns0.provider.example"),
    ],
)
def test_the_name_dialled_chooses(store: CertificateStore, dialled: str | None, expected: str) -> None:
    assert names(shown(store.server_context("smtps"), dialled)) == [expected]


@pytest.mark.parametrize(
    "name", ["../default", "a/b", "..", ".", "", "default", "*.", "a" * 300, "\x00", "a\nb", "é.example"]
)
def test_names_that_are_no_names_get_the_shared_one(store: CertificateStore, name: str) -> None:
    assert store.context_for(name, "smtps") is store.context_for(None, "smtps")


@given(st.text(max_size=40))
def test_any_text_as_a_name(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    global _fuzzed
    if _fuzzed is None:
        folder = tmp_path_factory.mktemp("certificates")
        install(folder / "default", "ns0.provider.example")
        _fuzzed = CertificateStore(folder, MINIMUMS)
    assert _fuzzed.context_for(name, "smtps") is _fuzzed.context_for(None, "smtps")


_fuzzed: CertificateStore | None = None


def test_a_replaced_file_is_in_force_within_a_second(store: CertificateStore, tmp_path: Path, ticks: Ticks) -> None:
    context = store.server_context("smtps")
    for folder, dialled in (("default", "ns0.provider.example"), ("smtp.customer.example",) * 2):
        before = shown(context, dialled)
        install(tmp_path / folder, dialled)
        assert shown(context, dialled) == before, "the files are not looked at on every handshake"
        ticks.now += 1.01
        assert shown(context, dialled) != before


def test_a_new_and_a_removed_name(store: CertificateStore, tmp_path: Path, ticks: Ticks) -> None:
    context = store.server_context("smtps")
    assert names(shown(context, "imap.new.example")) == ["ns0.provider.example"]
    install(tmp_path / "imap.new.example", "imap.new.example")
    assert names(shown(context, "imap.new.example")) == ["imap.new.example"]
    shutil.rmtree(tmp_path / "imap.new.example")
    ticks.now += 1.01
    assert names(shown(context, "imap.new.example")) == ["ns0.provider.example"]


@pytest.mark.parametrize("folder", ["default", "smtp.customer.example"])
@pytest.mark.parametrize("content", [b"", b"not a key", b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END"])
def test_a_broken_file_keeps_the_old_one(
    store: CertificateStore, tmp_path: Path, ticks: Ticks, folder: str, content: bytes
) -> None:
    context = store.server_context("smtps")
    dialled = "ns0.provider.example" if folder == "default" else folder
    before = shown(context, dialled)
    (tmp_path / folder / "tls.key").write_bytes(content)
    ticks.now += 1.01
    assert shown(context, dialled) == before
    install(tmp_path / folder, dialled)  # while the certificate is there and the key not yet, the old pair is shown
    ticks.now += 1.01
    assert shown(context, dialled) != before


def test_a_mounted_secret_is_swapped_by_symlink(tmp_path: Path, ticks: Ticks) -> None:
    mount = tmp_path / "default"
    mount.mkdir()
    install(mount / "..first", "ns0.provider.example")
    (mount / "..data").symlink_to("..first")
    for file in ("tls.crt", "tls.key"):
        (mount / file).symlink_to(f"..data/{file}")
    store = CertificateStore(tmp_path, MINIMUMS, monotonic=ticks)
    before = shown(store.server_context("smtps"), None)
    install(mount / "..second", "ns0.provider.example")
    (mount / "..swap").symlink_to("..second")
    os.rename(mount / "..swap", mount / "..data")
    ticks.now += 1.01
    assert shown(store.server_context("smtps"), None) != before


def mount_secret(folder: Path, *names: str) -> None:
    """As the kubelet writes a secret, first and every other time: a new folder, and one rename that swaps `..data`."""
    folder.mkdir(exist_ok=True)
    version = f"..2026_{len(list(folder.iterdir()))}"
    install(folder / version, *names)
    (folder / "..data_tmp").symlink_to(version)
    os.rename(folder / "..data_tmp", folder / "..data")
    for file in ("tls.crt", "tls.key"):
        if not (folder / file).is_symlink():
            (folder / file).symlink_to(f"..data/{file}")
    for old in folder.glob("..2026_*"):
        if old.name != version:
            shutil.rmtree(old)


def test_secrets_of_any_name_serve_the_names_they_were_issued_for(tmp_path: Path, ticks: Ticks) -> None:
    mount_secret(tmp_path / "default", "ns0.provider.example")
    mount_secret(tmp_path / "customer-tls", "smtp.customer.example", "pop3.customer.example")
    mount_secret(tmp_path / "wild-tls", "*.wild.example")
    install(tmp_path / "smtp.customer.example", "smtp.customer.example")
    (tmp_path / "..data").mkdir()  # a mount's own links are no names
    store = CertificateStore(tmp_path, MINIMUMS, monotonic=ticks)
    assert set(store.expiries()) == {"default", "customer-tls", "wild-tls", "smtp.customer.example"}
    context = store.server_context("smtps")
    for dialled, expected in {
        "POP3.customer.example": ["smtp.customer.example", "pop3.customer.example"],
        "smtp.customer.example": ["smtp.customer.example"],  # the folder of that name wins
        "a.wild.example": ["*.wild.example"],
        "a.b.wild.example": ["ns0.provider.example"],
        "customer.example": ["ns0.provider.example"],
    }.items():
        assert sorted(names(shown(context, dialled))) == sorted(expected), dialled
    mount_secret(tmp_path / "customer-tls", "imap.customer.example")  # renewed for other names
    store.expiries()
    ticks.now += 1.01
    assert names(shown(context, "imap.customer.example")) == ["imap.customer.example"]
    assert names(shown(context, "pop3.customer.example")) == ["ns0.provider.example"]
    shutil.rmtree(tmp_path / "customer-tls")
    ticks.now += 1.01
    assert names(shown(context, "imap.customer.example")) == ["ns0.provider.example"]


def test_without_a_shared_certificate_nothing_starts(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no certificate"):
        CertificateStore(tmp_path, MINIMUMS)
    (tmp_path / "default").mkdir()
    for file in ("tls.crt", "tls.key"):
        (tmp_path / "default" / file).write_bytes(b"nonsense")
    with pytest.raises(ConfigError, match="cannot be used"):
        CertificateStore(tmp_path, MINIMUMS)


@pytest.mark.parametrize("name", [None, "smtp.customer.example", "a.wild.example"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_versions_below_1_2_are_refused(store: CertificateStore, name: str | None, version: str) -> None:
    with pytest.raises(ssl.SSLError, match="UNSUPPORTED_PROTOCOL"):
        connected(store.server_context("smtps"), name, version)
    assert connected(store.server_context("smtps"), name, "1.2").version() == "TLSv1.2"


@pytest.fixture
def for_old_devices(store: CertificateStore, tmp_path: Path, ticks: Ticks) -> CertificateStore:
    minimums = tls_minimums(("1.2", "pop3s=1.0", "imap=1.1", "imaps=1.3"), MAILBOX_LISTENERS)
    return CertificateStore(tmp_path, minimums, monotonic=ticks)


@pytest.mark.parametrize("name", ["ns0.provider.example", "smtp.customer.example", "a.wild.example"])
@pytest.mark.parametrize(
    ("listener", "taken", "refused"),
    [
        ("pop3s", ["1.0", "1.1", "1.2", "1.3"], []),
        ("imap", ["1.1", "1.2", "1.3"], ["1.0"]),
        ("pop3", ["1.2", "1.3"], ["1.0", "1.1"]),
        ("imaps", ["1.3"], ["1.0", "1.1", "1.2"]),
    ],
)
def test_each_listener_has_its_oldest_version(
    for_old_devices: CertificateStore, listener: str, taken: list[str], refused: list[str], name: str
) -> None:
    context = for_old_devices.server_context(listener)
    served = [name if name != "a.wild.example" else "*.wild.example"]
    for version in taken:
        assert names(connected(context, name, version).getpeercert(binary_form=True) or b"") == served, version
    for version in refused:
        with pytest.raises(ssl.SSLError, match="UNSUPPORTED_PROTOCOL"):
            connected(context, name, version)
    assert connected(context, name).version() == "TLSv1.3", "an old minimum weakens no new client"


def test_the_security_level_is_lowered_for_old_listeners_alone(for_old_devices: CertificateStore) -> None:
    usual = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).security_level
    for listener, level in {"pop3s": 0, "imap": 0, "pop3": usual, "imaps": usual}.items():
        assert for_old_devices.server_context(listener).security_level == level
        assert for_old_devices.context_for("smtp.customer.example", listener).security_level == level
    assert usual > 0


def test_a_replaced_file_is_in_force_for_old_and_new_devices(
    for_old_devices: CertificateStore, tmp_path: Path, ticks: Ticks
) -> None:
    name = "smtp.customer.example"

    def served() -> set[bytes | None]:
        clients = (("pop3s", "1.0"), ("pop3s", None), ("imap", "1.1"), ("pop3", None))
        return {connected(for_old_devices.server_context(port), name, v).getpeercert(True) for port, v in clients}

    before = served()
    install(tmp_path / name, name)
    ticks.now += 1.01
    after = served()
    assert len(before) == len(after) == 1 and before != after


def test_listeners_below_1_2_are_logged_at_the_start(store: CertificateStore, tmp_path: Path) -> None:
    with capture_logs() as logs:
        CertificateStore(tmp_path, tls_minimums(("pop3s=1.0", "imap=1.1", "smtp=1.0"), MAILBOX_LISTENERS))
    assert logs == [
        {"event": "old_tls_allowed", "log_level": "warning", "listener": "pop3s", "minimum": "1.0"},
        {"event": "old_tls_allowed", "log_level": "warning", "listener": "imap", "minimum": "1.1"},
    ]
    with capture_logs() as logs:
        CertificateStore(tmp_path, tls_minimums(("1.3", "imap=1.2"), MAILBOX_LISTENERS))
    assert logs == []


def test_expiries(store: CertificateStore, tmp_path: Path) -> None:
    (tmp_path / "broken.example").mkdir()
    for file in ("tls.crt", "tls.key"):
        (tmp_path / "broken.example" / file).write_bytes(b"nonsense")
    found = store.expiries()
    assert set(found) == {"default", "smtp.customer.example", "*.wild.example"}
    assert store.expiries() == found


@pytest.fixture
def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    CA.configure_trust(context)
    return context


def test_under_uvloop_open_sessions_outlive_a_reload(
    store: CertificateStore, tmp_path: Path, ticks: Ticks, trusting: ssl.SSLContext
) -> None:
    """A careful client per name; a session begun with the old certificate goes on."""

    class Echo(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            transport = cast(asyncio.WriteTransport, transport)
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(data)

    def dial(port: int, name: str) -> ssl.SSLSocket:
        return trusting.wrap_socket(socket.create_connection(("127.0.0.1", port), patient(10)), server_hostname=name)

    mount_secret(tmp_path / "mounted-tls", "pop3.mounted.example")
    store.expiries()

    def rotated(port: int) -> None:
        """A secret's swap, with a session open and another in the middle of its handshake."""
        name = "pop3.mounted.example"
        with dial(port, name) as old, socket.create_connection(("127.0.0.1", port), patient(10)) as half:
            mount_secret(tmp_path / "mounted-tls", name)
            ticks.now += 1.01
            with dial(port, name) as new, trusting.wrap_socket(half, server_hostname=name) as late:
                assert new.getpeercert(True) != old.getpeercert(True) and late.getpeercert(True) == new.getpeercert(
                    True
                )
            old.sendall(b"still here")
            assert old.recv(100) == b"still here"

    def client(port: int) -> None:
        rotated(port)
        name = "smtp.customer.example"
        with dial(port, name) as old, dial(port, "any.wild.example"), dial(port, "ns0.provider.example"):
            install(tmp_path / name, name)
            ticks.now += 1.01
            with dial(port, name) as new:
                assert new.getpeercert(True) != old.getpeercert(True)
            old.sendall(b"still here")
            assert old.recv(100) == b"still here"

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Echo, "127.0.0.1", 0, ssl=store.server_context("smtps"))
        await asyncio.wait_for(asyncio.to_thread(client, server.sockets[0].getsockname()[1]), patient(20))
        server.close()

    uvloop.run(main())
