"""SEARCH keys that need the message itself: HEADER, BODY, TEXT (RFC 3501 6.4.4).

Matching is a substring without regard to case, on decoded text. The keys that columns answer (FROM, TO, CC, BCC,
SUBJECT, SENT...) compare `fold(column)` with `fold(key)`.
"""

import unicodedata

from mailstore.mime.headers import split_fields, value_of
from mailstore.mime.text import header_lines, texts
from mailstore.mime.words import header_text


def fold(text: str) -> str:
    """The form in which texts are compared: composed, without case."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", text.casefold())


def contains(text: str, folded_key: str) -> bool:
    """True when `text` holds the key, which is folded already; an empty key is in every text."""
    return folded_key in fold(text)


def header_contains(header: bytes, field: str | bytes, key: str) -> bool:
    """HEADER <field> <key>: some field of that name holds the key; with an empty key, there is one of that name."""
    name = (field.encode("utf-8", "replace") if isinstance(field, str) else field).strip().rstrip(b":").lower()
    folded = fold(key)
    for line in split_fields(header):
        own, colon, raw = line.partition(b":")
        if (
            colon
            and own.rstrip(b" \t").lower() == name
            and (not folded or contains(header_text(value_of(raw)), folded))
        ):
            return True
    return False


def body_contains(body: bytes, parts: bytes, key: str) -> bool:
    """BODY <key>: in the text of the message: its text parts, and the headers of parts and of messages within."""
    folded = fold(key)
    return not folded or any(contains(text, folded) for text in texts(body, parts))


def text_contains(body: bytes, parts: bytes, key: str, prefix: bytes = b"") -> bool:
    """TEXT <key>: in the header (with the row's prefix lines) or the text of the message."""
    folded = fold(key)
    if not folded:
        return True
    if any(contains(f"{name}: {value}", folded) for name, value in header_lines(prefix)):
        return True
    return any(contains(text, folded) for text in texts(body, parts, with_header=True))
