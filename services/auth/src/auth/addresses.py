"""Parsers of envelope addresses, as auth compares and passes them on (spec "Names" and "No route tricks"). Pure functions."""

import re
from dataclasses import dataclass

from mailkit.mail.address import Address, BadAddress, parse_address

#: Dot-string (RFC 5321 4.1.2), but with dots anywhere, as real addresses have them, and beyond ASCII (RFC 6531).
_DOT_STRING = re.compile(r'[^\x00-\x20\x7f()<>\[\]:;@\\,"]+\Z')
#: Spaces removed around an address. Other spaces of Unicode may be part of a local part (RFC 6531).
_SPACE = " \t\r\n"
#: Local parts allowed for mailboxes and forwards. `%`, `!`, `/` and quotes could be read as routes by other systems.
_LOCAL_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._+=&'~-]{0,62}[a-z0-9_+=~-])?\Z")


@dataclass(frozen=True, slots=True)
class RecipientAddress:
    """A parsed recipient. `key`: compared in tables, lower case; `address`: passed on, with the local part as written."""

    key: str
    domain: str
    address: str


def parse_recipient(text: str) -> RecipientAddress:
    """Parse an address from RCPT or a forward's target. A source route is dropped (RFC 5321 4.1.1.3).

    Raises BadAddress.
    """
    text = text.strip(_SPACE)
    if text.startswith("@"):
        _, colon, last = text.partition(":")
        if not colon:
            raise BadAddress(f"{text!r} is not a mail address")
        text = last
    address = parse_address(text)
    quoted = text.startswith('"')
    if not quoted and not _DOT_STRING.match(address.local):
        raise BadAddress(f"{text!r} is not a mail address")
    return recipient_of(address)


def recipient_of(address: Address) -> RecipientAddress:
    """Return an address as a recipient; a local part that is no dot-string is quoted."""
    local = address.local if _DOT_STRING.match(address.local) else _quote(address.local)
    return RecipientAddress(f"{address.local.lower()}@{address.domain}", address.domain, f"{local}@{address.domain}")


def _quote(local: str) -> str:
    """Return a quoted-string (RFC 5321 4.1.2), the only valid form of some local parts."""
    return '"' + re.sub(r'(["\\])', r"\\\1", local) + '"'


@dataclass(frozen=True, slots=True)
class Sender:
    """MAIL FROM in the form that is compared; `key` and `domain` are "" for the null sender.

    `exact` is False if the text is not a usable address (such as one with a space at its end), the case of S16.
    """

    key: str
    domain: str
    exact: bool = True


def parse_sender(text: str) -> Sender:
    """Parse MAIL FROM; a malformed one is compared as written, in lower case."""
    stripped = text.strip(_SPACE)
    if not stripped:
        return Sender("", "")
    try:
        address = parse_address(stripped)
    except BadAddress:
        safe = stripped.replace("\x00", "").lower()
        return Sender(safe, "", False)
    return Sender(f"{address.local.lower()}@{address.domain}", address.domain, stripped == text)


def parse_own(text: str) -> RecipientAddress:
    """Parse the address of a new mailbox or forward: lower case, nothing that could be read as a route.

    Raises BadAddress.
    """
    address = parse_address(text.strip(_SPACE).lower())
    if not _LOCAL_NAME.match(address.local) or ".." in address.local or address.domain.startswith("["):
        raise BadAddress(
            f"{text!r} cannot be an address here; use letters, digits and . _ - + = before the @, up to 64 characters"
        )
    whole = f"{address.local}@{address.domain}"
    return RecipientAddress(whole, address.domain, whole)
