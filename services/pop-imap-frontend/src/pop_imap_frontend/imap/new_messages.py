"""Parser of the messages of APPEND and REPLACE: flags, date and octets of each.

RFC 3501 6.3.11, RFC 3502 (MULTIAPPEND), RFC 3516 4.4 (BINARY), RFC 4466 2.5, RFC 8508 5 (REPLACE).
"""

from dataclasses import dataclass

from mailstore_api.wire import MOST_FLAGS, AppendedMessage
from pop_imap_frontend.imap.grammar import Cursor
from pop_imap_frontend.imap.refusals import MANY_KEYWORDS, BadCommand, No

#: INTERNALDATE is stored in seconds since 1970 and sent with a year of four digits.
_LAST_SECOND = 253402300799


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message with CRLF line ends; `date` in seconds since 1970, None for now."""

    octets: bytes
    flags: list[str]
    date: float | None

    def head(self) -> AppendedMessage:
        """Return what mailstore is told of it."""
        return AppendedMessage(len(self.octets), self.flags, self.date)


def parse_messages(cursor: Cursor, limit: int) -> list[NewMessage]:
    """Parse all messages of the command; together they have at most `limit` octets. Raises BadCommand and No."""
    found: list[NewMessage] = []
    size = 0
    while not found or not cursor.at_end():
        found.append(_message(cursor, limit))
        size += len(found[-1].octets)
    cursor.end()
    if size > limit:
        raise No(too_many_octets(limit))
    return found


def too_many_octets(limit: int) -> str:
    """Return the text of NO for messages that are too large together."""
    return f"[LIMIT] the messages of one command have at most {limit} octets together"


def _message(cursor: Cursor, limit: int) -> NewMessage:
    cursor.space()
    flags: list[str] = []
    date: float | None = None
    if cursor.peek() == b"(":
        flags = list(dict.fromkeys(cursor.flags()))
        cursor.space()
    if cursor.peek() == b'"':
        date = cursor.date_time()
        cursor.space()
    is_utf8 = cursor.utf8 and cursor.data[cursor.pos : cursor.pos + 6].upper() == b"UTF8 ("
    cursor.pos += 6 if is_utf8 else 0
    if not cursor.is_string() or cursor.peek() == b'"':
        raise BadCommand("expected the message as a literal")
    is_binary = cursor.peek() == b"~"
    octets = cursor.string()
    if is_utf8:  # RFC 6855 4; RFC 9755 has no need of it
        cursor.literal(b")")
    if not octets:
        raise No("a message of no octets cancels the command")  # RFC 3502 6.3.11
    if is_binary and (b"\0" in octets or with_crlf(octets) != octets):
        raise No("[UNKNOWN-CTE] messages here have lines that end with CRLF, and no NUL octets")  # RFC 3516 4.4
    if b"\0" in octets:
        raise BadCommand("a message holds no NUL octets")
    octets = with_crlf(octets)
    if len(octets) > limit:
        raise No(f"[TOOBIG] with CRLF line ends the message has more than {limit} octets")
    if date is not None and not 0 <= date < _LAST_SECOND:
        raise No("[CANNOT] the date of a message is between 1970 and 9999 here")
    if len(flags) > MOST_FLAGS:
        raise No(MANY_KEYWORDS)
    return NewMessage(octets, flags, date)


def with_crlf(message: bytes) -> bytes:
    """Return `message` with CRLF line ends only, so that POP3 and copies have the same octets."""
    if message.count(b"\n") == message.count(b"\r") == message.count(b"\r\n"):
        return message
    return message.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
