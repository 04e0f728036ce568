"""Signing, in two steps: the hash of the header is made here, and signed by whoever holds the key (RFC 6376 5)."""

import base64
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from mailauth.canonical import BodyHash, relaxed_field
from mailauth.dkim.keys import Algorithm
from mailauth.header import HeaderField, fields

#: Signed once more often than they occur, so that no further one can be added (RFC 6376 8.15).
OVERSIGNED = (b"from", b"to", b"cc", b"subject", b"date", b"message-id", b"reply-to")
#: Signed where they occur. A mailing list that the message passes may add its own List fields.
SIGNED = (
    b"in-reply-to", b"references", b"mime-version", b"content-type", b"content-transfer-encoding", b"sender", b"list-id",
    b"list-help", b"list-unsubscribe", b"list-unsubscribe-post", b"list-subscribe", b"list-post", b"list-owner", b"list-archive",
)  # fmt: skip
#: Occurrences of a name that are signed at most, the last ones.
MOST_OF_A_NAME = 20
_LINE = 76


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs. `domain`: d=, `selector`: s=; both are A-labels."""

    domain: str
    selector: str
    algorithm: Algorithm


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A signature field without its signature. `digest`: SHA-256 of the header, 32 octets, which the key's holder signs."""

    digest: bytes
    _before: bytes
    _after: bytes = b""
    _fold: bool = True

    def field(self, signature: bytes) -> bytes:
        """Return the whole field with its line ending, to be put in front of the header."""
        value = base64.b64encode(signature)
        return self._before + (folded(value) if self._fold else value) + self._after + b"\r\n"


def body_hash(body: Iterable[bytes]) -> bytes:
    """Return the hash of a body in relaxed form. It takes up to 20 ms for each MB: not on the event loop if the body is large."""
    hashed = BodyHash("relaxed")
    for piece in body:
        hashed.update(piece)
    hashed.finish()
    return hashed.digest()


def prepare(header: bytes, hashed_body: bytes, signers: Sequence[Signer], *, now: float) -> list[Unsigned]:
    """Return a field for each signer: relaxed/relaxed, the whole body, t= of `now` (seconds since 1970)."""
    names, signed = _selected(fields(header))
    listed, hashed = folded_names(names), base64.b64encode(hashed_body)
    return [_unsigned(signed, listed, hashed, each, now) for each in signers]


def names_to_sign(found: Iterable[HeaderField]) -> list[bytes]:
    """Return the names for h= of a header."""
    return _selected(found)[0]


def _selected(found: Iterable[HeaderField]) -> tuple[list[bytes], bytes]:
    """Return the names for h=, and the fields that they select, in relaxed form with their line endings (RFC 6376 5.4.2)."""
    held: defaultdict[bytes, list[bytes]] = defaultdict(list)
    for raw, name in found:
        held[name].append(raw)
    names: list[bytes] = []
    forms: list[bytes] = []
    for wanted, more in ((OVERSIGNED, 1), (SIGNED, 0)):
        for name in wanted:
            last = held[name][: -MOST_OF_A_NAME - 1 : -1] if name in held else []
            names += [name] * (len(last) + more)
            forms += map(relaxed_field, last)
    forms.append(b"")
    return names, b"\r\n".join(forms)


def _unsigned(signed: bytes, names: bytes, hashed_body: bytes, signer: Signer, now: float) -> Unsigned:
    """Return the field of one signer. `signed`: the other fields in canonical form; `names` and `hashed_body` as they are written."""
    head = f"v=1; a={signer.algorithm}; c=relaxed/relaxed; d={signer.domain};\r\n\ts={signer.selector}; t={int(now)};"
    field = b"DKIM-Signature: %s\r\n\th=%s;\r\n\tbh=%s;\r\n\tb=" % (
        head.encode("ascii"), names, hashed_body,
    )  # fmt: skip
    return Unsigned(sha256(signed + relaxed_field(field)).digest(), field)


def folded_names(names: Sequence[bytes]) -> bytes:
    """Return names joined by colons, in lines."""
    lines = [b""]
    for name in names:
        if len(lines[-1]) + len(name) > _LINE:
            lines.append(b"")
        lines[-1] += name + b":"
    return b"\r\n\t ".join(lines)[:-1]


def folded(text: bytes) -> bytes:
    """Return base64 in lines."""
    return b"\r\n\t ".join(text[at : at + _LINE] for at in range(0, len(text), _LINE))
