"""What SORT and THREAD compare of a message (RFC 5256, RFC 5957), from its ENVELOPE and its References."""

import msgspec

from mailstore.mime.casemap import casemap
from mailstore.mime.envelope import EnvelopeValues
from mailstore.mime.message_ids import message_ids, references
from mailstore.mime.subject import base_subject

#: Limit of the characters of a key that is a text; messages that differ only after them are sorted as equal ones.
MAX_KEY = 255


class SortKeys(msgspec.Struct, frozen=True):
    """Texts are casemapped and have at most MAX_KEY characters; those of absent fields are ""."""

    #: Normalized, without brackets; "" if there is no valid one.
    message_id: str
    #: Message ids, the oldest first, joined by LF (RFC 5256 3).
    references: str
    base_subject: str
    #: Whether the subject is that of a reply or a forward.
    derived: bool
    #: addr-mailbox of the first address of From, To and Cc.
    from_mailbox: str
    to_mailbox: str
    cc_mailbox: str
    #: The display value of the first address of From and To (RFC 5957 3).
    from_display: str
    to_display: str


def sort_keys(envelope: EnvelopeValues, subject: str, refers: bytes | None) -> SortKeys:
    """Return the keys of a message with this decoded Subject; `refers` is the value of its References field."""
    base, derived = base_subject(subject)
    ids = message_ids(envelope.message_id, 1) if envelope.message_id else []
    return SortKeys(
        ids[0] if ids else "",
        "\n".join(references(refers, envelope.in_reply_to)) if refers or envelope.in_reply_to else "",
        base[:MAX_KEY],
        derived,
        _key(envelope.from_.mailbox),
        _key(envelope.to.mailbox),
        _key(envelope.cc.mailbox),
        _key(envelope.from_.display),
        _key(envelope.to.display),
    )


def _key(text: str) -> str:
    return casemap(text[:MAX_KEY])[:MAX_KEY] if text else ""
