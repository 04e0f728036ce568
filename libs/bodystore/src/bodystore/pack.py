"""The format of a pack, an object of many bodies: their stored chunks, an index, the length of the index, a mark."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

_END = struct.Struct(">Q8s")
_ENTRY = struct.Struct(">16sI")
_MARK = b"PRPACK1\n"


class BadPack(ValueError):
    """Octets that are no whole pack."""


@dataclass(frozen=True)
class Packed:
    """A body in a pack: the offset of its first stored chunk, and the stored octets of each."""

    body_id: UUID
    at: int
    lengths: tuple[int, ...]

    @property
    def octets(self) -> int:
        """Stored octets of the body."""
        return sum(self.lengths)


def write(bodies: Sequence[tuple[UUID, Sequence[bytes]]]) -> tuple[bytes, list[Packed]]:
    """Return the octets of a pack of `bodies`, each an id and its stored chunks in order, and where each body is in it."""
    parts: list[bytes] = []
    index: list[bytes] = []
    packed: list[Packed] = []
    at = 0
    for body_id, chunks in bodies:
        lengths = tuple(map(len, chunks))
        packed.append(Packed(body_id, at, lengths))
        index.append(_ENTRY.pack(body_id.bytes, len(lengths)) + packed_lengths(lengths))
        parts.extend(chunks)
        at += sum(lengths)
    indexed = b"".join(index)
    return b"".join([*parts, indexed, _END.pack(len(indexed), _MARK)]), packed


def contents(octets: bytes) -> list[Packed]:
    """Return where each body of a whole pack is, from its index. Raises BadPack."""
    if len(octets) < _END.size:
        raise BadPack("too short")
    size, mark = _END.unpack(octets[-_END.size :])
    end = len(octets) - _END.size
    if mark != _MARK or size > end:
        raise BadPack("no index")
    found: list[Packed] = []
    place, at = end - size, 0
    while place < end:
        if place + _ENTRY.size > end:
            raise BadPack("a cut index")
        body_id, count = _ENTRY.unpack_from(octets, place)
        place += _ENTRY.size
        if place + 4 * count > end:
            raise BadPack("a cut index")
        found.append(Packed(UUID(bytes=body_id), at, lengths_of(octets[place : place + 4 * count])))
        place += 4 * count
        at += found[-1].octets
    if at != end - size:
        raise BadPack("an index of other octets")
    return found


def packed_lengths(lengths: Sequence[int]) -> bytes:
    """Return lengths as four octets each, big-endian: their form in the index and in the column."""
    return struct.pack(f">{len(lengths)}I", *lengths)


def lengths_of(octets: bytes) -> tuple[int, ...]:
    """Return the lengths that `packed_lengths` wrote."""
    return struct.unpack(f">{len(octets) // 4}I", octets)
