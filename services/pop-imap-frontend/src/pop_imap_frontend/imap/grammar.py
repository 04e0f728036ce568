"""Arguments of IMAP commands (RFC 3501 9): names, numbers and sets, flags, dates."""

import re
from datetime import UTC, date, datetime, timedelta, timezone

from pop_imap_frontend.imap.refusals import BadCommand, No
from pop_imap_frontend.imap.scanner import Scanner, decoded
from pop_imap_frontend.imap.utf7 import decode_utf7

#: A sequence set: inclusive ranges; None stands for `*`.
SequenceSet = list[tuple[int | None, int | None]]

#: Arguments of LOGIN: many clients send `user%domain` (P1) without quotes.
_LOGIN = re.compile(rb'[^\x00-\x20\x7f-\xff(){"\\]+')
_LIST_MAILBOX = re.compile(rb'[^\x00-\x20\x7f-\xff(){"\\]+')
_NUMBER = re.compile(rb"\d{1,20}")
_SET = re.compile(rb"(?:\d{1,10}|\*)(?::(?:\d{1,10}|\*))?(?:,(?:\d{1,10}|\*)(?::(?:\d{1,10}|\*))?)*")
_FLAG = re.compile(rb'\\?[^\x00-\x20\x7f-\xff(){%*"\\\]]+')
_DATE = re.compile(rb"(\d{1,2})-([A-Za-z]{3})-(\d{4})")
_DATE_TIME = re.compile(rb"([ \d]\d)-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")
_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"), 1
    )
}
_LARGEST = 2**32 - 1


class Cursor(Scanner):
    """Parser of the arguments of one command."""

    def login_text(self) -> str:
        """Read a user name or password of LOGIN: an astring in which `%` and `*` need no quotes."""
        raw = self.string() if self.is_string() else self.match(_LOGIN, "a string")[0]
        return decoded(raw)

    def text(self, charset: str = "utf-8") -> str:
        """Read an astring and decode it."""
        try:
            text = self.astring().decode(charset)
            text.encode()  # UTF-7 may stand for lone surrogates
        except UnicodeError:
            raise BadCommand(f"the string is not valid {charset}") from None
        return text

    def mailbox(self) -> str:
        """Read a mailbox name and return it as text, INBOX in capitals (RFC 3501 5.1). Raises No as well."""
        return self._mailbox_name(self.astring())

    def list_mailbox(self) -> str:
        """Read a pattern of LIST: a mailbox name in which `%` and `*` need no quotes."""
        if self.is_string():
            return self._mailbox_name(self.string())
        return self._mailbox_name(self.match(_LIST_MAILBOX, "a mailbox pattern")[0])

    def _mailbox_name(self, raw: bytes) -> str:
        return _in_capitals(decoded(raw)) if self.utf8 else mailbox_name(raw)

    def number(self, what: str = "a number") -> int:
        value = int(self.match(_NUMBER, what)[0])
        if value > 2**63 - 1:
            raise BadCommand(f"{what} is too large")
        return value

    def interval(self) -> int:
        """Read a number of seconds (nz-number; RFC 5032)."""
        value = self.number("a number of seconds")
        if not 1 <= value <= _LARGEST:
            raise BadCommand("an interval is between 1 and 4294967295 seconds")
        return value

    def set_or_saved(self) -> SequenceSet | None:
        """Read a set, or `$` for the saved result of a search (RFC 5182): None."""
        return None if self.accept(b"$") else self.sequence_set()

    def sequence_set(self) -> SequenceSet:
        ranges: SequenceSet = []
        for part in self.match(_SET, "a sequence set")[0].split(b","):
            first, colon, last = part.partition(b":")
            low = _sequence_number(first)
            ranges.append((low, _sequence_number(last) if colon else low))
        return ranges

    def uid_set(self) -> SequenceSet:
        """Read a set without `*`."""
        found = self.sequence_set()
        if any(low is None or high is None for low, high in found):
            raise BadCommand("* is not allowed in this set")
        return found

    def flag(self) -> str:
        r"""Read a flag: a system flag (returned in its usual spelling) or a keyword. `\Recent` cannot be set."""
        text = self.match(_FLAG, "a flag")[0].decode("ascii")
        if text.startswith("\\"):
            known = {"\\answered", "\\flagged", "\\deleted", "\\seen", "\\draft"}
            if text.lower() not in known:
                raise BadCommand(f"{text} cannot be set")
            return "\\" + text[1:].capitalize()
        return text

    def use_attribute(self) -> str:
        """Read a special use such as `\\Archive` (RFC 6154 6)."""
        self.literal(b"\\", "a special use")
        return "\\" + self.atom("a special use").decode("ascii")

    def flags(self) -> list[str]:
        """Read a list of flags in parentheses."""
        return [self.flag() for _ in self.each("a list of flags")]

    def date(self) -> date:
        """Read a date, quoted or not."""
        quoted = self.accept(b'"')
        match = self.match(_DATE, "a date such as 23-Nov-2026")
        if quoted:
            self.literal(b'"')
        try:
            return date(int(match[3]), _MONTHS[match[2].lower()], int(match[1]))
        except (KeyError, ValueError):
            raise BadCommand("there is no such date") from None

    def date_time(self) -> float:
        """Read the date-time of APPEND; return seconds since the epoch."""
        self.literal(b'"', "a date and time in quotes")
        match = self.match(_DATE_TIME, 'a date and time such as "23-Nov-2026 11:20:00 +0000"')
        self.literal(b'"')
        offset = timedelta(hours=int(match[8]), minutes=int(match[9]))
        try:
            zone = timezone(-offset if match[7] == b"-" else offset) if offset else UTC
            moment = datetime(
                int(match[3]),
                _MONTHS[match[2].lower()],
                int(match[1]),
                int(match[4]),
                int(match[5]),
                min(int(match[6]), 59),
                tzinfo=zone,
            )
            return moment.timestamp()
        except (KeyError, ValueError, OverflowError):
            raise BadCommand("there is no such date") from None


def _sequence_number(text: bytes) -> int | None:
    if text == b"*":
        return None
    value = int(text)
    if not 1 <= value <= _LARGEST:
        raise BadCommand("a sequence number is between 1 and 4294967295")
    return value


def mailbox_name(raw: bytes) -> str:
    """Decode a mailbox name (modified UTF-7, or UTF-8 from clients that send it). Raises No if it is not valid."""
    try:
        name = decode_utf7(raw)
    except ValueError:
        raise No("[CANNOT] the mailbox name is not valid modified UTF-7") from None
    return _in_capitals(name)


def _in_capitals(name: str) -> str:
    """The name with INBOX in capitals."""
    head, slash, rest = name.partition("/")
    return "INBOX" + slash + rest if head.upper() == "INBOX" else name
