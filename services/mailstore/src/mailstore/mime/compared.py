"""What SEARCH, SORT and THREAD compare of a message without reading it: decoded texts, the sent date, the sort keys."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from mailstore.mime.dates import as_utc, parse_date
from mailstore.mime.envelope import EnvelopeValues, read_envelope
from mailstore.mime.quote import NUL
from mailstore.mime.sort_keys import SortKeys, sort_keys
from mailstore.mime.words import header_text


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """Values computed from the header alone."""

    #: Date field in UTC (RFC 5256 2.2); None if absent or unreadable.
    sent_at: datetime | None
    #: Decoded texts; several fields of a name are joined by LF; "" if absent. Addresses as in `envelope.EnvelopeAddresses`.
    subject: str
    from_: str
    to: str
    cc: str
    bcc: str
    keys: SortKeys


def compared(envelope: bytes) -> Compared:
    """Return what an ENVELOPE says: all but further Subject fields and the References."""
    read = read_envelope(envelope)
    sent = parse_date(read.date) if read.date else None
    return compared_values(read, sent, [header_text(read.subject or b"")], None)


def compared_values(
    read: EnvelopeValues, sent: datetime | None, subjects: Sequence[str], references: bytes | None
) -> Compared:
    """Return the values of a message with these Date, decoded Subject (one at least) and References fields."""
    subject = subjects[-1]
    if read.subject and NUL in read.subject:  # texts lack what the ENVELOPE shows for it
        subject = header_text(read.subject)
    return Compared(
        sent_at=None if sent is None else as_utc(sent),
        subject="\n".join(subjects),
        from_=read.from_.text,
        to=read.to.text,
        cc=read.cc.text,
        bcc=read.bcc.text,
        keys=sort_keys(read, subject, references),
    )
