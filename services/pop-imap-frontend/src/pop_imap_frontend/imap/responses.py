"""Formats of values in IMAP responses (RFC 3501 7 and 9)."""

import re
from datetime import UTC, datetime
from functools import lru_cache

from mailstore_api.wire import FIRST_KEYWORD_BIT, SYSTEM_FLAGS
from pop_imap_frontend.imap.utf7 import encode_utf7

_ATOM = re.compile(rb"[A-Za-z0-9.!#$&'+,/:;<=>?@^_`|~-]+\Z")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def quoted_utf8(text: str) -> bytes:
    """Return `text` as a quoted string in UTF-8 (RFC 9755 3); it has neither line ends nor NUL."""
    return b'"' + text.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def quoted(text: bytes) -> bytes:
    """Return `text` as a quoted string if it can be one, else as a literal."""
    if len(text) < 1000 and not re.search(rb"[\x00\r\n\x80-\xff]", text):
        return b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    return literal(text)


def literal(data: bytes) -> bytes:
    return b"{%d}\r\n%b" % (len(data), data)


def literal8(data: bytes) -> bytes:
    """Return a literal of octets that may include NUL (literal8, RFC 5464 5)."""
    return b"~" + literal(data)


def mailbox(name: str, *, utf8: bool) -> bytes:
    """Return a mailbox name as an astring, in UTF-8 if the client has enabled it (RFC 9755 3), else in modified UTF-7."""
    if utf8 and not name.isascii():
        return quoted_utf8(name)
    raw = name.encode() if utf8 else encode_utf7(name)
    return raw if _ATOM.match(raw) else quoted(raw)


def mailbox_id(folder_id: int) -> bytes:
    """Return MAILBOXID, which a folder keeps when it is renamed (RFC 8474 4)."""
    return b"(F%d)" % folder_id


#: Bit of \Recent, which belongs to a session and is not stored (RFC 3501 2.3.2).
RECENT = 1 << 63


#: Limit of the texts kept for one folder; each combination of flags has one.
_MOST_TEXTS = 4096


class FlagNames(dict[int, bytes]):
    """Texts of a folder's flag masks, as between the parentheses of FLAGS, each made at its first use."""

    def __init__(self, keywords: list[str]) -> None:
        super().__init__()
        self.keywords = keywords

    def __missing__(self, mask: int) -> bytes:
        names = [name for name, bit in SYSTEM_FLAGS.items() if mask & bit]
        names += [name for index, name in enumerate(self.keywords) if mask >> (FIRST_KEYWORD_BIT + index) & 1]
        if mask & RECENT:
            names.append("\\Recent")
        if len(self) >= _MOST_TEXTS:
            self.clear()
        return self.setdefault(mask, " ".join(names).encode())

    def all_names(self) -> bytes:
        """Return the names for FLAGS and PERMANENTFLAGS."""
        return " ".join([*SYSTEM_FLAGS, *self.keywords]).encode()


@lru_cache(4096)
def internal_date(seconds: int) -> bytes:
    """Return INTERNALDATE in UTC, the day padded with a space (RFC 3501 9, date-day-fixed)."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return (
        f'"{moment.day:2d}-{_MONTHS[moment.month - 1]}-{moment.year:04d} '
        f'{moment.hour:02d}:{moment.minute:02d}:{moment.second:02d} +0000"'
    ).encode()


def number_set(numbers: list[int]) -> bytes:
    """Return ascending numbers as a sequence set: `1:3,7`."""
    parts: list[str] = []
    start = previous = None
    for number in [*numbers, None]:
        if previous is not None and number is not None and number == previous + 1:
            previous = number
            continue
        if start is not None:
            parts.append(str(start) if start == previous else f"{start}:{previous}")
        start = previous = number
    return ",".join(parts).encode()
