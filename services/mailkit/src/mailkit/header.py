"""The header of a message: cut off once, read in linear time (RFC 5322 2.2). Pure.

Text of strangers in lines of any length: every step here costs at most the header's size.
"""

import re
from collections.abc import Iterator

#: No header is looked at beyond this (bytes). POSTRIDER_MAX_HEADER_BYTES, which refuses larger ones at DATA, stays below.
MOST_BYTES = 16 * 1024 * 1024

#: Behind a field's name: the colon (4.5 allows white space before it). Folded lines go on with white space.
_COLON = re.compile(rb"[ \t]*+:")
_END = re.compile(rb"\n(?![ \t])|\Z")
#: How a header begins: with a field, or with the line that mailbox files have in front of one.
_BEGINNING = re.compile(rb"[!-9;-~]++[ \t]*+:|>*+From ")


def header_of(message: bytes, most: int = MOST_BYTES) -> bytes:
    """The header with the line end of its last field, without the empty line; cut behind a whole line within `most` octets.

    Empty when the message begins with the empty line or with text; all of it when it has a header only.
    """
    if not _has_header(message):
        return b""
    end = message.find(b"\r\n\r\n", 0, most + 2)
    if end >= 0:
        return message[: end + 2]
    if len(message) <= most:
        return message
    end = message.rfind(b"\r\n", 0, most)
    return message[: end + 2] if end >= 0 else b""


def is_whole(header: bytes, message: bytes) -> bool:
    """True when `header`, cut from `message` by `header_of`, was not cut short."""
    if not header:
        return not _has_header(message)
    return len(header) == len(message) or message.startswith(b"\r\n", len(header))


def _has_header(message: bytes) -> bool:
    return _BEGINNING.match(message, 0, MOST_BYTES) is not None


class Header:
    """The fields of a header, looked up by name (lower case, no colon). `raw`: from `header_of`."""

    __slots__ = ("_lower", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._lower = b"\n" + raw.lower()

    def __contains__(self, name: bytes) -> bool:
        return next(self.values(name), None) is not None

    def count(self, name: bytes) -> int:
        """How many fields are called `name`."""
        return sum(1 for _ in self.values(name))

    def values(self, name: bytes) -> Iterator[bytes]:
        """The values of the fields called `name`, as written, still folded, without white space around them."""
        wanted = b"\n" + name
        at = self._lower.find(wanted)
        while at >= 0:
            at += len(wanted)
            colon = _COLON.match(self.raw, at - 1)  # `_lower` has one octet more in front
            end = _END.search(self.raw, colon.end()) if colon is not None else None
            if colon is not None and end is not None:
                yield self.raw[colon.end() : end.start()].strip()
                at = end.start()
            at = self._lower.find(wanted, at)
