"""Bytes to IMAP strings: quoted where that is lossless, a literal otherwise (RFC 3501 4.3, 9).

The choice between the two forms follows Dovecot byte for byte, so that a client that has seen one server's
envelopes sees the same from ours.
"""

import re

NIL = b"NIL"

#: What may not stand between double quotes without help: quoted-specials, CR, LF and anything but CHAR (RFC 3501 9).
_special = re.compile(rb'["\\\r\n\x00\x80-\xff]').search
#: What makes a text for people be rewritten: the same, a tab, or white space that would be dropped.
_untidy = re.compile(rb'["\\\r\n\t\x00\x80-\xff]|  |\A | \Z').search
_whitespace = re.compile(rb"[ \t]+")

#: More escapes than this and a literal is shorter.
_MAX_ESCAPES = 4
#: NUL is not allowed in any IMAP string (RFC 3501 9, CHAR8): U+FFFD takes its place.
_NUL = "\ufffd".encode()


def literal(value: bytes) -> bytes:
    """`{n}` CRLF and the bytes themselves."""
    return b"{%d}\r\n%b" % (len(value), value)


def nstring(value: bytes | None) -> bytes:
    """A value as it stands; None is NIL."""
    if value is None:
        return NIL
    if _special(value) is None:
        return b'"%b"' % value
    value = value.replace(b"\0", _NUL)
    if not value.isascii() or b"\n" in value or b"\r" in value:
        return literal(value)
    if value.count(b'"') + value.count(b"\\") > _MAX_ESCAPES:
        return literal(value)
    return b'"%b"' % value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def _unfold(value: bytes) -> bytes:
    """RFC 5322 2.2.3: line ends go, the white space behind them stays; a lone CR is no line end but cannot stay."""
    return value.replace(b"\r\n", b"").replace(b"\n", b"").replace(b"\r", b" ")


def one_line(value: bytes | None) -> bytes:
    """A header's value as it stands but for its line ends."""
    if value is not None and (b"\n" in value or b"\r" in value):
        value = _unfold(value)
    return nstring(value)


def text(value: bytes | None) -> bytes:
    """A text for people (subject, display name): unfolded, runs of white space become one space."""
    if value is None:
        return NIL
    if _untidy(value) is None:
        return b'"%b"' % value
    value = _unfold(value).replace(b"\0", _NUL)
    value = _whitespace.sub(b" ", value).strip(b" ")
    return literal(value) if value else b'""'
