"""DANE with Debian's unbound, which validates zones that the test signs (RFC 7672; docs/decisions/0097)."""

import hashlib
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import dns.dnssec
import dns.dnssectypes
import dns.zone
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mailkit.net.dns import NoSuchName, Resolver, TemporaryDnsError
from mailkit.testing.parent import end_with_parent
from mailkit.testing.sink import Sink
from mailkit.testing.speed import patient
from queue_worker.couriers import CourierSettings, RemoteCourier, RemoteMessage
from queue_worker.couriers.targets import Targets
from queue_worker.models import Claim, Outcome, Result
from queue_worker.tls.dane import Dane
from queue_worker.tls.policies import Policies

ADDRESS = "127.79.0.1"

ZONE = """
$ORIGIN {name}.
$TTL 300
@ IN SOA ns hostmaster 1 3600 600 86400 300
@ IN NS ns
ns IN A 127.0.0.1
@ IN MX 10 mx
mx IN A {address}
{tlsa}
"""


def signed(name: str, text: str) -> tuple[str, str]:
    """The zone with its signatures, and its key as a trust anchor."""
    zone = dns.zone.from_text(text, origin=f"{name}.", relativize=False)
    key = ec.generate_private_key(ec.SECP256R1())
    dnskey = dns.dnssec.make_dnskey(key.public_key(), dns.dnssectypes.Algorithm.ECDSAP256SHA256, flags=257)
    now = datetime.now(UTC)
    with zone.writer() as writer:
        dns.dnssec.sign_zone(
            zone,
            txn=writer,
            keys=[(key, dnskey)],
            inception=now - timedelta(hours=1),
            expiration=now + timedelta(days=1),
            dnskey_ttl=300,
        )
    return zone.to_text(relativize=False), f"{name}. IN DNSKEY {dnskey.to_text()}"


@dataclass
class Validating:
    """A running unbound with the zones signed.test, forged.test (its TLSA records changed after they were signed) and open.test."""

    server: str
    sink: Sink


@pytest.fixture
def validating(tmp_path: Path) -> Iterator[Validating]:
    ca = trustme.CA()
    with Sink(ADDRESS) as sink:
        sink.behaviour.starttls = True
        sink.behaviour.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued = ca.issue_cert("mx.signed.test")
        issued.configure_cert(sink.behaviour.context)
        certificate = x509.load_pem_x509_certificate(issued.cert_chain_pems[0].bytes())
        key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        right, wrong = hashlib.sha256(key).hexdigest(), "00" * 32
        zones = {
            "signed.test": signed("signed.test", _zone("signed.test", sink.port, right)),
            "other.test": signed("other.test", _zone("other.test", sink.port, wrong)),
            "bare.test": signed("bare.test", _zone("bare.test", sink.port, "")),
            "forged.test": signed("forged.test", _zone("forged.test", sink.port, right)),
            "open.test": (_zone("open.test", sink.port, wrong), ""),
        }
        forged, anchor = zones["forged.test"]
        zones["forged.test"] = forged.replace(right, wrong), anchor
        with unbound(tmp_path, zones) as server:
            yield Validating(server, sink)


def _zone(name: str, port: int, digest: str) -> str:
    tlsa = f"_{port}._tcp.mx IN TLSA 3 1 1 {digest}" if digest else ""
    return ZONE.format(name=name, address=ADDRESS, tlsa=tlsa)


@contextmanager
def unbound(folder: Path, zones: dict[str, tuple[str, str]]) -> Iterator[str]:
    """Run unbound with `zones` and their trust anchors; what is in no zone it asks of nobody."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    lines = [
        "server:",
        "  verbosity: 1",
        f"  interface: 127.0.0.1@{port}",
        '  username: ""',
        '  chroot: ""',
        '  pidfile: ""',
        f'  directory: "{folder}"',
        "  use-syslog: no",
        '  module-config: "validator iterator"',
        '  local-zone: "test." nodefault',
        *[f'  trust-anchor: "{anchor}"' for _, anchor in zones.values() if anchor],
        "remote-control:",
        "  control-enable: no",
        "stub-zone:",
        '  name: "."',
        "  stub-addr: 127.0.0.1@1",
    ]
    for name, (text, _) in zones.items():
        (folder / name).write_text(text)
        lines += ["auth-zone:", f'  name: "{name}."', f'  zonefile: "{folder / name}"', "  for-downstream: no"]
    (folder / "unbound.conf").write_text("\n".join(lines) + "\n")
    command = ["/usr/sbin/unbound", "-d", "-p", "-c", str(folder / "unbound.conf")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=end_with_parent()) as process:
        assert process.stderr is not None
        said = list[str]()
        for line in process.stderr:
            said.append(line)
            if "start of service" in line:
                break
        else:
            raise RuntimeError("".join(said))
        yield f"127.0.0.1:{port}"
        process.terminate()


def resolver(validating: Validating) -> Resolver:
    return Resolver([validating.server], timeout=patient(1.0), lifetime=patient(3.0))


async def test_what_unbound_validates_is_secure(validating: Validating) -> None:
    names = resolver(validating)
    port = validating.sink.port
    assert (await names.answer("signed.test", "MX")).secure
    assert (await names.answer(f"_{port}._tcp.mx.signed.test", "TLSA")).secure
    assert not (await names.answer("open.test", "MX")).secure
    with pytest.raises(NoSuchName) as none:
        await names.answer(f"_{port}._tcp.mx.bare.test", "TLSA")
    assert none.value.secure
    with pytest.raises(TemporaryDnsError):
        await names.answer(f"_{port}._tcp.mx.forged.test", "TLSA")


async def test_mail_goes_where_the_records_that_unbound_validates_let_it(validating: Validating) -> None:
    results = {
        name: await sent(validating, name)
        for name in ("signed.test", "other.test", "bare.test", "forged.test", "open.test")
    }
    found = {name: (result.outcome, result.status) for name, result in results.items()}
    assert found == {
        "signed.test": (Outcome.delivered, "2.0.0"),
        "other.test": (Outcome.deferred, "4.7.5"),
        "bare.test": (Outcome.delivered, "2.0.0"),
        "forged.test": (Outcome.deferred, "4.7.5"),
        "open.test": (Outcome.delivered, "2.0.0"),
    }
    record = f"TLSA _{validating.sink.port}._tcp.mx"
    assert results["signed.test"].connection.endswith(f" verified (dane: {record}.signed.test)")
    assert results["other.test"].connection.endswith(f" (dane: {record}.other.test)")
    assert results["bare.test"].connection.endswith(" not verified")
    assert "cannot be looked up right now" in results["forged.test"].text
    assert results["open.test"].connection.endswith(" not verified")
    assert len(validating.sink.messages) == 3


async def sent(validating: Validating, domain: str) -> Result:
    """The result of a message to u@domain."""
    settings = CourierSettings("mx.here.test", validating.sink.port, (validating.server,), ("127.0.0.0/8",))
    names, results = resolver(validating), list[Result]()
    courier = RemoteCourier(settings, Targets(settings, names), Policies(None, Dane(names, validating.sink.port)))
    now = datetime.now(UTC)
    claim = Claim(uuid4(), 0, 1, f"u@{domain}", f"u@{domain}", "a@here.test", uuid4(), 10, now, now, 0)

    async def body() -> bytes:
        return b"Subject: x\r\n\r\ntext\r\n"

    async def marked() -> bool:
        return True

    message = RemoteMessage(uuid4(), "a@here.test", [claim], 20, False, False, body, marked)
    await courier.deliver(domain, [message], results.extend)
    await courier.stop(0)
    (result,) = results
    return result
