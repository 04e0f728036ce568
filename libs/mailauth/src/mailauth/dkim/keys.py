"""Public keys in the DNS, and private keys in their hands who sign (RFC 6376 3.6.1, RFC 8301, RFC 8463)."""

import base64
from dataclasses import dataclass
from typing import Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from mailauth import tags
from mailauth.dns import Dns, texts
from mailauth.known import known
from mailauth.tags import BadTags

Algorithm = Literal["rsa-sha256", "ed25519-sha256"]
PublicKey = rsa.RSAPublicKey | ed25519.Ed25519PublicKey
PrivateKey = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

#: Bits of an RSA key that may verify (RFC 8301 3.2; larger ones than anybody signs with cost time) and sign.
LEAST_BITS, MOST_BITS, LEAST_BITS_TO_SIGN, MOST_BITS_TO_SIGN = 1024, 8192, 2048, 4096
#: Octets of a key record that are read, and bits of an RSA key's public exponent.
MOST_OCTETS, MOST_EXPONENT_BITS = 16 * 1024, 64


class BadKey(Exception):
    """There is no usable key; the message says why. Trying again does not help."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key record. `testing`: t=y; `strict`: t=s, so that i= has to have the very domain of d=."""

    text: str
    key: PublicKey
    testing: bool
    strict: bool


async def fetch(resolver: Dns, selector: str, domain: str, algorithm: Algorithm) -> KeyRecord:
    """Return the key of a selector for signatures with `algorithm`. Raises BadKey and DnsTrouble."""
    found = texts(await resolver.ask(f"{selector}._domainkey.{domain}", "TXT"))
    if len(found) != 1:
        raise BadKey("no key record" if not found else "several key records")
    return read(found[0], algorithm)


@known
def read(octets: bytes, algorithm: Algorithm) -> KeyRecord:
    """Return the key of a record for signatures with `algorithm` of mail. Raises BadKey."""
    if len(octets) > MOST_OCTETS:
        raise BadKey(f"the key record has more than {MOST_OCTETS} octets")
    try:
        found = tags.parse(octets)
        tags.needed(found, "p")
        if found.get("v", "DKIM1") != "DKIM1":
            raise BadKey("the key record has an unknown version")
        kind = found.get("k", "rsa").lower()
        if kind != algorithm.partition("-")[0]:
            raise BadKey(f"the key is for {kind[:20]}")
        if "sha256" not in tags.items(found.get("h", "sha256")):
            raise BadKey("the key is not for sha256")
        if not {"*", "email"} & set(tags.items(found.get("s", "*"))):
            raise BadKey("the key is not for mail")
        if not found["p"]:
            raise BadKey("the key is revoked")
        key = _public_key(kind, tags.decoded(found["p"]))
    except BadTags as error:
        raise BadKey(f"the key record is wrong: {error}") from None
    flags = tags.items(found.get("t", ""))
    return KeyRecord(octets.decode("latin-1"), key, "y" in flags, "s" in flags)


def _public_key(kind: str, octets: bytes) -> PublicKey:
    """Return the key in `octets`: SubjectPublicKeyInfo or RSAPublicKey (RFC 6376 3.6.1), or 32 octets. Raises BadKey."""
    try:
        if kind == "ed25519":
            return ed25519.Ed25519PublicKey.from_public_bytes(octets)
        key = serialization.load_der_public_key(octets)  # either form
    except (ValueError, UnsupportedAlgorithm):
        raise BadKey("the key cannot be read") from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise BadKey("the key is not an RSA key")
    if not LEAST_BITS <= key.key_size <= MOST_BITS:
        raise BadKey(f"the RSA key has {key.key_size} bits")
    if key.public_numbers().e.bit_length() > MOST_EXPONENT_BITS:
        raise BadKey("the RSA key has a large exponent")
    return key


def verifies(key: PublicKey, digest: bytes, signature: bytes) -> bool:
    """Return whether `signature` was made of a header with this SHA-256 `digest`."""
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, digest)  # RFC 8463 3: the digest is what is signed
        else:
            key.verify(signature, digest, padding.PKCS1v15(), Prehashed(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def load(pem: bytes) -> PrivateKey:
    """Return a private key in PEM (PKCS #8 or PKCS #1), without a password. ValueError if it is not for signing mail."""
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (TypeError, UnsupportedAlgorithm):
        raise ValueError("the private key cannot be read") from None
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key
    if not isinstance(key, rsa.RSAPrivateKey) or not LEAST_BITS_TO_SIGN <= key.key_size <= MOST_BITS_TO_SIGN:
        raise ValueError(f"a private key is Ed25519, or RSA of {LEAST_BITS_TO_SIGN} to {MOST_BITS_TO_SIGN} bits")
    return key


def algorithm_of(key: PrivateKey) -> Algorithm:
    """Return what a= says of signatures with `key`."""
    return "ed25519-sha256" if isinstance(key, ed25519.Ed25519PrivateKey) else "rsa-sha256"


def sign(key: PrivateKey, digest: bytes) -> bytes:
    """Return the signature of a header with this SHA-256 `digest`."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(digest)
    return key.sign(digest, padding.PKCS1v15(), Prehashed(hashes.SHA256()))


def record_of(key: PrivateKey) -> str:
    """Return the text of the key record to publish for `key`."""
    public = key.public_key()
    if isinstance(public, ed25519.Ed25519PublicKey):
        octets = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    else:
        octets = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    kind = algorithm_of(key).partition("-")[0]
    return f"v=DKIM1; k={kind}; p={base64.b64encode(octets).decode()}"
