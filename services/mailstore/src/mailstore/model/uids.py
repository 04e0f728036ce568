"""UIDs and masks of flags in bulk, as statements take them and as the wire carries them. Pure."""

from array import array
from collections.abc import Iterable

from mailkit.errors import BadRequest
from mailstore_api.wire import Ranges

LAST_UID = 2**32 - 1

#: Ranges of UIDs as the arrays of their first and their last ones.
Bounds = tuple[list[int], list[int]]


def split(ranges: Ranges) -> Bounds:
    """Return ranges as the two arrays that the statements take. Raises BadRequest unless they ascend without overlap."""
    last = 0
    for low, high in ranges:
        if low <= last or high < low or high > LAST_UID:
            raise BadRequest("ranges ascend and do not meet")
        last = high
    return [low for low, _ in ranges], [high for _, high in ranges]


def pack(uids: Iterable[int]) -> bytes:
    """Return UIDs, or sizes below 4 GB, as little-endian uint32."""
    return array("I", uids).tobytes()


def pack_masks(masks: Iterable[int]) -> bytes:
    """Return masks of flags as little-endian uint64."""
    return array("Q", masks).tobytes()


def pack_modseqs(modseqs: Iterable[int]) -> bytes:
    """Return MODSEQs as little-endian uint64."""
    return array("Q", modseqs).tobytes()


def high_words(sent: bytes | None) -> bytes:
    """Return the high 32 bits of each number of a `bigint[]` in PostgreSQL's binary form, as little-endian uint32."""
    return _words(sent)[1::3].tobytes()


def low_halves(sent: bytes | None) -> bytes:
    """Return the low 32 bits of each number of a `bigint[]` in PostgreSQL's binary form, as little-endian int32."""
    return _words(sent)[2::3].tobytes()


def low_words(low: bytes | None, high: bytes | None) -> bytes:
    """Return the low 32 bits of each number of `low` as little-endian uint64, whose high ones are those of `high`, if any."""
    return _joined(_words(low)[2::3], None if high is None else _words(high)[2::3])


def numbers(sent: bytes | None) -> bytes:
    """Return each number as little-endian uint64."""
    words = _words(sent)
    return _joined(words[2::3], words[1::3])


def _joined(low: "array[int]", high: "array[int] | None") -> bytes:
    joined = array("I", bytes(8 * len(low)))
    joined[::2] = low
    if high is not None:
        joined[1::2] = high
    return joined.tobytes()


def _words(sent: bytes | None) -> "array[int]":
    """The length, the high and the low half of each number; what is not a number precedes in five words."""
    found = array("I", sent[20:] if sent else b"")
    found.byteswap()
    return found
