"""The header block of a message or of a MIME part: where it ends, its fields, and selections of them.

Lines end with CRLF; a bare LF is read as a line end too, as everybody does.
"""

import re
from collections.abc import Iterable

#: A field begins where a line does not begin with white space (RFC 5322 2.2.3).
_field_break = re.compile(rb"\n(?![ \t])")

#: Longest value that is looked at (bytes). Nobody writes such a field; the cut keeps rendering bounded.
MAX_VALUE = 256 * 1024


def blank_line(data: bytes, start: int, end: int) -> int:
    """Offset behind the blank line that ends the header starting at `start`; -1 when there is none before `end`."""
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
    """The fields of a block, folded as written, without their last LF. The blank line is an empty one or CR."""
    return _field_break.split(block)


def value_of(raw: bytes) -> bytes:
    """What stands behind the colon, lines still folded but ended by LF, leading white space gone."""
    if len(raw) > MAX_VALUE:
        raw = raw[:MAX_VALUE]
    value = raw.removesuffix(b"\r").lstrip(b" \t")
    if b"\n" in value:
        value = value.replace(b"\r\n", b"\n")
    elif not value:
        # Nothing but white space: one character of it separates, the rest is the value.
        value = raw.removesuffix(b"\r")[1:]
    return value


def header_fields(header: bytes, names: Iterable[bytes | str], *, not_: bool = False) -> bytes:
    """HEADER.FIELDS, or HEADER.FIELDS.NOT with `not_` (RFC 3501 6.4.5): the fields as written, then the blank line.

    `header` is a whole header block, prefix included. HEADER.FIELDS.NOT of a message that has no blank line (and no
    text) has none, the exception RFC 3501 6.4.5 makes. Names are compared without regard to case.
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
        # A line without a colon is no field of any name.
        if (bool(colon) and name.rstrip(b" \t").lower() in wanted) is not not_:
            picked.append(line + b"\r\n")
    if end >= 0 or not not_:
        picked.append(b"\r\n")
    return b"".join(picked)
