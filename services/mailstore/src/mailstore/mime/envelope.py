"""Reader of an ENVELOPE as `bodystructure.envelope` writes it (RFC 3501 7.4.2), for what SEARCH and SORT compare."""

import re
from typing import NamedTuple

from mailstore.mime.quote import NIL
from mailstore.mime.words import header_text

#: Limit of the searched characters of each address field.
MAX_SEARCHED = 64 * 1024

#: The next string: NIL, quoted, or the head of a literal.
_string = re.compile(rb'[( )]*(?:(NIL)|"([^"\\]*+(?:\\.[^"\\]*+)*+)"|\{(\d+)\}\r\n)').match
_escaped = re.compile(rb"\\(.)")
#: One address of a list in the usual form: name, mailbox and host, quoted without escapes, so ASCII (quote.py).
_plain = re.compile(rb'\((?:NIL|"([^"\\]{0,998}+)") NIL "([^"\\]{1,998}+)" "([^"\\]{1,998}+)"\)').match


class EnvelopeAddresses(NamedTuple):
    """A list of addresses, decoded."""

    text: str = ""
    """A line `name <mailbox@host>` for each, at most MAX_SEARCHED characters."""
    mailbox: str = ""
    """addr-mailbox of the first one."""
    display: str = ""
    """The sort value of the first one (RFC 5957 3): its name, else its address."""


class EnvelopeValues(NamedTuple):
    """The values of an ENVELOPE; None for NIL."""

    date: bytes | None
    subject: bytes | None
    from_: EnvelopeAddresses
    to: EnvelopeAddresses
    cc: EnvelopeAddresses
    bcc: EnvelopeAddresses
    in_reply_to: bytes | None
    message_id: bytes | None


def read_envelope(envelope: bytes) -> EnvelopeValues:
    """Return the values of an ENVELOPE written by this package."""
    date, pos = _value(envelope, 1)
    subject, pos = _value(envelope, pos)
    lists: list[EnvelopeAddresses] = []
    before, found = b"", EnvelopeAddresses()
    for _ in range(6):
        pos += 1  # the space before the list
        if before and envelope.startswith(before, pos):  # Sender and Reply-To are mostly equal to From
            end = pos + len(before)
        else:
            found, end = _addresses(envelope, pos)
        before, pos = envelope[pos:end], end
        lists.append(found)
    from_, _, _, to, cc, bcc = lists
    in_reply_to, pos = _value(envelope, pos)
    message_id, pos = _value(envelope, pos)
    return EnvelopeValues(date, subject, from_, to, cc, bcc, in_reply_to, message_id)


def _value(envelope: bytes, pos: int) -> tuple[bytes | None, int]:
    """The string at `pos`, and its end."""
    match = _string(envelope, pos)
    assert match is not None
    end = match.end()
    nil, quoted, size = match.groups()
    if nil:
        return None, end
    if size:
        return envelope[end : end + int(size)], end + int(size)
    return _escaped.sub(rb"\1", quoted) if b"\\" in quoted else quoted, end


def _addresses(envelope: bytes, pos: int) -> tuple[EnvelopeAddresses, int]:
    """The list at `pos`, and its end."""
    if envelope.startswith(NIL, pos):
        return EnvelopeAddresses(), pos + len(NIL)
    pos += 1
    lines: list[str] = []
    first: tuple[str, str] | None = None
    while envelope.startswith(b"(", pos):
        if (plain := _plain(envelope, pos)) and b"=?" not in plain[0]:
            pos = plain.end()
            name, local, host = [(value or b"").decode("ascii") for value in plain.groups()]
            where = f"{local}@{host}"
        else:
            raw, pos = _value(envelope, pos)
            _, pos = _value(envelope, pos)
            mailbox, pos = _value(envelope, pos)
            domain, pos = _value(envelope, pos)
            pos += 1
            name, local = header_text(raw or b""), header_text(mailbox or b"")
            where = header_text((mailbox or b"") + b"@" + domain) if domain else local
        if name or where:
            lines.append(f"{name} <{where}>" if name else where)
        if first is None:
            first = local, name or where
    return EnvelopeAddresses("\n".join(lines)[:MAX_SEARCHED], *first or ("", "")), pos + 1
