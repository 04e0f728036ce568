"""After the final dot: line ends, loops (RFC 5321 6.3), size. Pure."""

import re

from mailkit.reply import Reply
from smtp_gateway import replies

MOST_RECEIVED = 100

_RECEIVED = re.compile(rb"^Received:", re.I | re.M)
_DELIVERED_TO = re.compile(rb"^Delivered-To:[ \t]*([^\r\n]*?)[ \t]*\r$", re.I | re.M)


def header_of(body: bytes) -> bytes:
    """The header with the line end of its last field."""
    end = body.find(b"\r\n\r\n")
    return body[: end + 2] if end >= 0 else body


def refusal(body: bytes, targets: set[str]) -> Reply | None:
    """Why this content is not taken, or None. `targets`: local addresses it would be delivered to, lower case.

    Bare CR or LF is refused, not repaired: a relay that repairs it smuggles a second message (one policy both ways).
    """
    lines = body.count(b"\r\n")
    if body.count(b"\n") != lines or body.count(b"\r") != lines:
        return replies.BARE_NEWLINE
    header = header_of(body)
    if len(_RECEIVED.findall(header)) > MOST_RECEIVED:
        return replies.MAIL_LOOP
    if targets and b"elivered-" in header:
        for match in _DELIVERED_TO.finditer(header):
            if match[1].decode("latin-1").lower() in targets:
                return replies.MAIL_LOOP
    return None
