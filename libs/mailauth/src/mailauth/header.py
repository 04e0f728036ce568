"""The fields of a header section (RFC 5322 2.2), octet for octet."""

import re
from collections.abc import Iterator
from typing import NamedTuple

#: A line and those that continue it. Possessive: nothing is tried twice.
_FIELD = re.compile(rb"[^\n]*+(?:\n[ \t][^\n]*+)*+\n?")


class HeaderField(NamedTuple):
    """A field. `raw`: its octets with the line ending; `name`: in lower case, without white space before the colon."""

    raw: bytes
    name: bytes

    @property
    def value(self) -> bytes:
        """What follows the colon, as written."""
        return self.raw.partition(b":")[2]


def split(message: bytes) -> tuple[bytes, bytes]:
    """Return header and body of a message; the empty line between them belongs to neither. A body may be empty."""
    if message.startswith(b"\r\n"):
        return b"", message[2:]
    end = message.find(b"\r\n\r\n")
    return (message, b"") if end < 0 else (message[: end + 2], message[end + 4 :])


def fields(header: bytes) -> Iterator[HeaderField]:
    """Yield the fields of a header, in its order; together their octets are the header's.

    A line without a colon is a field whose name is the line. Lines end with LF, with or without CR.
    """
    for raw in _FIELD.findall(header):
        if raw:  # the pattern matches the empty end as well
            yield HeaderField(raw, raw.partition(b":")[0].rstrip(b" \t\r\n").lower())
