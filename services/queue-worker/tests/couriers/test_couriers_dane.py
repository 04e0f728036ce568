"""DANE (RFC 7672, RFC 6698): TLSA records that DNSSEC proves decide which certificate a host must have."""

import hashlib
import ssl
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mailkit.net.dns import Resolver
from mailkit.testing.sink import Sink
from queue_worker.couriers import CourierSettings, RemoteCourier
from queue_worker.couriers.targets import Targets
from queue_worker.models import Outcome
from queue_worker.tls.certificates import why_not
from queue_worker.tls.dane import Dane, usable
from queue_worker.tls.policies import Policies
from queue_worker.tls.policy import HostRefused, Tlsa


def tlsa(certificate: x509.Certificate, usage: int, selector: int = 1, matching: int = 1) -> str:
    """The record of a certificate, as in a zone file."""
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    data = key if selector else certificate.public_bytes(Encoding.DER)
    if matching:
        data = hashlib.new("sha256" if matching == 1 else "sha512", data).digest()
    return f"{usage} {selector} {matching} {data.hex()}"


class Signed:
    """far.test in a signed zone; its host has a certificate of an intermediate authority."""

    def __init__(self, outside: Any, far: Sink) -> None:
        self.outside, self.far = outside, far
        self.root = trustme.CA()
        self.authority = self.root.create_child_ca()
        outside.dns.secure |= {"far.test", "mx10.far.test"}
        far.behaviour.starttls = True
        self.certify("mx10.far.test")
        self.name = f"_{outside.port}._tcp.mx10.far.test"

    def certify(self, *names: str, **more: Any) -> None:
        issued = self.authority.issue_cert(*names, **more)
        self.far.behaviour.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued.configure_cert(self.far.behaviour.context)
        sent = [each.bytes() for each in issued.cert_chain_pems]
        self.own, self.issuer = (x509.load_pem_x509_certificate(pem) for pem in sent[:2])
        self.top = x509.load_pem_x509_certificate(self.root.cert_pem.bytes())

    async def result(self, *records: str, name: str = "", **changes: Any) -> Any:
        self.outside.dns.set(name or self.name, TLSA=list(records))
        dns = self.outside.dns
        settings = CourierSettings("mx.here.test", self.outside.port, (dns.server,), ("127.0.0.0/8",))
        resolver = Resolver(settings.dns_servers, timeout=0.3, lifetime=0.5, **changes)
        policies = Policies(None, Dane(resolver, self.outside.port))
        courier = RemoteCourier(settings, Targets(settings, resolver), policies)
        self.outside.couriers.append(courier)
        before = len(self.outside.results)
        await courier.deliver("far.test", [self.outside.message("b@far.test")], self.outside.report)
        (result,) = self.outside.results[before:]
        return result


@pytest.fixture
def signed(outside: Any, far: Sink) -> Signed:
    return Signed(outside, far)


@pytest.mark.parametrize(
    ("usage", "selector", "matching"), [(3, 1, 1), (3, 0, 1), (3, 1, 2), (3, 0, 0), (2, 0, 1), (2, 1, 2), (2, 0, 0)]
)
async def test_a_certificate_that_a_record_names(signed: Signed, usage: int, selector: int, matching: int) -> None:
    named = signed.own if usage == 3 else signed.issuer
    result = await signed.result("3 1 1 " + "00" * 32, tlsa(named, usage, selector, matching))
    assert (result.outcome, result.tls) == (Outcome.delivered, "TLSv1.3"), result
    assert result.connection.endswith(f" verified (dane: TLSA {signed.name})")


async def test_a_root_that_is_whole_in_the_record_and_not_sent(signed: Signed) -> None:
    assert (await signed.result(tlsa(signed.top, 2, 0, 0))).outcome is Outcome.delivered


@pytest.mark.parametrize("case", ["other key", "other name", "expired", "leaf as authority", "plain", "refused"])
async def test_what_no_record_names_is_deferred_and_nothing_is_sent(signed: Signed, case: str) -> None:
    record = tlsa(signed.issuer, 2)
    if case == "other key":
        record = tlsa(signed.top, 3)
    elif case == "other name":
        signed.certify("mx.other.test")
        record = tlsa(signed.issuer, 2)
    elif case == "expired":
        signed.certify("mx10.far.test", not_before=datetime(2020, 1, 1), not_after=datetime(2021, 1, 1))
        record = tlsa(signed.issuer, 2)
    elif case == "leaf as authority":
        record = tlsa(signed.own, 2)
    elif case == "plain":
        signed.far.behaviour.starttls = False
    else:
        signed.far.behaviour.tls_refusal = ["454 4.7.0 not now"]
    result = await signed.result(record)
    assert (result.outcome, result.status, signed.far.messages) == (Outcome.deferred, "4.7.5", []), result
    assert signed.name in result.connection


async def test_dane_ee_looks_at_neither_name_nor_dates(signed: Signed) -> None:
    signed.certify("mx.other.test", not_before=datetime(2020, 1, 1), not_after=datetime(2021, 1, 1))
    assert (await signed.result(tlsa(signed.own, 3))).outcome is Outcome.delivered


