"""The arguments of MAIL and RCPT (RFC 5321 4.1.2). Pure; a source route is dropped, nothing else is read into an address."""

import re
from dataclasses import dataclass

_MAIL = re.compile(r'FROM:[ \t]*<((?:"(?:[^"\\]|\\.)*"|[^">])*)>(?:[ \t]+(\S.*))?\Z', re.I | re.S)
_RCPT = re.compile(r'TO:[ \t]*<((?:"(?:[^"\\]|\\.)*"|[^">])*)>(?:[ \t]+(\S.*))?\Z', re.I | re.S)
_ROUTE = re.compile(r"@[^:@]*(?:,@[^:@]*)*:")
_NUMBER = re.compile(r"\d{1,20}\Z")


@dataclass(frozen=True, slots=True)
class Path:
    """`address` between the brackets, without a source route (RFC 5321 4.1.1.3); parameters by name in capitals."""

    address: str
    parameters: dict[str, str | None]


def parse_mail(argument: str) -> Path | None:
    """The argument of MAIL, or None when it is none."""
    return _path(_MAIL.match(argument))


def parse_rcpt(argument: str) -> Path | None:
    """The argument of RCPT, or None when it is none."""
    return _path(_RCPT.match(argument))


def _path(match: re.Match[str] | None) -> Path | None:
    if match is None or any(ord(c) < 32 or ord(c) == 127 for c in match[0]):
        return None
    parameters: dict[str, str | None] = {}
    for word in (match[2] or "").split():
        name, equals, value = word.partition("=")
        parameters[name.upper()] = value if equals else None
    route = _ROUTE.match(match[1])
    return Path(match[1][route.end() :] if route else match[1], parameters)


def size_of(value: str | None) -> int | None:
    """SIZE's value (RFC 1870), or None when it is no number."""
    return int(value) if value and _NUMBER.match(value) else None
