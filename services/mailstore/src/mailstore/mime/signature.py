"""Text signatures: which sequences of three octets the texts of a message have, as a Bloom filter (decision 78).

A text contains a key only if it has each of the key's sequences, so a signature rules messages out and confirms none. Texts are
folded as SEARCH folds them, in UTF-8: a substring of characters is one of octets. Signatures are stored, so what is computed
here never changes; another form needs another table.
"""

import hashlib
import struct

from mailstore.mime.search import Searched, fold
from mailstore.mime.sections import TEXT, unpack

#: Octets of headers and encoded text parts, and of folded texts, up to which a message has a signature.
LONGEST = 1024 * 1024
#: Limit of a signature (octets): the hashes have 16 bits.
MOST = 8192
#: Sequences of a key that are looked for.
ASKED = 16

_GRAM = 3
_DIGITS = b"01" + bytes(254)


def _tables() -> list[tuple[bytes, bytes]]:
    """For each octet of a sequence, the low and the high half of 256 numbers; the hash is their exclusive or."""
    stream = hashlib.shake_128(b"text signature").digest(512 * _GRAM)
    halves = [stream[at : at + 256] for at in range(0, len(stream), 256)]
    return list(zip(halves[::2], halves[1::2], strict=True))


_TABLES = _tables()


def _hashes(octets: bytes) -> set[int]:
    """Return the hashes of all sequences, computed at once: each is a lane of 16 bits of a large number."""
    count = len(octets) - _GRAM + 1
    if count <= 0:
        return set()
    lanes = 0
    for at, (low, high) in enumerate(_TABLES):
        piece = octets[at : at + count]
        lane = bytearray(2 * count)
        lane[::2] = piece.translate(low)
        lane[1::2] = piece.translate(high)
        lanes ^= int.from_bytes(lane, "little")
    return set(struct.unpack(f"<{count}H", lanes.to_bytes(2 * count, "little")))


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def signature(body: bytes, parts: bytes, prefix: bytes) -> bytes | None:
    """Return the signature of a message, four bits for each sequence; None for one with more than LONGEST octets of text."""
    if sum(row.header_len + (row.body_len if row.kind == TEXT else 0) for row in unpack(parts)) > LONGEST:
        return None
    octets = _octets("\n".join(Searched(body, parts, prefix).all_texts()))
    if len(octets) > LONGEST:
        return None
    hashes = _hashes(octets)
    size = min(max(len(hashes) // 2, 1), MOST)
    count = 8 * size
    bits = bytearray(count)
    for each in hashes:
        bits[each % count] = 1
    bits.reverse()
    return int(bits.translate(_DIGITS), 2).to_bytes(size, "little")


def asked(key: str) -> list[int]:
    """Return the hashes of a key's sequences, at most ASKED: bit `hash % bits` of a signature is set if the message may contain it.

    The list is empty for a key that is too short.
    """
    return sorted(_hashes(_octets(fold(key))))[:ASKED]
