"""SEARCH keys that need the message itself: HEADER, BODY, TEXT (RFC 3501 6.4.4).

A key matches as a case-insensitive substring of the decoded text. The keys on columns (FROM, TO, CC, BCC, SUBJECT)
compare `fold(column)` with `fold(key)`.
"""

import unicodedata
from functools import cached_property

from mailstore.mime.headers import split_fields, value_of
from mailstore.mime.literal import as_written, lacks
from mailstore.mime.sections import section
from mailstore.mime.text import header_lines, texts
from mailstore.mime.words import header_text


def fold(text: str) -> str:
    """Return the form in which texts are compared: decomposed and case-folded.

    What i;unicode-casemap takes for equal (RFC 5051, RFC 5255 4.3) is equal, and so are "ß" and "ss".
    """
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKD", text).upper().casefold()


def contains(text: str, folded_key: str) -> bool:
    """Return whether `text` contains the key, which is folded already; every text contains an empty key."""
    return folded_key in fold(text)


class Searched:
    """One message for the HEADER, BODY and TEXT keys of a search; each text is decoded once for all keys, if it must be."""

    def __init__(self, body: bytes, parts: bytes, prefix: bytes = b"", header: bytes | None = None) -> None:
        self._body = body
        self._parts = parts
        self._prefix = prefix
        self._header = header
        self._values: dict[bytes, list[str]] = {}

    @cached_property
    def _fields(self) -> dict[bytes, list[bytes]]:
        """Values of each header field as written, by lower-case name."""
        fields: dict[bytes, list[bytes]] = {}
        if self._header is None:
            found = section(self._parts, "HEADER")
            self._header = self._prefix + self._body[: 0 if found is None else found.size]
        for line in split_fields(self._header):
            name, colon, raw = line.partition(b":")
            if colon:
                fields.setdefault(name.rstrip(b" \t").lower(), []).append(raw)
        return fields

    @cached_property
    def _written(self) -> str | None:
        return as_written(self._body, self._parts, self._prefix) if self._parts else None

    def _lacks(self, folded: str) -> bool:
        """Return whether the octets alone show that the message does not contain the key."""
        return self._written is not None and lacks(self._written, folded)

    @cached_property
    def _texts(self) -> list[str]:
        """Folded texts: the message's own header first, then those that BODY searches."""
        return [fold(text) for text in texts(self._body, self._parts, with_header=True)]

    @cached_property
    def _added(self) -> list[str]:
        return [fold(f"{name}: {value}") for name, value in header_lines(self._prefix)]

    def all_texts(self) -> list[str]:
        """Return every folded text in which a key may be found, and maybe some of them twice."""
        values = [fold(header_text(value_of(raw))) for fields in self._fields.values() for raw in fields]
        return [*self._added, *self._texts, *values]

    def header_contains(self, field: str, key: str) -> bool:
        """Evaluate HEADER <field> <key>: a field of that name contains the key, or, for an empty key, exists."""
        name = field.encode("utf-8", "replace").strip().rstrip(b":").lower()
        folded = fold(key)
        if self._lacks(folded):
            return False
        if not folded or name not in self._fields:
            return name in self._fields
        if name not in self._values:
            self._values[name] = [fold(header_text(value_of(raw))) for raw in self._fields[name]]
        return any(folded in value for value in self._values[name])

    def body_contains(self, key: str) -> bool:
        """Evaluate BODY <key>: the text parts, or the headers of parts and of messages in them, contain the key."""
        folded = fold(key)
        return not folded or (not self._lacks(folded) and any(folded in text for text in self._texts[1:]))

    def text_contains(self, key: str) -> bool:
        """Evaluate TEXT <key>: the header (with the row's prefix) or the text of the message contains the key."""
        folded = fold(key)
        if not folded or self._lacks(folded):
            return not folded
        return any(folded in text for text in self._added) or any(folded in text for text in self._texts)


def header_contains(header: bytes, field: str, key: str) -> bool:
    """Evaluate HEADER on a header."""
    return Searched(b"", b"", header=header).header_contains(field, key)


def body_contains(body: bytes, parts: bytes, key: str) -> bool:
    """Evaluate BODY on a message."""
    return Searched(body, parts).body_contains(key)


def text_contains(body: bytes, parts: bytes, key: str, prefix: bytes = b"") -> bool:
    """Evaluate TEXT on a message."""
    return Searched(body, parts, prefix).text_contains(key)
