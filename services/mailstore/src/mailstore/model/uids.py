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
