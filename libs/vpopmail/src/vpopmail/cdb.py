"""Reader of constant databases (cr.yp.to/cdb/cdb.txt), as qmail-newu and vpopmail write them: records in file order."""

import os
import struct
from collections.abc import Iterator

from vpopmail.tree import TreeFolder, Unreadable, reason

#: The head: 256 pairs of position and length of a hash table. The records follow, then the tables.
HEAD = 2048
#: The longest key or value, in octets.
LONGEST = 64 * 1024
#: Octets that are read at once; a record is shorter.
_AHEAD = 256 * 1024


def records(folder: TreeFolder, name: str) -> Iterator[tuple[bytes, bytes]]:
    """Yield (key, value) of each record. Raises Unreadable, at once or where the file is damaged."""
    with folder.opened(name) as (descriptor, status):
        head = _read(descriptor, HEAD, 0)
        if len(head) < HEAD:
            raise Unreadable("is cut: the head of a cdb has 2,048 octets")
        end = min(position for position, _ in struct.iter_unpack("<II", head))
        if not HEAD <= end <= status.st_size:
            raise Unreadable("is cut, or no cdb: its tables are outside the file")
        yield from _records(descriptor, end)


def _records(descriptor: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    at, ahead, start = HEAD, b"", HEAD
    while at < end:
        if start + len(ahead) - at < 8 + 2 * LONGEST and start + len(ahead) < end:
            ahead, start = _read(descriptor, min(_AHEAD, end - at), at), at
        offset = at - start
        if len(ahead) - offset < 8:
            raise Unreadable(f"is damaged at octet {at:,}")
        key_size, value_size = struct.unpack_from("<II", ahead, offset)
        after = offset + 8 + key_size + value_size
        if key_size > LONGEST or value_size > LONGEST or after > len(ahead):
            raise Unreadable(f"is damaged at octet {at:,}")
        middle = offset + 8 + key_size
        yield ahead[offset + 8 : middle], ahead[middle:after]
        at = start + after


def _read(descriptor: int, size: int, at: int) -> bytes:
    """Read `size` octets, fewer at the end of the file."""
    pieces = []
    try:
        while size > 0 and (piece := os.pread(descriptor, size, at)):
            pieces.append(piece)
            size, at = size - len(piece), at + len(piece)
    except OSError as error:
        raise Unreadable(reason(error)) from None
    return b"".join(pieces)
