"""Envelope addresses as auth compares and passes them on (spec "Names" and "No route tricks"). Pure."""

import re
from dataclasses import dataclass

from mailkit.address import BadAddress, parse_address

#: RFC 5321 4.1.2 dot-string, read generously (dots anywhere, as real addresses have them) and beyond ASCII (RFC 6531).
_DOT_STRING = re.compile(r'[^\x00-\x20\x7f()<>\[\]:;@\\,"]+\Z')
#: What may stand around an address by mistake. Other spaces of Unicode may be part of a local part (RFC 6531).
_SPACE = " \t\r\n"
#: What a mailbox or forward of ours may be called. `%`, `!`, `/` and quotes would look like routes somewhere.
_LOCAL_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._+=&'~-]{0,62}[a-z0-9_+=~-])?\Z")


@dataclass(frozen=True, slots=True)
class Recipient:
    """`key` is what tables compare (lower case); `address` what is passed on, its local part spelt as it came."""

    key: str
    domain: str
    address: str


def parse_recipient(text: str) -> Recipient:
    """An address from RCPT or a forward's target. A source route counts as its last hop (RFC 5321 4.1.1.3).

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
    local = address.local if _DOT_STRING.match(address.local) else _quote(address.local)
    return Recipient(f"{address.local.lower()}@{address.domain}", address.domain, f"{local}@{address.domain}")


def _quote(local: str) -> str:
    """A quoted-string (RFC 5321 4.1.2): the only way some local parts can travel."""
    return '"' + re.sub(r'(["\\])', r"\\\1", local) + '"'


@dataclass(frozen=True, slots=True)
class Sender:
    """MAIL FROM as it is compared: both "" for the null sender; `exact` False when the text is no usable address
    (a space at its end), which S16 is about."""

    key: str
    domain: str
    exact: bool = True


def parse_sender(text: str) -> Sender:
    """MAIL FROM, however broken: what cannot be parsed is compared as it stands."""
    stripped = text.strip(_SPACE)
    if not stripped:
        return Sender("", "")
    try:
        address = parse_address(stripped)
    except BadAddress:
        safe = stripped.replace("\x00", "").lower()
        return Sender(safe, "", False)
    return Sender(f"{address.local.lower()}@{address.domain}", address.domain, stripped == text)


def parse_own(text: str) -> Recipient:
    """The address of a mailbox or forward to be made here: lower case, nothing that looks like a route.

    Raises BadAddress.
    """
    address = parse_address(text.strip(_SPACE).lower())
    if not _LOCAL_NAME.match(address.local) or ".." in address.local or address.domain.startswith("["):
        raise BadAddress(
            f"{text!r} cannot be an address here; use letters, digits and . _ - + = before the @, up to 64 characters"
        )
    whole = f"{address.local}@{address.domain}"
    return Recipient(whole, address.domain, whole)
