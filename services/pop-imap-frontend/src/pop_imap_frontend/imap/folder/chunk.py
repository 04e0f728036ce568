"""A part of a folder's messages in the order of their UIDs; immutable, so that views share it (docs/decisions/0053)."""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import compress, repeat
from sys import getsizeof

from mailstore_api.wire import SEEN

#: Limit of the messages of a chunk: a change copies at most these, and a folder has one chunk for this number of messages.
MOST_MESSAGES = 4096
#: Limit of the distinct masks of a chunk whose codes are single octets.
_OCTET = 256
ALL = slice(None)
#: Fewer UIDs than these are looked up by bisection, more by a pass over the chunk.
_FEW = 256
#: All masks of system flags, each its own code, and a chunk's masks with all other bits.
_SYSTEM = tuple(range(32))
_KEYWORDS = int.from_bytes((2**64 - len(_SYSTEM)).to_bytes(8, "little") * MOST_MESSAGES, "little")


def unseen(mask: int) -> bool:
    return not mask & SEEN


class Chunk:
    """At least one and at most MOST_MESSAGES messages. `masks[codes[at]]` is the mask of flags of the one at position `at`.

    `codes` is `bytes`, of which one octet is a message, so that all messages with a flag are found by `bytes.translate`;
    with more than 256 distinct masks it is an array.
    """

    __slots__ = ("codes", "masks", "uids", "unseen")

    def __init__(self, uids: "range | array[int]", codes: "bytes | array[int]", masks: tuple[int, ...]) -> None:
        self.uids = uids
        self.codes = codes
        self.masks = masks
        self.unseen = self.select(unseen).count(1)

    @classmethod
    def of(cls, uids: "range | array[int]", masks: "array[int]") -> "Chunk":
        """Return the chunk of ascending `uids` and the mask of each."""
        octets = masks.tobytes()
        if (
            not int.from_bytes(octets, "little") & _KEYWORDS
        ):  # as in most folders: without a Python number for each message
            return cls(_packed(uids), octets[::8], _SYSTEM)
        distinct = {mask: code for code, mask in enumerate(dict.fromkeys(masks))}
        codes = map(distinct.__getitem__, masks)
        return cls(_packed(uids), bytes(codes) if len(distinct) <= _OCTET else array("H", codes), tuple(distinct))

    def __len__(self) -> int:
        return len(self.codes)

    def octets(self) -> int:
        """Return about how much memory this takes."""
        masks = 0 if self.masks is _SYSTEM else getsizeof(self.masks) + 32 * len(self.masks)
        return getsizeof(self.uids) + getsizeof(self.codes) + masks

    def position(self, uid: int) -> int | None:
        """Return the position of `uid` in this chunk; None if it is not here."""
        at = bisect_left(self.uids, uid)
        return at if at < len(self.uids) and self.uids[at] == uid else None

    def positions(self, uids: "array[int]") -> list[int]:
        """Return the positions of those of ascending `uids` that are here."""
        if len(uids) < _FEW:
            return [at for at in map(self.position, uids) if at is not None]
        return list(compress(range(len(self)), map(set(uids).__contains__, self.uids)))

    def changed(self, uids: "array[int]", masks: "array[int]") -> dict[int, int]:
        """Return by its position the new mask of each of ascending `uids` that is here and has another one."""
        new = dict(zip(uids, masks, strict=True))
        masks_here, codes = self.masks, self.codes
        here = ((at, new[self.uids[at]]) for at in self.positions(uids))
        return {at: mask for at, mask in here if masks_here[codes[at]] != mask}

    def mask(self, at: int) -> int:
        return self.masks[self.codes[at]]

    def mask_of_each(self) -> "array[int]":
        return array("Q", map(self.masks.__getitem__, self.codes))

    def select(self, wanted: Callable[[int], bool], part: slice = ALL) -> bytes:
        """Return an octet for each message of `part`: 1 if its mask is `wanted`, else 0.

        `wanted` is called once for each distinct mask.
        """
        chosen = bytes(map(wanted, self.masks))
        codes = self.codes[part]
        if isinstance(codes, bytes):
            return codes.translate(chosen.ljust(256, b"\0"))
        return bytes(map(chosen.__getitem__, codes))

    # -- changed copies

    def with_masks(self, changed: Mapping[int, int]) -> "Chunk":
        """Return a chunk with the masks of the positions in `changed` replaced."""
        distinct = {mask: code for code, mask in enumerate(self.masks)}
        for mask in changed.values():
            distinct.setdefault(mask, len(distinct))
        if len(distinct) > _OCTET:  # also forgets masks that no message has any more
            masks = self.mask_of_each()
            for at, mask in changed.items():
                masks[at] = mask
            return Chunk.of(self.uids, masks)
        codes = bytearray(self.codes)
        for at, mask in changed.items():
            codes[at] = distinct[mask]
        return Chunk(self.uids, bytes(codes), self.masks if len(distinct) == len(self.masks) else tuple(distinct))

    def without(self, positions: Sequence[int]) -> "Chunk | None":
        """Return a chunk without the messages at the distinct `positions`; None if no message is left."""
        if len(positions) == len(self):
            return None
        kept = bytearray(repeat(1, len(self)))
        for at in positions:
            kept[at] = 0
        codes = compress(self.codes, kept)
        return Chunk(
            _packed(array("I", compress(self.uids, kept))),
            bytes(codes) if isinstance(self.codes, bytes) else array("H", codes),
            self.masks,
        )

    def joined(self, other: "Chunk") -> "Chunk":
        """Return a chunk of the messages of this one and of `other`, whose UIDs are greater."""
        uids = _joined(self.uids, other.uids)
        distinct = {mask: code for code, mask in enumerate(self.masks)}
        for mask in other.masks:
            distinct.setdefault(mask, len(distinct))
        if len(distinct) > _OCTET:
            return Chunk.of(uids, self.mask_of_each() + other.mask_of_each())
        translated = bytes(map(distinct.__getitem__, other.masks)).ljust(256, b"\0")
        return Chunk(uids, bytes(self.codes) + bytes(other.codes).translate(translated), tuple(distinct))


def _packed(uids: "range | array[int]") -> "range | array[int]":
    """The same UIDs, as a range if they are consecutive."""
    first, last = uids[0], uids[-1]
    return range(first, last + 1) if last - first == len(uids) - 1 else uids


def _joined(before: Iterable[int], after: Iterable[int]) -> "range | array[int]":
    if isinstance(before, range) and isinstance(after, range) and before.stop == after.start:
        return range(before.start, after.stop)
    joined = array("I", before)
    joined.extend(after)
    return joined


def cut(uids: "array[int]", masks: "array[int]") -> Iterator[Chunk]:
    """Yield the chunks of ascending `uids` and the mask of each."""
    for start in range(0, len(uids), MOST_MESSAGES):
        yield Chunk.of(uids[start : start + MOST_MESSAGES], masks[start : start + MOST_MESSAGES])
