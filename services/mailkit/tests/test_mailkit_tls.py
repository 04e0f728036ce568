"""Certificates: by name, reloaded, and a broken file changes nothing."""

import asyncio
import os
import shutil
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
import trustme
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from mailkit.errors import ConfigError
from mailkit.tls import CertificateStore

CA = trustme.CA()


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
    return CertificateStore(tmp_path, monotonic=ticks)


def shown(context: ssl.SSLContext, name: str | None) -> bytes:
    """The certificate shown to a client that dials `name`."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(6):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                pass
    found = ours.getpeercert(binary_form=True)
    assert found
    return found


def names(certificate: bytes) -> list[str]:
    from cryptography import x509  # noqa: PLC0415

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
    assert names(shown(store.server_context(), dialled)) == [expected]


@pytest.mark.parametrize(
    "name", ["../default", "a/b", "..", ".", "", "default", "*.", "a" * 300, "\x00", "a\nb", "é.example"]
)
def test_names_that_are_no_names_get_the_shared_one(store: CertificateStore, name: str) -> None:
    assert store.context_for(name) is store.context_for(None)


@given(st.text(max_size=40))
def test_any_text_as_a_name(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    global _fuzzed
    if _fuzzed is None:
        folder = tmp_path_factory.mktemp("certificates")
        install(folder / "default", "ns0.provider.example")
        _fuzzed = CertificateStore(folder)
    assert _fuzzed.context_for(name) is _fuzzed.context_for(None)


_fuzzed: CertificateStore | None = None


def test_a_replaced_file_is_in_force_within_a_second(store: CertificateStore, tmp_path: Path, ticks: Ticks) -> None:
    context = store.server_context()
    for folder, dialled in (("default", "ns0.provider.example"), ("smtp.customer.example",) * 2):
        before = shown(context, dialled)
        install(tmp_path / folder, dialled)
        assert shown(context, dialled) == before, "the files are not looked at on every handshake"
        ticks.now += 1.01
        assert shown(context, dialled) != before


def test_a_new_and_a_removed_name(store: CertificateStore, tmp_path: Path, ticks: Ticks) -> None:
    context = store.server_context()
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
    context = store.server_context()
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
    store = CertificateStore(tmp_path, monotonic=ticks)
    before = shown(store.server_context(), None)
    install(mount / "..second", "ns0.provider.example")
    (mount / "..swap").symlink_to("..second")
    os.rename(mount / "..swap", mount / "..data")
    ticks.now += 1.01
    assert shown(store.server_context(), None) != before


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
    store = CertificateStore(tmp_path, monotonic=ticks)
    assert set(store.expiries()) == {"default", "customer-tls", "wild-tls", "smtp.customer.example"}
    context = store.server_context()
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
        CertificateStore(tmp_path)
    (tmp_path / "default").mkdir()
    for file in ("tls.crt", "tls.key"):
        (tmp_path / "default" / file).write_bytes(b"nonsense")
    with pytest.raises(ConfigError, match="cannot be used"):
        CertificateStore(tmp_path)


def test_versions_below_1_2_are_refused(store: CertificateStore) -> None:
    assert store.server_context().minimum_version == ssl.TLSVersion.TLSv1_2
    assert store.context_for("smtp.customer.example").minimum_version == ssl.TLSVersion.TLSv1_2


def test_expiries(store: CertificateStore, tmp_path: Path) -> None:
    (tmp_path / "broken.example").mkdir()
    for file in ("tls.crt", "tls.key"):
        (tmp_path / "broken.example" / file).write_bytes(b"nonsense")
    found = store.expiries()
    assert set(found) == {"default", "smtp.customer.example", "*.wild.example"}
    assert store.expiries() == found


@pytest.fixture
def trusting() -> Iterator[ssl.SSLContext]:
    context = ssl.create_default_context()
    CA.configure_trust(context)
    yield context


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
        return trusting.wrap_socket(socket.create_connection(("127.0.0.1", port), 10), server_hostname=name)

    mount_secret(tmp_path / "mounted-tls", "pop3.mounted.example")
    store.expiries()

    def rotated(port: int) -> None:
        """A secret's swap, with a session open and another in the middle of its handshake."""
        name = "pop3.mounted.example"
        with dial(port, name) as old, socket.create_connection(("127.0.0.1", port), 10) as half:
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
        server = await loop.create_server(Echo, "127.0.0.1", 0, ssl=store.server_context())
        await asyncio.wait_for(asyncio.to_thread(client, server.sockets[0].getsockname()[1]), 20)
        server.close()

    uvloop.run(main())
