"""The part table of a message and the positions of FETCH sections in it (RFC 3501 6.4.5).

The table has one record of 18 octets per part, in the order of the message: depth, kind, then offset and length of the
header (with its blank line) and of the content, all relative to the body as stored.
"""

import struct
from typing import NamedTuple

from mailstore.mime.part import LEAF, MESSAGE, MULTIPART, OPAQUE, TEXT, Part

__all__ = ["LEAF", "MESSAGE", "MULTIPART", "OPAQUE", "TEXT", "PartEntry", "SectionRanges", "pack", "section", "unpack"]

_record = struct.Struct("<BBIIII")


class PartEntry(NamedTuple):
    """One row of the part table; offsets and lengths in octets, relative to the body."""

    depth: int
    kind: int
    header: int
    header_len: int
    body: int
    body_len: int


class SectionRanges(NamedTuple):
    """Position of a section: ranges (offset, length) of the body, after the row's prefix if `prefix` is set."""

    prefix: bool
    ranges: tuple[tuple[int, int], ...]

    @property
    def size(self) -> int:
        """Octets of the body in the section, without the prefix."""
        return sum(length for _, length in self.ranges)


def pack(root: Part) -> bytes:
    """Return the part table of a scanned message."""
    rows: list[bytes] = []
    todo = [(0, root)]
    while todo:
        depth, part = todo.pop()
        rows.append(_record.pack(depth, part.kind, part.start, part.body - part.start, part.body, part.end - part.body))
        todo += [(depth + 1, child) for child in reversed(part.children)]
    return b"".join(rows)


def unpack(parts: bytes) -> list[PartEntry]:
    """Return the rows of a part table, the message itself first. A truncated table ends with its last whole row."""
    whole = len(parts) - len(parts) % _record.size
    return [PartEntry(*row) for row in _record.iter_unpack(parts[:whole])]


def _children(rows: list[PartEntry], index: int) -> list[int]:
    depth = rows[index].depth
    found = []
    for at in range(index + 1, len(rows)):
        if rows[at].depth <= depth:
            break
        if rows[at].depth == depth + 1:
            found.append(at)
    return found


def _numbered(rows: list[PartEntry], path: list[int]) -> int | None:
    """Row of a part number such as 1.2.3; None if there is none."""
    index, alone = 0, False
    for level, number in enumerate(path):
        if level and rows[index].kind == MESSAGE and not alone:
            # The parts of a message/rfc822 part are those of the message in it.
            index = _children(rows, index)[0]
        if rows[index].kind == MULTIPART:
            children = _children(rows, index)
            if not 1 <= number <= len(children):
                return None
            index = children[number - 1]
        elif number != 1 or alone:
            # RFC 3501 6.4.5: anything but a multipart has one part, itself.
            return None
        else:
            alone = rows[index].kind != MESSAGE
    return index


def section(parts: bytes, spec: str | bytes) -> SectionRanges | None:
    """Return the position of `BODY[spec]`: "", HEADER, TEXT, 1.2, 1.2.MIME, 1.HEADER, 1.TEXT; None if there is no such section.

    HEADER.FIELDS and HEADER.FIELDS.NOT give the whole header, to be passed to `header_fields`. The prefix of a
    filed message (Return-Path, Delivered-To) belongs to its header, so it is part of "" and HEADER.
    """
    text = (spec.decode("latin-1") if isinstance(spec, bytes) else spec).strip().upper()
    rows = unpack(parts)
    if not rows:
        return None
    words = text.split(" ", 1)[0].split("(", 1)[0].split(".") if text else []
    path: list[int] = []
    while words and words[0].isascii() and words[0].isdigit():
        path.append(int(words.pop(0)[:9]))
    what = ".".join(words)
    if what in ("HEADER.FIELDS", "HEADER.FIELDS.NOT"):
        what = "HEADER"
    index = _numbered(rows, path)
    if index is None:
        return None
    row = rows[index]
    if path:
        return _of_part(rows, index, what)
    if what == "":
        return SectionRanges(True, ((0, row.body + row.body_len),))
    if what == "HEADER":
        return SectionRanges(True, ((row.header, row.header_len),))
    if what == "TEXT":
        return SectionRanges(False, ((row.body, row.body_len),))
    return None


def _of_part(rows: list[PartEntry], index: int, what: str) -> SectionRanges | None:
    row = rows[index]
    if what == "":
        return SectionRanges(False, ((row.body, row.body_len),))
    if what == "MIME":
        # Part 1 of a message that is not a multipart has the message's own header.
        return SectionRanges(index == 0, ((row.header, row.header_len),))
    if row.kind != MESSAGE or what not in ("HEADER", "TEXT"):
        return None
    inner = rows[_children(rows, index)[0]]
    if what == "HEADER":
        return SectionRanges(False, ((inner.header, inner.header_len),))
    return SectionRanges(False, ((inner.body, inner.body_len),))
