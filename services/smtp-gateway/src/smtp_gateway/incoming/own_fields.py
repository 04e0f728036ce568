"""Fields that are removed: those that only we may write (RFC 8601 5, docs/decisions/0090), and Bcc of submissions (decision 96)."""

from mailauth.authentication_results import without
from mailauth.header import fields
from mailkit.mail.header import Header

_OURS = b"x-postrider-"
_BCC = (b"bcc", b"resent-bcc")


def removed(header: Header, message: bytes, host: str, *, bcc: bool = False) -> tuple[Header, bytes]:
    """Return a message, and its header, without Authentication-Results that claim to be from `host`, and without X-Postrider- fields.

    `bcc`: without Bcc and Resent-Bcc as well (RFC 5322 3.6.3).
    """
    names = header.raw.lower()
    raw = header.raw
    if b"authentication-results" in names:
        raw = without(raw, [host])
    if _OURS in names:
        raw = b"".join(each.raw for each in fields(raw) if not each.name.startswith(_OURS))
    if bcc and b"bcc" in names:
        raw = b"".join(each.raw for each in fields(raw) if each.name not in _BCC)
    if raw == header.raw:
        return header, message
    return Header(raw), raw + message[len(header.raw) :]
