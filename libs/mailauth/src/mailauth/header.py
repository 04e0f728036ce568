"""The fields of a header section (RFC 5322 2.2), octet for octet."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HeaderField:
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
    start = at = 0
    while start < len(header):
        end = header.find(b"\n", at)
        at = len(header) if end < 0 else end + 1
        if header[at : at + 1] in (b" ", b"\t"):
            continue
        raw = header[start:at]
        yield HeaderField(raw, raw.partition(b":")[0].rstrip(b" \t\r\n").lower())
        start = at
