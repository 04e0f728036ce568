"""S4: SNI chooses the certificate of the dialled name; the shared one is the default; files are reloaded."""

import ssl

import pytest
import trustme

from tests.support.clients import dial, tls_context
from tests.support.run import Run, wait_for


def serial(run: Run, name: str, port: str, authority: trustme.CA | None = None) -> int:
    """The serial number of the certificate served for `name`; verified, name and chain."""
    context = tls_context(run)
    if authority is not None:
        authority.configure_trust(context)
    with (
        dial(run, port) as raw,
        context.wrap_socket(raw, server_hostname=name) as tls,
    ):
        return int(tls.getpeercert()["serialNumber"], 16)  # type: ignore[index, arg-type]


@pytest.mark.single_machine
def test_each_name_its_certificate_and_a_replaced_file_is_in_force(run: Run, tmp_path) -> None:  # type: ignore[no-untyped-def]
    authority = trustme.CA()
    name = f"smtp.{run.domain()}"

    def install() -> None:
        issued = authority.issue_cert(name)
        (tmp_path / "tls.crt").write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        (tmp_path / "tls.key").write_bytes(issued.private_key_pem.bytes())
        run.cli("certificate", "add", name, "--cert", str(tmp_path / "tls.crt"), "--key", str(tmp_path / "tls.key"))

    shared = serial(run, run.name, "SMTPS")
    install()

    def served(port: str) -> int | None:
        try:
            return serial(run, name, port, authority)
        except ssl.SSLCertVerificationError:
            return None

    first = {port: wait_for(lambda port=port: served(port), 5) for port in ("SMTPS", "POP3S", "IMAPS")}
    assert len(set(first.values())) == 1
    assert first["SMTPS"] != shared
    assert serial(run, run.name, "IMAPS") == shared
    with dial(run, "IMAPS") as raw:
        context = tls_context(run)
        authority.configure_trust(context)
        old = context.wrap_socket(raw, server_hostname=name)
        assert b"OK" in old.recv(1000)
        install()
        wait_for(lambda: served("IMAPS") not in (None, first["IMAPS"]), 5, "the replaced file is served")
        old.sendall(b"a NOOP\r\n")
        assert b"a OK" in old.recv(1000), "the old session lives on"
    assert name in {row["name"] for row in run.cli("certificate", "ls")}