async def test_the_name_of_the_domain_serves_under_dane_ta(signed: Signed) -> None:
    signed.certify("far.test")
    assert (await signed.result(tlsa(signed.issuer, 2))).outcome is Outcome.delivered


async def test_records_that_cannot_be_used_still_require_tls(signed: Signed) -> None:
    records = ("1 1 1 " + "00" * 32, "3 2 1 " + "00" * 32, "9 9 9 00")
    result = await signed.result(*records)
    assert result.outcome is Outcome.delivered
    assert result.connection.endswith(f" not verified (dane-unusable: TLSA {signed.name})")
    signed.far.behaviour.starttls = False
    assert (await signed.result(*records)).status == "4.7.5"


@pytest.mark.parametrize("unproven", ["zone", "mx", "host", "resolver"])
async def test_records_that_dnssec_does_not_prove_are_as_none(signed: Signed, unproven: str) -> None:
    secure = signed.outside.dns.secure
    if unproven == "zone":
        secure.clear()
    elif unproven == "mx":
        secure.remove("far.test")
    elif unproven == "host":
        signed.outside.dns.set("far.test", MX=["10 mx.else.test"])
        signed.outside.dns.set("mx.else.test", A=[signed.far.address])
        signed.outside.dns.set(f"_{signed.outside.port}._tcp.mx.else.test", TLSA=["3 1 1 " + "00" * 32])
    result = await signed.result("3 1 1 " + "00" * 32, **({"dnssec": False} if unproven == "resolver" else {}))
    assert result.outcome is Outcome.delivered
    assert result.connection.endswith(" not verified")


async def test_without_records_it_is_opportunistic_and_a_failed_lookup_defers(signed: Signed) -> None:
    signed.outside.dns.remove(signed.name)
    assert (await signed.result("3 1 1 " + "00" * 32, name="other.test")).connection.endswith(" not verified")
    signed.outside.dns.fail(signed.name, "SERVFAIL")
    result = await signed.result(tlsa(signed.own, 3))
    assert (result.outcome, result.status) == (Outcome.deferred, "4.7.5"), result
    assert "TLSA records of mx10.far.test cannot be looked up" in result.text
    assert len(signed.far.messages) == 1


@pytest.mark.parametrize("name", ["far.test", "mx10.far.test"])
async def test_a_lookup_that_fails_after_the_hosts_were_found_turns_dane_not_off(signed: Signed, name: str) -> None:
    """Whoever can drop packets on the way to the zone's servers could otherwise choose plain text."""
    dns = signed.outside.dns
    dns.fail(name, "SERVFAIL")
    policies = Policies(None, Dane(Resolver([dns.server], timeout=0.3, lifetime=0.5), signed.outside.port))
    for asked in ("", "required"):
        found = await policies.of("far.test", ["mx10.far.test"], asked)
        assert isinstance(refused := found["mx10.far.test"], HostRefused) and refused.status == "4.7.5"


async def test_records_under_the_name_that_cnames_lead_to(signed: Signed) -> None:
    dns = signed.outside.dns
    dns.set("mx10.far.test", CNAME=["real.far.test"])
    dns.set("real.far.test", A=[signed.far.address])
    dns.secure.add("real.far.test")
    name = signed.name.replace("mx10", "real")
    signed.certify("real.far.test")
    result = await signed.result(tlsa(signed.issuer, 2), name=name)
    assert result.connection.endswith(f" verified (dane: TLSA {name})"), result
    assert signed.far.names in ([], ["real.far.test"])


def test_the_stronger_hash_and_what_is_usable() -> None:
    weak, strong, whole = "3 1 1 " + "00" * 32, "3 1 2 " + "00" * 64, "3 1 0 0011"
    assert [each.matching for each in usable([weak, strong, whole])] == [2, 0]
    assert usable(["2 1 1 " + "00" * 16 + " " + "00" * 16]) == (Tlsa(2, 1, 1, bytes(32)),)
    assert usable(["0 0 1 " + "00" * 32, "1 0 1 " + "00" * 32, "3 0 3 00", "3 1 1 00"]) == ()
    assert len(usable([weak] * 1000)) == 50


def test_a_chain_needs_authorities_that_may_issue() -> None:
    root = trustme.CA()
    leaf = root.issue_cert("mx.far.test")
    own = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes())
    other = x509.load_pem_x509_certificate(root.issue_cert("x.test").cert_chain_pems[0].bytes())
    now = datetime.now(UTC)
    named = Tlsa(2, 0, 0, other.public_bytes(Encoding.DER))
    assert why_not([own, other], [named], ["mx.far.test"], now)
    assert why_not([], [named], ["mx.far.test"], now)
    whole = Tlsa(2, 0, 0, x509.load_pem_x509_certificate(root.cert_pem.bytes()).public_bytes(Encoding.DER))
    assert not why_not([own], [whole], ["other.test", "mx.far.test"], now)
    assert why_not([own], [whole], ["mx.far.test"], now + timedelta(days=365_000))
    assert why_not([own], [Tlsa(2, 0, 0, b"\x30\x03")], ["mx.far.test"], now)
