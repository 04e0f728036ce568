"""The commands and octets that transmit one message: MAIL, RCPT, DATA, and the body with its dots doubled."""

import re
from collections.abc import Sequence

from queue_worker.couriers.models import RemoteMessage
from queue_worker.models import Claim

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DOT_STRING = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]+)*"
)
_SPECIAL = re.compile(r'(["\\])')


class BadPath(ValueError):
    """An address that cannot be written in a command."""


def path(address: str) -> str:
    """Return `address` as written between angle brackets; a local part that is no dot-string is quoted (RFC 5321 4.1.2).

    Raises BadPath for control characters: a line end in an address would start another command.
    """
    if _CONTROL.search(address):
        raise BadPath(f"{address!r} has control characters")
    local, at, domain = address.rpartition("@")
    if not at or _DOT_STRING.fullmatch(local) or (len(local) > 1 and local[0] == local[-1] == '"'):
        return address
    return '"' + _SPECIAL.sub(r"\\\1", local) + '"@' + domain


def asked(recipient: Claim) -> str:
    """Return NOTIFY and ORCPT as they came, to be passed on to a host that offers DSN (RFC 3461 5.2.1)."""
    text = f" NOTIFY={recipient.notify}" if recipient.notify else ""
    return f"{text} ORCPT={recipient.orcpt}" if recipient.orcpt and recipient.orcpt.isascii() else text


class Envelope:
    """`message` for those `recipients` that can be named to a host with these `extensions`; the others are `unable`.

    `mail`, `rcpts` and `DATA` are its commands without line ends; `replies` is how many replies `commands()` gets.
    """

    __slots__ = ("body", "mail", "message", "rcpts", "recipients", "unable")

    def __init__(
        self, message: RemoteMessage, recipients: Sequence[Claim], body: bytes, extensions: dict[str, str]
    ) -> None:
        self.message = message
        self.body = body
        self.recipients: list[Claim] = []
        self.rcpts: list[str] = []
        self.unable: list[tuple[Claim, str]] = []
        """Recipients and the reason: "utf8" (RFC 6531 3.4: the host cannot take the address) or "path" (it is malformed)."""
        utf8, dsn = "SMTPUTF8" in extensions, "DSN" in extensions
        try:
            sender = path(message.mail_from)
        except BadPath:
            self.mail = ""
            self.unable = [(recipient, "path") for recipient in recipients]
            return
        for recipient in recipients:
            if not utf8 and not (sender.isascii() and recipient.address.isascii()):
                self.unable.append((recipient, "utf8"))
                continue
            try:
                self.rcpts.append(f"RCPT TO:<{path(recipient.address)}>{asked(recipient) if dsn else ''}")
            except BadPath:
                self.unable.append((recipient, "path"))
                continue
            self.recipients.append(recipient)
        self.mail = f"MAIL FROM:<{sender}>"
        if message.tls in ("required", "preferred") and "REQUIRETLS" in extensions:
            self.mail += " REQUIRETLS"  # RFC 8689 2; a host without it gets no message of the first kind
        if "SIZE" in extensions:
            self.mail += f" SIZE={len(body)}"  # RFC 1870 6: before dots are doubled
        if message.eight_bit and "8BITMIME" in extensions:
            self.mail += " BODY=8BITMIME"  # not offered: eight bits are sent all the same, as qmail does
        if utf8 and (message.smtputf8 or not (sender.isascii() and all(r.address.isascii() for r in self.recipients))):
            self.mail += " SMTPUTF8"

        if dsn and self.recipients:  # the same for all recipients of a message
            first = self.recipients[0]
            self.mail += f" RET={first.ret}" * bool(first.ret) + f" ENVID={first.envid}" * bool(first.envid)

    @property
    def replies(self) -> int:
        return len(self.rcpts) + 2

    def commands(self) -> bytes:
        """Return MAIL, all RCPT and DATA in one piece, for a host that offers PIPELINING (RFC 2920 3.1)."""
        return "\r\n".join((self.mail, *self.rcpts, "DATA\r\n")).encode()

    def stuffed(self) -> bytes:
        """Return the body with dots at line beginnings doubled (RFC 5321 4.5.2), ended by a line end, without the final dot."""
        body = self.body
        if body[:1] == b".":
            body = b"." + body
        if b"\n." in body:  # a fast search; most messages have none
            body = body.replace(b"\n.", b"\n..")
        return body if body.endswith(b"\r\n") else body + b"\r\n"
