"""Octets to IMAP strings: quoted if that loses nothing, else a literal (RFC 3501 4.3, 9).

The choice between the two forms is exactly that of Dovecot, so that a client gets the same envelopes from both servers.
"""

import re

NIL = b"NIL"

#: Not allowed between double quotes as it is: quoted-specials, CR, LF and all that is not CHAR (RFC 3501 9).
_special = re.compile(rb'["\\\r\n\x00\x80-\xff]').search
#: Requires rewriting of an unstructured text: the same, a tab, or white space that is removed.
_untidy = re.compile(rb'["\\\r\n\t\x00\x80-\xff]|  |\A | \Z').search
_whitespace = re.compile(rb"[ \t]+")

#: With more escapes than this, a literal is shorter.
_MAX_ESCAPES = 4
#: U+FFFD replaces NUL, which no IMAP string may contain (RFC 3501 9, CHAR8).
NUL = "\ufffd".encode()


def literal(value: bytes) -> bytes:
    """Return a literal: `{n}` CRLF and the octets."""
    return b"{%d}\r\n%b" % (len(value), value)


def nstring(value: bytes | None) -> bytes:
    """Return a value unchanged as a string; None is NIL."""
    if value is None:
        return NIL
    if _special(value) is None:
        return b'"%b"' % value
    value = value.replace(b"\0", NUL)
    if not value.isascii() or b"\n" in value or b"\r" in value:
        return literal(value)
    if value.count(b'"') + value.count(b"\\") > _MAX_ESCAPES:
        return literal(value)
    return b'"%b"' % value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def _unfold(value: bytes) -> bytes:
    """Unfold (RFC 5322 2.2.3): line ends are removed, the white space after them stays; a lone CR becomes a space."""
    return value.replace(b"\r\n", b"").replace(b"\n", b"").replace(b"\r", b" ")


def one_line(value: bytes | None) -> bytes:
    """Return a header field's value as a string, only unfolded; None is NIL."""
    if value is not None and (b"\n" in value or b"\r" in value):
        value = _unfold(value)
    return nstring(value)


def text(value: bytes | None) -> bytes:
    """Return an unstructured text (subject, display name) as a string, unfolded and with runs of white space as one space."""
    if value is None:
        return NIL
    if _untidy(value) is None:
        return b'"%b"' % value
    value = tidied(value).replace(b"\0", NUL)
    return literal(value) if value else b'""'


def tidied(value: bytes) -> bytes:
    """Return an unstructured text unfolded and with runs of white space as one space."""
    return _whitespace.sub(b" ", _unfold(value)).strip(b" ")
