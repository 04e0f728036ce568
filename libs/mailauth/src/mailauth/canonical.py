"""Canonical forms of header fields and bodies, and their hashes (RFC 6376 3.4)."""

import hashlib
from collections.abc import Iterable
from typing import Literal

Form = Literal["simple", "relaxed"]

#: Octets that are brought into canonical form at a time: as much as the processor's cache holds.
PIECE = 64 * 1024
_CRLF = b"\r\n"
_TABS = bytes.maketrans(b"\t", b" ")


def relaxed_field(raw: bytes) -> bytes:
    """Return a header field in the relaxed form, without the line ending (RFC 6376 3.4.2)."""
    name, _, value = raw.partition(b":")
    words = value.replace(_CRLF, b"").translate(_TABS).split(b" ")
    return name.rstrip(b" \t").lower() + b":" + b" ".join(filter(None, words))


def canonical_field(raw: bytes, form: Form) -> bytes:
    """Return a header field in one of the forms, without the line ending."""
    return relaxed_field(raw) if form == "relaxed" else raw.removesuffix(_CRLF)


class BodyHash:
    """SHA-256 of a body in one form, from pieces of any size, in one pass and constant memory (RFC 6376 3.4.3, 3.4.4).

    `length`: how many octets of the canonical form count (l=), None for all. Empty lines at the end do not count; as they are
    only known at the end, they are kept as a number.
    """

    def __init__(self, form: Form, lengths: Iterable[int | None] = (None,)) -> None:
        self._relaxed = form == "relaxed"
        self._hashes = {length: hashlib.sha256() for length in lengths}
        self._held = b""  # CR, SP or both, whose meaning depends on what follows
        self._lines = 0
        #: Octets of the canonical form so far.
        self.size = 0

    def update(self, chunk: bytes) -> None:
        """Add octets to the body."""
        for at in range(0, len(chunk), PIECE):
            self._add(self._held + chunk[at : at + PIECE])

    def _add(self, piece: bytes) -> None:
        held = b"\r" if piece.endswith(b"\r") else b""
        text = piece.removesuffix(held)
        if self._relaxed:
            reduced = text.rstrip(b" \t")
            held = (b" " if len(reduced) < len(text) else b"") + held
            text = _reduced(reduced + held)
            text = text[: len(text) - len(held)]
        self._held = held
        content = _without_empty_lines(text)
        lines = (len(text) - len(content)) // 2
        if content:
            self._write_lines()
            self._write(content)
        self._lines += lines

    def finish(self) -> None:
        """End the body: octets outside a line become one; `digest` is valid from now on."""
        if self._held.endswith(b"\r"):
            self._write_lines()
            self._write(self._held)
        self._held = b""
        if self.size or not self._relaxed:
            self._write(_CRLF)
        self._lines = 0

    def digest(self, length: int | None = None) -> bytes:
        """Return the hash of the first `length` octets, which was given to the constructor."""
        return self._hashes[length].digest()

    def _write_lines(self) -> None:
        while self._lines:
            now = min(self._lines, PIECE)
            self._write(_CRLF * now)
            self._lines -= now

    def _write(self, octets: bytes) -> None:
        for length, each in self._hashes.items():
            if length is None:
                each.update(octets)
            elif length > self.size:
                each.update(octets[: length - self.size])
        self.size += len(octets)


def _reduced(text: bytes) -> bytes:
    """Return `text` with one SP for white space, and none at the end of lines. Most text is that already."""
    if b"\t" in text:
        text = text.translate(_TABS)
    if b"  " in text:
        for run in (b" " * 8, b" " * 4):  # fewer passes over indented text
            text = text.replace(run, b" ")
        while b"  " in text:
            text = text.replace(b"  ", b" ")
    return text.replace(b" \r\n", _CRLF) if b" \r\n" in text else text


def _without_empty_lines(text: bytes) -> bytes:
    """Return `text` without the line endings at its end."""
    end = len(text.rstrip(_CRLF))
    ending = text[end:]
    count = len(ending) // 2
    if ending != _CRLF * count:  # CR or LF alone, which are text
        at = len(text)
        while at - 2 >= end and text[at - 2 : at] == _CRLF:
            at -= 2
        end = at
    return text[:end]
