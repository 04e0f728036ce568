"""Checks after the final dot: line ends, loops (RFC 5321 6.3), size of the header. Pure functions."""

from mailkit.mail.header import Header, is_whole
from mailkit.mail.reply import Reply
from smtp_gateway import replies

MOST_RECEIVED = 100
#: Fields of a header; verification and signatures read each of them, on the event loop.
MOST_FIELDS = 2000


def repaired(body: bytes, *, nul: bool, bare_lf: bool) -> bytes:
    """Return `body` without NUL octets if `nul`, and with a CR before every LF if `bare_lf`.

    The end of DATA has been found already: a line that only now consists of a single dot is text, and its dot is doubled
    when the message is sent.
    """
    if nul and b"\0" in body:
        body = body.replace(b"\0", b"")
    if bare_lf and body.count(b"\n") != body.count(b"\r\n"):
        body = body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return body


def refusal(body: bytes, header: Header, targets: set[str]) -> Reply | None:
    """Return the reply that refuses this content; None if it is accepted.

    `header`: the body's, cut at the largest accepted size. `targets`: for each target the address, in lower case, that
    Delivered-To holds if the message passed here on its way to it, or "". A loop is refused if every target loops; one of
    several fails alone (docs/decisions/0038).

    Bare CR or LF is refused, and repaired only if the operator enables it: a relay that repairs the line ends of untrusted
    clients can smuggle a second message to the next hop (one policy both ways).
    """
    if b"\0" in body:
        return replies.NUL_OCTETS
    lines = body.count(b"\r\n")
    if body.count(b"\n") != lines or body.count(b"\r") != lines:
        return replies.BARE_NEWLINE
    if not is_whole(header.raw, body) or _fields(header.raw) > MOST_FIELDS:
        return replies.HEADER_TOO_BIG
    if header.count(b"received") > MOST_RECEIVED:
        return replies.MAIL_LOOP
    if targets and "" not in targets:
        seen = {value.decode("utf-8", "replace").lower() for value in header.values(b"delivered-to")}
        if targets <= seen:
            return replies.MAIL_LOOP
    return None


def needs_no_tls(header: Header) -> bool:
    """Return whether the sender asks to ignore the recipient's TLS policies: one field TLS-Required: No (RFC 8689 3)."""
    return [value.strip().lower() for value in header.values(b"tls-required")] == [b"no"]


def _fields(raw: bytes) -> int:
    """Return the number of lines that do not continue another one."""
    return raw.count(b"\n") - raw.count(b"\n ") - raw.count(b"\n\t")
