"""Keys for DKIM: how they are made, their selectors and their records (docs/decisions/0088). Pure functions."""

import base64
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from mailauth import tags
from mailauth.dkim import keys
from mailauth.dkim.keys import Algorithm, PrivateKey

ALGORITHMS: tuple[Algorithm, ...] = ("rsa-sha256", "ed25519-sha256")
RSA_BITS = 2048
#: Loaded keys in memory, 10 KB each.
MOST_LOADED = 1000
#: Selectors per algorithm: two are enough for rotation, so that a customer publishes four CNAMEs once.
_SELECTORS: dict[Algorithm, tuple[str, str]] = {
    "rsa-sha256": ("pr-rsa1", "pr-rsa2"),
    "ed25519-sha256": ("pr-ed1", "pr-ed2"),
}
#: Octets of one string of a TXT record (RFC 1035 3.3).
_STRING = 255


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was made just now. `private_key`: PKCS #8, which no log line and no error shows; `record`: what to publish."""

    selector: str
    algorithm: Algorithm
    private_key: bytes = field(repr=False)
    record: str


def make(algorithm: Algorithm, selectors: Collection[str] = ()) -> NewKey | None:
    """Make a key under a selector that is not among `selectors`; None if none is free. RSA takes about 0.1 s: not on the event loop."""
    selector = next((each for each in _SELECTORS[algorithm] if each not in selectors), None)
    if selector is None:
        return None
    key: PrivateKey
    if algorithm == "rsa-sha256":
        key = rsa.generate_private_key(65537, RSA_BITS)
    else:
        key = ed25519.Ed25519PrivateKey.generate()
    octets = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return NewKey(selector, algorithm, octets, keys.record_of(key))


def make_all() -> list[NewKey]:
    """Make the keys of a new domain."""
    return [key for each in ALGORITHMS if (key := make(each)) is not None]


def sign(private_key: bytes, digest: bytes) -> bytes:
    """Return the signature of a header with this SHA-256 `digest` by a key in PKCS #8."""
    return keys.sign(_loaded(private_key), digest)


@lru_cache(maxsize=MOST_LOADED)
def _loaded(private_key: bytes) -> PrivateKey:
    """Return a key in PKCS #8, kept in memory: the first signature of a loaded key takes twice as long as the others."""
    # made by `make`: checking its numbers takes 50 times as long as signing
    loaded = serialization.load_der_private_key(private_key, None, unsafe_skip_rsa_key_validation=True)
    assert isinstance(loaded, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey)
    return loaded


def owner(selector: str, domain: str) -> str:
    """Return the name of a key's record (RFC 6376 3.6.2.1)."""
    return f"{selector}._domainkey.{domain}"


def zone_text(record: str) -> str:
    """Return a record as the value of TXT in a zone file: strings of at most 255 octets."""
    return " ".join(f'"{record[at : at + _STRING]}"' for at in range(0, len(record), _STRING))


def is_published(record: str, algorithm: Algorithm, found: Sequence[bytes]) -> bool:
    """Return whether the TXT records `found` are a key record for the same public key as `record`, and nothing else."""
    if len(found) != 1:
        return False
    try:
        keys.read(found[0], algorithm)
        return base64.b64decode(tags.parse(found[0])["p"]) == base64.b64decode(tags.parse(record.encode())["p"])
    except (keys.BadKey, ValueError):
        return False
