"""After the final dot: line ends, loops (RFC 5321 6.3), the header's size. Pure."""

from mailkit.header import Header, is_whole
from mailkit.reply import Reply
from smtp_gateway import replies

MOST_RECEIVED = 100


def repaired(body: bytes, *, nul: bool, bare_lf: bool) -> bytes:
    """`body` without NUL octets, and with CR in front of every LF, as far as that is wanted.

    The end of DATA was found before: a line that consists of a dot only now is text, and its dot is doubled on the way
    out.
    """
    if nul and b"\0" in body:
        body = body.replace(b"\0", b"")
    if bare_lf and body.count(b"\n") != body.count(b"\r\n"):
        body = body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return body


def refusal(body: bytes, header: Header, targets: set[str]) -> Reply | None:
    """Why this content is not taken, or None. `header`: the body's, cut at the largest that is taken.
    `targets`: for each target what a Delivered-To would say if the message had been here on its way to it, lower case, ""
    for nothing. A loop is refused when every target loops; one of several fails alone (docs/decisions/0038).

    Bare CR or LF is refused and not repaired unless the operator wants it: a relay that repairs what a stranger sends
    smuggles a second message into what comes behind (one policy both ways).
    """
    if b"\0" in body:
        return replies.NUL_OCTETS
    lines = body.count(b"\r\n")
    if body.count(b"\n") != lines or body.count(b"\r") != lines:
        return replies.BARE_NEWLINE
    if not is_whole(header.raw, body):
        return replies.HEADER_TOO_BIG
    if header.count(b"received") > MOST_RECEIVED:
        return replies.MAIL_LOOP
    if targets and "" not in targets:
        seen = {value.decode("utf-8", "replace").lower() for value in header.values(b"delivered-to")}
        if targets <= seen:
            return replies.MAIL_LOOP
    return None
