"""Rendering: all values of a message's row that come from its body, computed once when it is filed (decision 7)."""

from datetime import date

import msgspec

from mailstore.mime.bodystructure import envelope, structure_of
from mailstore.mime.compared import Compared, compared_values
from mailstore.mime.dates import parse_date
from mailstore.mime.envelope import read_envelope
from mailstore.mime.quote import tidied
from mailstore.mime.sections import pack
from mailstore.mime.structure import scan
from mailstore.mime.words import header_text

#: The last Subject fields that SEARCH compares.
MAX_SUBJECTS = 100


class Rendered(msgspec.Struct, frozen=True):
    """Values computed from the body alone, the same on every machine and at any time."""

    #: ENVELOPE, BODY and BODYSTRUCTURE as sent, parentheses and literals included (RFC 3501 7.4.2).
    envelope: bytes
    body: bytes
    bodystructure: bytes
    #: Part table for `section`.
    parts: bytes
    #: Octets of the header with its blank line, the offset of the text.
    header_len: int
    #: Date as written, which SENTBEFORE, SENTON and SENTSINCE compare; None if absent or unreadable.
    sent_day: date | None
    compared: Compared


def render(body: bytes) -> Rendered:
    """Render a message as stored (CRLF lines, no prefix). Never raises; time is linear in the size and bounded."""
    root = scan(body)
    fields = root.fields
    plain, extended = structure_of(body, root)
    dates = fields.get(b"date")
    shown = envelope(fields)
    sent = parse_date(dates[-1]) if dates else None
    references = fields.get(b"references")
    return Rendered(
        shown,
        plain,
        extended,
        pack(root),
        root.body,
        None if sent is None else sent.date(),
        compared_values(
            read_envelope(shown),
            sent,
            _subjects(fields.get(b"subject")),
            references[-1] if references else None,
        ),
    )


def _subjects(values: list[bytes] | None) -> list[str]:
    """Decoded fields, with white space as the ENVELOPE shows it, since SEARCH SUBJECT compares that (RFC 3501 6.4.4)."""
    return [header_text(tidied(value)) for value in values[-MAX_SUBJECTS:]] if values else [""]
