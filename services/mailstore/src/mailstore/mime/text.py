"""Decoded text of a message for searching: text parts and part headers, in the order of the message.

Transfer encoding and charset are undone (RFC 3501 6.4.4 asks for it); attachments that are no text are passed over.
"""

import binascii
from collections.abc import Iterator

from mailstore.mime.headers import MAX_VALUE, split_fields, value_of
from mailstore.mime.params import content_type, encoding
from mailstore.mime.sections import TEXT, Entry, unpack
from mailstore.mime.words import decode_base64, decode_bytes, header_text

#: Encoded bytes of one part that are decoded, and of one message.
MAX_PART = 4 * 1024 * 1024
MAX_MESSAGE = 16 * 1024 * 1024


def header_lines(header: bytes) -> Iterator[tuple[str, str]]:
    """Name (lower case) and decoded value of each field of a header block."""
    for field in split_fields(header):
        name, colon, raw = field.partition(b":")
        if colon:
            yield name.rstrip(b" \t").lower().decode("latin-1"), header_text(value_of(raw))


def texts(body: bytes, parts: bytes, *, with_header: bool = False) -> Iterator[str]:
    """Decoded texts of the parts of a body; with the message's own header when asked. At most MAX_MESSAGE bytes."""
    left = MAX_MESSAGE
    for index, row in enumerate(unpack(parts)):
        header = body[row.header : row.header + min(row.header_len, MAX_VALUE)]
        if index or with_header:
            yield "\n".join(f"{name}: {value}" for name, value in header_lines(header))
        if row.kind != TEXT or left <= 0:
            continue
        yield part_text(body, row, header)
        left -= min(row.body_len, MAX_PART)


def part_text(body: bytes, row: Entry, header: bytes) -> str:
    """One text part, decoded by what its header says."""
    charset: str | None = None
    transfer = b""
    for field in split_fields(header):
        name, _, raw = field.partition(b":")
        name = name.rstrip(b" \t").lower()
        if name == b"content-type" and charset is None:
            for key, value in content_type(value_of(raw))[2]:
                if key.lower() == b"charset":
                    charset = value.decode("latin-1")
        elif name == b"content-transfer-encoding" and not transfer:
            transfer = (encoding(value_of(raw)) or b"").lower()
    data = body[row.body : row.body + min(row.body_len, MAX_PART)]
    return decode_bytes(decode_transfer(data, transfer), charset)


def decode_transfer(data: bytes, transfer: bytes) -> bytes:
    """Undo a Content-Transfer-Encoding (lower case); unknown ones are taken as they are."""
    if transfer == b"base64":
        return decode_base64(data)
    if transfer == b"quoted-printable":
        return binascii.a2b_qp(data)
    return data


def body_text(body: bytes, parts: bytes, limit: int = 64 * 1024) -> str:
    """The decoded text of a message for a search column or a preview, at most `limit` characters, no NUL."""
    found: list[str] = []
    left = limit
    for text in texts(body, parts):
        found.append(text[:left])
        left -= len(text) + 1
        if left <= 0:
            break
    joined = "\n".join(found)[:limit].replace("\0", "")
    return joined.encode("utf-8", "replace").decode("utf-8")
