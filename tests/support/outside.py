"""Mail from outside, as another provider signs and seals it, and the zones that say so."""

from collections.abc import Sequence

from mailauth.arc import chain, seal
from mailauth.authentication_results import AuthenticationResults, MethodResult, payload
from mailauth.dkim import keys
from mailauth.dkim.sign import Signer, body_hash, prepare
from mailauth.dns import Dns
from mailkit.testing.dns import FakeDns
from tests.support.dkim_samples import KEY_8463_ED25519 as ED25519

#: When everything is signed (seconds since 1970): before now.
THEN = 1_780_000_000


def publish(dns: FakeDns, domain: str, *, dmarc: str = "", spf: str = "") -> None:
    """Set the records of a domain: its key `s1`, its policy, and who may send as it."""
    dns.set(f"s1._domainkey.{domain}", TXT=[quoted(keys.record_of(ED25519))])
    dns.set(f"_dmarc.{domain}", TXT=[quoted(dmarc)] if dmarc else [])
    dns.set(domain, MX=[f"10 mx.{domain}"], TXT=[quoted(spf)] if spf else [])


def signed(message: bytes, domain: str) -> bytes:
    """Return a message with a DKIM-Signature of `domain`."""
    header, _, body = message.partition(b"\r\n\r\n")
    (unsigned,) = prepare(header + b"\r\n", body_hash([body]), [Signer(domain, "s1", "ed25519-sha256")], now=THEN)
    return unsigned.field(keys.sign(ED25519, unsigned.digest)) + message


async def sealed(
    message: bytes,
    domain: str,
    resolver: Dns,
    dmarc: str,
    names: Sequence[bytes] | None = None,
    selector: str = "s1",
) -> bytes:
    """Return a message with a further ARC set of `domain`, which says that DMARC was `dmarc`, and signs the fields `names`."""
    header, _, body = message.partition(b"\r\n\r\n")
    header += b"\r\n"
    found = await chain.verify(header, [body], resolver, now=THEN)
    said = payload(AuthenticationResults(domain, (MethodResult("dmarc", dmarc, (("header.from", "bank.test"),)),)))
    begun = seal.begin(
        header, body_hash([body]), found, said, Signer(domain, selector, "ed25519-sha256"), now=THEN, names=names
    )
    assert begun is not None
    first = keys.sign(ED25519, begun.signature.digest)
    return begun.fields(first, keys.sign(ED25519, begun.seal(first).digest)) + message


def quoted(text: str) -> str:
    """A text as the value of a TXT record in a zone file, in strings of 200 octets."""
    return " ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200)) or '""'
