"""Decoding of a Content-Transfer-Encoding piece by piece (RFC 2045 6), for BINARY (RFC 3516)."""

import binascii
from typing import Protocol

from mailstore.mime.part import MULTIPART, Part, read_fields

_IDENTITY = frozenset((b"7bit", b"8bit", b"binary"))
_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="))
#: Octets of a line of quoted-printable that wait for its end; RFC 2045 6.7 allows 76.
_LONGEST_LINE = 64 * 1024


class TransferDecoder(Protocol):
    """A decoder of one part."""

    def feed(self, data: bytes) -> bytes:
        """Return what is decoded with these octets."""

    def end(self) -> bytes:
        """Return what is left."""


class _Base64:
    """Other characters are skipped; padding ends the data (RFC 2045 6.8)."""

    def __init__(self) -> None:
        self._rest = b""
        self._ended = False

    def feed(self, data: bytes) -> bytes:
        if self._ended:
            return b""
        kept, pad, _ = (self._rest + data.translate(None, _NOT_BASE64)).partition(b"=")
        self._ended = bool(pad)
        whole = len(kept) - len(kept) % 4
        self._rest = kept[whole:]
        return binascii.a2b_base64(kept[:whole]) + (self.end() if pad else b"")

    def end(self) -> bytes:
        rest, self._rest = self._rest, b""
        return binascii.a2b_base64(rest + b"=" * (-len(rest) % 4)) if len(rest) > 1 else b""


class _QuotedPrintable:
    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        data = self._rest + data
        end = data.rfind(b"\n") + 1
        if len(data) - end > _LONGEST_LINE:
            escape = data.rfind(b"=", len(data) - 3)
            end = len(data) if escape < 0 else escape
        self._rest = data[end:]
        return binascii.a2b_qp(data[:end])

    def end(self) -> bytes:
        return binascii.a2b_qp(self._rest)


def encoding_of(header: bytes, *, of_message: bool) -> bytes | None:
    """Return the encoding in lower case that a header gives, as BODYSTRUCTURE shows it; None for octets as they are.

    `of_message`: it is the header of the message itself, which means nothing without MIME-Version or Content-Type.
    """
    around = Part(0, None)
    around.kind = MULTIPART
    part = Part(0, None if of_message else around)
    read_fields(part, header)
    name = (part.encoding or b"7bit").lower()
    return None if name in _IDENTITY else name


def decoder(encoding: bytes) -> TransferDecoder | None:
    """Return a decoder for an encoding in lower case; None for one that is not known."""
    if encoding == b"base64":
        return _Base64()
    return _QuotedPrintable() if encoding == b"quoted-printable" else None
