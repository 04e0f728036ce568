"""After the final dot: line ends, loops (RFC 5321 6.3), the header's size. Pure."""

from mailkit.header import Header, is_whole
from mailkit.reply import Reply
from smtp_gateway import replies

MOST_RECEIVED = 100


def refusal(body: bytes, header: Header, targets: set[str]) -> Reply | None:
    """Why this content is not taken, or None. `header`: the body's, cut at the largest that is taken.
    `targets`: local addresses it would be delivered to, lower case.

    Bare CR or LF is refused, not repaired: a relay that repairs it smuggles a second message (one policy both ways).
    """
    lines = body.count(b"\r\n")
    if body.count(b"\n") != lines or body.count(b"\r") != lines:
        return replies.BARE_NEWLINE
    if not is_whole(header.raw, body):
        return replies.HEADER_TOO_BIG
    if header.count(b"received") > MOST_RECEIVED:
        return replies.MAIL_LOOP
    if targets and any(value.decode("utf-8", "replace").lower() in targets for value in header.values(b"delivered-to")):
        return replies.MAIL_LOOP
    return None
