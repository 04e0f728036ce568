"""The certificates of a TLS session compared with TLSA records: DANE-EE(3) and DANE-TA(2) (RFC 6698 2.1, RFC 7671, RFC 7672 3.1)."""

import hashlib
import ssl
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    ServerVerifier,
    Store,
    VerificationError,
)

from queue_worker.tls.policy import Tlsa

#: Most certificates of a chain that are looked at, and most authorities that a chain is tried with.
MOST_CERTIFICATES = 10
MOST_AUTHORITIES = 4
#: Most certificates between the host's own and the authority.
DEPTH = 8


def mismatch(session: ssl.SSLObject, records: Sequence[Tlsa], names: Sequence[str], now: datetime) -> str:
    """Return why no record matches the certificates of `session`; "" if one does."""
    try:
        return why_not([x509.load_der_x509_certificate(der) for der in _chain(session)], records, names, now)
    except (ValueError, x509.InvalidVersion, UnsupportedAlgorithm) as error:
        return f"the certificate cannot be read: {error}"


def why_not(chain: Sequence[x509.Certificate], records: Sequence[Tlsa], names: Sequence[str], now: datetime) -> str:
    """Return why no record matches `chain`, whose first certificate is the host's; "" if one does. Raises ValueError.

    DANE-EE: neither names nor dates of the certificate matter (RFC 7672 3.1.1). DANE-TA: they do, and one of `names` is in it.
    """
    if not chain:
        return "the host sent no certificate"
    if any(record.usage == 3 and _is_of(record, chain[0]) for record in records):
        return ""
    problem = "no TLSA record matches the certificate"
    for authority in _authorities(chain, records)[:MOST_AUTHORITIES]:
        for name in names:
            try:
                _verifier(authority, name, now).verify(chain[0], list(chain[1:]))
                return ""
            except VerificationError as error:
                problem = f"under the authority of a TLSA record: {str(error)[:300]}"
    return problem


def _authorities(chain: Sequence[x509.Certificate], records: Sequence[Tlsa]) -> list[x509.Certificate]:
    """Return the certificates that a DANE-TA record names: in the chain, or whole in the record (RFC 7671 5.2)."""
    anchors = [record for record in records if record.usage == 2]
    found = [each for each in chain[1:] if any(_is_of(record, each) for record in anchors)]
    for data in [record.data for record in anchors if (record.selector, record.matching) == (0, 0)][:MOST_AUTHORITIES]:
        try:
            found.append(x509.load_der_x509_certificate(data))
        except ValueError:
            continue
    return found


def _is_of(record: Tlsa, certificate: x509.Certificate) -> bool:
    """Return whether the record's data is that of the certificate (selector 0) or of its key (1), whole or as a hash."""
    if record.selector == 0:
        data = certificate.public_bytes(Encoding.DER)
    else:
        data = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if record.matching:
        data = (hashlib.sha256 if record.matching == 1 else hashlib.sha512)(data).digest()
    return data == record.data


def _verifier(authority: x509.Certificate, name: str, now: datetime) -> ServerVerifier:
    """Return a verifier of names, dates, signatures and authorities. What else the web requires of a certificate is not asked for."""
    issuers = ExtensionPolicy.permit_all().require_present(x509.BasicConstraints, Criticality.AGNOSTIC, _issues)
    own = ExtensionPolicy.permit_all().require_present(x509.SubjectAlternativeName, Criticality.AGNOSTIC, None)
    policy = PolicyBuilder().store(Store([authority])).time(now).max_chain_depth(DEPTH)
    return policy.extension_policies(ca_policy=issuers, ee_policy=own).build_server_verifier(x509.DNSName(name))


def _issues(_policy: Any, _certificate: x509.Certificate, constraints: x509.BasicConstraints) -> None:
    if not constraints.ca:
        raise ValueError("it is no authority")


def _chain(session: ssl.SSLObject) -> list[bytes]:
    """Return the certificates that the host sent, its own first. Only Python 3.13 has a public name for this."""
    if hasattr(session, "get_unverified_chain"):
        return list(session.get_unverified_chain())[:MOST_CERTIFICATES]
    sent = session._sslobj.get_unverified_chain() or ()  # type: ignore[attr-defined]
    return [ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in sent[:MOST_CERTIFICATES]]
