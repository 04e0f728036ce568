"""The header section of a message: separated once, read in linear time (RFC 5322 2.2), without I/O.

The text is untrusted and its lines are of any length: the cost of each step is at most linear in the header's size.
"""

import re
from collections.abc import Iterator

#: Octets of a header that are read at most. POSTRIDER_MAX_HEADER_BYTES, above which DATA is refused, is lower.
MOST_BYTES = 16 * 1024 * 1024

#: What follows a field's name: the colon (4.5 allows white space before it). Folded lines begin with white space.
_COLON = re.compile(rb"[ \t]*+:")
_END = re.compile(rb"\n(?![ \t])|\Z")
#: Beginning of a header: a field, or the `From ` line that mailbox files put in front of it.
_BEGINNING = re.compile(rb"[!-9;-~]++[ \t]*+:|>*+From ")


def header_of(message: bytes, most: int = MOST_BYTES) -> bytes:
    """Return the header with the line ending of its last field, without the empty line.

    A header of more than `most` octets is cut after a whole line. Empty if the message begins with the empty line or with
    text; the whole message if it has only a header.
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
    """Return whether `header`, the result of `header_of(message)`, is complete."""
    if not header:
        return not _has_header(message)
    return len(header) == len(message) or message.startswith(b"\r\n", len(header))


def _has_header(message: bytes) -> bool:
    return _BEGINNING.match(message, 0, MOST_BYTES) is not None


class Header:
    """Lookup of header fields by name (lower case, no colon). `raw`: the result of `header_of`."""

    __slots__ = ("_lower", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._lower = b"\n" + raw.lower()

    def __contains__(self, name: bytes) -> bool:
        return next(self.values(name), None) is not None

    def count(self, name: bytes) -> int:
        """Return the number of fields named `name`."""
        return sum(1 for _ in self.values(name))

    def values(self, name: bytes) -> Iterator[bytes]:
        """Yield the values of the fields named `name`, as written and folded, without surrounding white space."""
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
