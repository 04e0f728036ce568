"""The header of a message or of a MIME part: its end, its fields, and selections of them.

Lines end with CRLF; a bare LF is accepted as a line end, too, as by other servers.
"""

import re
from collections.abc import Iterable

#: A line that does not begin with white space begins a field (RFC 5322 2.2.3).
_field_break = re.compile(rb"\n(?![ \t])")

#: Longest value that is parsed (octets); real fields are shorter, and the limit bounds the rendering.
MAX_VALUE = 256 * 1024


def blank_line(data: bytes, start: int, end: int) -> int:
    """Return the offset after the blank line that ends the header at `start`; -1 if there is none before `end`."""
    if data.startswith(b"\r\n", start, end):
        return start + 2
    if data.startswith(b"\n", start, end):
        return start + 1
    crlf = data.find(b"\n\r\n", start, end)
    bare = data.find(b"\n\n", start, end if crlf < 0 else crlf + 1)
    if bare >= 0:
        return bare + 2
    return crlf + 3 if crlf >= 0 else -1


def split_fields(block: bytes) -> list[bytes]:
    """Split a header into its fields, folded as written, without their last LF. The blank line is an empty field or CR."""
    return _field_break.split(block)


def value_of(raw: bytes) -> bytes:
    """Return a field's value after the colon, still folded, with LF line ends and without leading white space."""
    if len(raw) > MAX_VALUE:
        raw = raw[:MAX_VALUE]
    value = raw.removesuffix(b"\r").lstrip(b" \t")
    if b"\n" in value:
        value = value.replace(b"\r\n", b"\n")
    elif not value:
        # Only white space: one character separates, the rest is the value.
        value = raw.removesuffix(b"\r")[1:]
    return value


def header_fields(header: bytes, names: Iterable[bytes | str], *, not_: bool = False) -> bytes:
    """Return HEADER.FIELDS, or with `not_` HEADER.FIELDS.NOT (RFC 3501 6.4.5): the fields as written, then the blank line.

    `header` is a whole header, prefix included. HEADER.FIELDS.NOT of a message without a blank line (and text) has none,
    as RFC 3501 6.4.5 allows. Names are case-insensitive.
    """
    wanted = {(name.encode("utf-8", "replace") if isinstance(name, str) else name).strip().lower() for name in names}
    end = blank_line(header, 0, len(header))
    if end >= 0:
        header = header[:end]
    picked = []
    for field in split_fields(header):
        line = field.removesuffix(b"\r")
        if not line:
            continue
        name, colon, _ = line.partition(b":")
        # A line without a colon is not a field and matches no name.
        if (bool(colon) and name.rstrip(b" \t").lower() in wanted) is not not_:
            picked.append(line + b"\r\n")
    if end >= 0 or not not_:
        picked.append(b"\r\n")
    return b"".join(picked)
