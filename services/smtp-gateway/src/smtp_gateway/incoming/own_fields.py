"""Fields that only we may write: removed from what anybody else sends (RFC 8601 5, docs/decisions/0090)."""

from mailauth.authentication_results import without
from mailauth.header import fields
from mailkit.mail.header import Header

_OURS = b"x-postrider-"


def removed(header: Header, message: bytes, host: str) -> tuple[Header, bytes]:
    """Return a message, and its header, without Authentication-Results that claim to be from `host`, and without X-Postrider- fields."""
    names = header.raw.lower()
    raw = header.raw
    if b"authentication-results" in names:
        raw = without(raw, [host])
    if _OURS in names:
        raw = b"".join(each.raw for each in fields(raw) if not each.name.startswith(_OURS))
    if raw == header.raw:
        return header, message
    return Header(raw), raw + message[len(header.raw) :]
