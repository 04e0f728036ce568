"""Messages that are written as they read: a word that their octets lack is in none of their texts.

Decoding and folding a message takes fifty times as long as a look at its octets, and most messages lack the word.
"""

#: Marks of encoded texts: encoded-words (RFC 2047) and transfer encodings (RFC 2045 6), wherever they stand.
_ENCODED = (b"\0", b"=?", b"base64", b"quoted-printable")
#: Parameters of charsets in which ASCII octets are ASCII characters, also as the beginnings of longer names. Any other
#: parameter, and one that is written in another way (RFC 2231), may stand for ISO-2022, UTF-7 or EBCDIC.
_ASCII_CHARSETS = tuple(
    b"charset=" + quote + name
    for quote in (b"", b'"')
    for name in (b"utf-8", b"us-ascii", b"iso-8859-", b"windows-125")
)
#: Where unfolding (RFC 5322 2.2.3), joined parts and `name: value` differ from the octets.
_JOINTS = frozenset(" \t\r\n:")


def as_written(octets: bytes) -> str | None:
    """Return the octets of a message as lower-case text, if its texts differ from them at _JOINTS only; else None."""
    if not octets.isascii():
        return None
    lower = octets.lower()
    if any(mark in lower for mark in _ENCODED):
        return None
    at = lower.find(b"charset")
    while at >= 0:
        if not lower.startswith(_ASCII_CHARSETS, at):
            return None
        at = lower.find(b"charset", at + 1)
    return lower.decode("ascii")


def lacks(written: str, folded_key: str) -> bool:
    """Return whether no text of a message that is `written` in this way contains the key; False if that is not certain."""
    return folded_key not in written and _JOINTS.isdisjoint(folded_key)
