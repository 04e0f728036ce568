"""Parsers for the arguments of EHLO, MAIL and RCPT (RFC 5321 4.1.1.1, 4.1.2). Pure functions.

A source route is dropped; an address is not interpreted otherwise. docs/decisions/0032 lists what is accepted beyond the RFC.
"""

import re
from dataclasses import dataclass

_HELO = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}\Z")
#: Characters that must not be copied from the client into Received: spaces, comments, quotes, anything beyond ASCII.
_UNSAFE = re.compile(r"[^A-Za-z0-9.:\[\]!#$%&'*+/=?^_`{|}~-]")
_LONGEST_NAME = 255
#: RFC 5321 4.5.3.1.1, octets.
_LONGEST_LOCAL = 64
_MAIL = re.compile(r'FROM:[ \t]*<((?:"(?:[^"\\]|\\.)*"|[^">])*)>(?:[ \t]+(\S.*))?\Z', re.I | re.S)
_RCPT = re.compile(r'TO:[ \t]*<((?:"(?:[^"\\]|\\.)*"|[^">])*)>(?:[ \t]+(\S.*))?\Z', re.I | re.S)
#: The address without angle brackets, as some old clients send it.
_BARE_MAIL = re.compile(r'FROM:[ \t]*([^\s<>"]+)(?:[ \t]+(\S.*))?\Z', re.I | re.S)
_BARE_RCPT = re.compile(r'TO:[ \t]*([^\s<>"]+)(?:[ \t]+(\S.*))?\Z', re.I | re.S)
_ROUTE = re.compile(r"@[^:@]*(?:,@[^:@]*)*:")
_CONTROL = re.compile(r"[\0-\x1f\x7f]")
_NUMBER = re.compile(r"[0-9]{1,20}\Z")


@dataclass(frozen=True, slots=True)
class Path:
    """A parsed argument: `address` without source route (RFC 5321 4.1.1.3), parameters by upper-case name."""

    address: str
    parameters: dict[str, str | None]


def client_name(argument: str, *, strict: bool = False) -> str | None:
    """Parse the argument of EHLO or HELO into a name that is safe in Received; None if malformed.

    Unsafe characters become `?`. With `strict`, a name with characters outside host names and address literals is malformed.
    """
    if strict:
        return argument if _HELO.match(argument) else None
    return _UNSAFE.sub("?", argument[:_LONGEST_NAME]) or None


def parse_mail(argument: str, *, strict: bool = False) -> Path | None:
    """Parse the argument of MAIL; None if malformed."""
    return _path(_MAIL.match(argument) or (None if strict else _BARE_MAIL.match(argument)), strict)


def parse_rcpt(argument: str, *, strict: bool = False) -> Path | None:
    """Parse the argument of RCPT; None if malformed."""
    return _path(_RCPT.match(argument) or (None if strict else _BARE_RCPT.match(argument)), strict)


def _path(match: re.Match[str] | None, strict: bool) -> Path | None:
    if match is None or _CONTROL.search(match[0]):
        return None
    parameters: dict[str, str | None] = {}
    for word in (match[2] or "").split():
        name, equals, value = word.partition("=")
        if name.upper() in parameters:
            return None
        parameters[name.upper()] = value if equals else None
    route = _ROUTE.match(match[1])
    address = match[1][route.end() :] if route else match[1]
    if strict and len(address.rpartition("@")[0].encode()) > _LONGEST_LOCAL:
        return None
    return Path(address, parameters)


def chunk_of(argument: str) -> tuple[int, bool] | None:
    """Parse the argument of BDAT (RFC 3030 2): (octets, whether it is the last chunk); None if malformed."""
    number, *rest = argument.split(" ", 1)
    if not _NUMBER.match(number) or (rest and rest[0].strip().upper() != "LAST"):
        return None
    return int(number), bool(rest)


def size_of(value: str | None) -> int | None:
    """Parse the value of SIZE (RFC 1870); None if it is not a number."""
    return int(value) if value and _NUMBER.match(value) else None
