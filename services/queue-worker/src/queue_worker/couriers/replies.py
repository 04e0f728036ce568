"""Parsing of a remote host's replies (RFC 5321 4.2), within bounds."""

import re
from dataclasses import dataclass
from functools import lru_cache

LONGEST_LINE = 2048
MOST_LINES = 200
#: Parsed lines that are cached, since hosts send the same few again and again.
REMEMBERED = 256
#: Lines without a reply code that one connection may send: they are skipped.
MOST_SKIPPED = 50

_LINE = re.compile(rb"([2-5]\d\d)(?:([ -])(.*))?\Z", re.S)
_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s|\Z)")


class BadReply(Exception):
    """The input is not an SMTP reply, or exceeds the bounds."""


@dataclass(frozen=True, slots=True)
class RemoteReply:
    """One reply; `lines` are all its lines as received, code included."""

    code: int
    lines: tuple[str, ...]

    @property
    def status(self) -> str:
        """The enhanced status code, or the plain one of the reply's class (RFC 3463)."""
        match = _STATUS.match(self.lines[-1][4:])
        if match and match[1][0] == str(self.code)[0]:
            return match[1]
        return f"{self.code // 100}.0.0"

    @property
    def text(self) -> str:
        return " ".join(self.lines)


class ReplyReader:
    """Makes complete replies of the bytes it is fed."""

    def __init__(self) -> None:
        self._buffer = b""
        self._lines: list[str] = []
        self._skipped = 0
        self.error: BadReply | None = None
        """Why nothing more can be read."""

    def feed(self, data: bytes) -> list[RemoteReply]:
        """Return the replies that `data` completes. Malformed input after them only sets `error`."""
        found: list[RemoteReply] = []
        if self.error is None:
            *lines, self._buffer = (self._buffer + data).split(b"\n")
            try:
                for line in lines:
                    self._take(line.rstrip(b"\r"), found)
                if len(self._buffer) > LONGEST_LINE:
                    raise BadReply("a reply line without end")
            except BadReply as error:
                self.error = error
                self._buffer = b""
        return found

    def _take(self, line: bytes, found: list[RemoteReply]) -> None:
        if len(line) > LONGEST_LINE:
            raise BadReply(f"not an SMTP reply: {line[:80]!r}")
        reply = _parsed(line)
        if reply is None:
            self._skipped += 1
            if line[:3].isdigit() or self._skipped > MOST_SKIPPED:
                raise BadReply(f"not an SMTP reply: {line[:80]!r}")
        elif line[3:4] == b"-":
            self._lines += reply.lines
            if len(self._lines) >= MOST_LINES:
                raise BadReply("a reply without end")
        elif self._lines:
            found.append(RemoteReply(reply.code, (*self._lines, *reply.lines)))
            self._lines = []
        else:
            found.append(reply)

    def clear(self) -> None:
        """Discard what was read: input from before TLS is not trusted."""
        self._buffer = b""
        self._lines = []
        self.error = None


@lru_cache(maxsize=REMEMBERED)
def _parsed(line: bytes) -> RemoteReply | None:
    """Parse one line as a complete reply; None if it has no reply code."""
    match = _LINE.match(line)
    return None if match is None else RemoteReply(int(match[1]), (_printable(line),))


def _printable(line: bytes) -> str:
    text = line.decode("utf-8", "replace")
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)
