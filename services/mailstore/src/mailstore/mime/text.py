"""Decoded text of a message for searching: text parts and part headers, in the order of the message.

Transfer encoding and charset are decoded, as RFC 3501 6.4.4 requires; parts other than text are skipped.
"""

import binascii
from collections.abc import Iterator

from mailstore.mime.headers import MAX_VALUE, split_fields, value_of
from mailstore.mime.params import content_type, encoding
from mailstore.mime.sections import TEXT, PartEntry, unpack
from mailstore.mime.words import decode_base64, decode_bytes, header_text

#: Limits of the encoded octets that are decoded, of one part and of one message.
MAX_PART = 4 * 1024 * 1024
MAX_MESSAGE = 16 * 1024 * 1024


def header_lines(header: bytes) -> Iterator[tuple[str, str]]:
    """Yield the name (lower case) and the decoded value of each field of a header."""
    for field in split_fields(header):
        name, colon, raw = field.partition(b":")
        if colon:
            yield name.rstrip(b" \t").lower().decode("latin-1"), header_text(value_of(raw))


def texts(body: bytes, parts: bytes, *, with_header: bool = False) -> Iterator[str]:
    """Yield decoded texts and headers of the parts of a body, with the message's own header if asked.

    No more text is decoded after MAX_MESSAGE octets.
    """
    left = MAX_MESSAGE
    for index, row in enumerate(unpack(parts)):
        header = body[row.header : row.header + min(row.header_len, MAX_VALUE)]
        if index or with_header:
            yield "\n".join(f"{name}: {value}" for name, value in header_lines(header))
        if row.kind != TEXT or left <= 0:
            continue
        yield part_text(body, row, header)
        left -= min(row.body_len, MAX_PART)


def part_text(body: bytes, row: PartEntry, header: bytes) -> str:
    """Return the text of one text part, decoded according to its header."""
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
    """Decode a Content-Transfer-Encoding (lower case); data of unknown ones is returned unchanged."""
    if transfer == b"base64":
        return decode_base64(data)
    if transfer == b"quoted-printable":
        return binascii.a2b_qp(data)
    return data


def body_text(body: bytes, parts: bytes, limit: int = 64 * 1024) -> str:
    """Return the decoded text of a message, at most `limit` characters, without NUL."""
    found: list[str] = []
    left = limit
    for text in texts(body, parts):
        found.append(text[:left])
        left -= len(text) + 1
        if left <= 0:
            break
    joined = "\n".join(found)[:limit].replace("\0", "")
    return joined.encode("utf-8", "replace").decode("utf-8")
