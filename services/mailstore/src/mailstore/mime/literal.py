"""Messages that are written as they read: a word that their octets lack is in none of their texts.

Decoding and folding the texts of a message takes ten times as long as a look at their octets, and most messages lack the word.
"""

from mailstore.mime.sections import TEXT, unpack

#: Parameters of charsets in which ASCII octets are ASCII characters, also as the beginnings of longer names. Any other
#: parameter, and one that is written in another way (RFC 2231), may stand for ISO-2022, UTF-7 or EBCDIC.
_ASCII_CHARSETS = tuple(
    b"charset=" + quote + name
    for quote in (b"", b'"')
    for name in (b"utf-8", b"us-ascii", b"iso-8859-", b"windows-125")
)
#: Where unfolding (RFC 5322 2.2.3), joined parts and `name: value` differ from the octets.
_JOINTS = frozenset(" \t\r\n:")


def as_written(body: bytes, parts: bytes, prefix: bytes = b"") -> str | None:
    """Return the octets of a message's headers and text parts in lower case, if its texts differ from them at _JOINTS only.

    None if that is not certain. Attachments, which are not searched, are not looked at.
    """
    pieces = [prefix]
    for row in unpack(parts):
        header = body[row.header : row.header + row.header_len]
        pieces.append(header)
        if row.kind == TEXT:
            if not _reads_as_ascii(header.lower()):
                return None
            pieces.append(body[row.body : row.body + row.body_len])
    octets = b"\n".join(pieces)
    if not octets.isascii() or b"=?" in octets or b"\0" in octets:  # RFC 2047; NUL is left out of texts
        return None
    return octets.lower().decode("ascii")


def _reads_as_ascii(header: bytes) -> bool:
    """Return whether ASCII octets of the part with this lower-case header are the characters that they look like."""
    if b"base64" in header or b"quoted-printable" in header:  # RFC 2045 6
        return False
    at = header.find(b"charset")
    while at >= 0:
        if not header.startswith(_ASCII_CHARSETS, at):
            return False
        at = header.find(b"charset", at + 1)
    return True


def lacks(written: str, folded_key: str) -> bool:
    """Return whether no text of a message that is `written` in this way contains the key; False if that is not certain."""
    return folded_key not in written and _JOINTS.isdisjoint(folded_key)
