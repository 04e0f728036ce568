"""Tokens of IMAP commands (RFC 3501 9): spaces, lists, atoms, and strings with their literals inline."""

import re
from collections.abc import Iterator

from pop_imap_frontend.imap.refusals import BadCommand

_ATOM = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\\]]+')
_ASTRING = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\]+')
_QUOTED = re.compile(rb'"((?:[^"\\\r\n\x00]|\\["\\])*)"')
_LITERAL = re.compile(rb"~?\{(\d{1,10})\+?\}\r\n")
_SPACES = re.compile(rb" *")
_UNQUOTE = re.compile(rb'\\(["\\])')


class Scanner:
    """Reader of one command, from left to right. Every method that reads raises BadCommand with what was expected.

    `utf8`: the client has enabled UTF-8, so that mailbox names are UTF-8 and quoted strings may be (RFC 9755 3).
    """

    def __init__(self, data: bytes, pos: int = 0, *, utf8: bool = False) -> None:
        self.data = data
        self.pos = pos
        self.utf8 = utf8

    def peek(self) -> bytes:
        """Return the next octet, or b"" at the end."""
        return self.data[self.pos : self.pos + 1]

    def at_end(self) -> bool:
        """Return whether only spaces are left."""
        return self._behind_spaces() == len(self.data)

    def end(self) -> None:
        """Require that only spaces are left."""
        if not self.at_end():
            raise BadCommand("unexpected arguments at the end of the command")

    def space(self) -> None:
        """Read one space or more; other servers accept more than one, too."""
        self.literal(b" ", "a space")
        self.skip_spaces()

    def skip_spaces(self) -> None:
        self.pos = self._behind_spaces()

    def _behind_spaces(self) -> int:
        match = _SPACES.match(self.data, self.pos)
        return match.end() if match else self.pos

    def each(self, what: str) -> Iterator[None]:
        """Read a list in parentheses: yields once for each item, which the caller reads."""
        self.literal(b"(", what)
        self.skip_spaces()
        ended = self.accept(b")")
        while not ended:
            yield
            ended = self.list_ends()

    def list_ends(self) -> bool:
        """Read the `)` of a list, also after spaces, or the space between two items; return whether the list ended."""
        if not self.accept(b")"):
            self.space()
            return self.accept(b")")
        return True

    def is_string(self) -> bool:
        """Return whether a quoted string or a literal follows; `~` begins a literal8 only before `{`."""
        return self.data.startswith((b'"', b"{", b"~{"), self.pos)

    def literal(self, text: bytes, what: str = "") -> None:
        """Read exactly `text`."""
        if not self.data.startswith(text, self.pos):
            raise BadCommand(f"expected {what or text.decode()}")
        self.pos += len(text)

    def accept(self, text: bytes) -> bool:
        """Read `text` if it follows, and return whether it did."""
        if self.data.startswith(text, self.pos):
            self.pos += len(text)
            return True
        return False

    def match(self, pattern: re.Pattern[bytes], what: str) -> re.Match[bytes]:
        """Read what `pattern` matches."""
        match = pattern.match(self.data, self.pos)
        if match is None:
            raise BadCommand(f"expected {what}")
        self.pos = match.end()
        return match

    def atom(self, what: str = "an atom") -> bytes:
        return self.match(_ATOM, what)[0]

    def keyword(self, what: str = "an atom") -> str:
        """Read an atom and return it in capitals, since names of commands and items are case-insensitive."""
        return self.atom(what).decode("ascii").upper()

    def string(self) -> bytes:
        """Read a quoted string or a literal."""
        if self.peek() == b'"':
            text = self.match(_QUOTED, "a quoted string")[1]
            if self.utf8 and not text.isascii():
                decoded(text)
            return _UNQUOTE.sub(rb"\1", text) if b"\\" in text else text
        size = int(self.match(_LITERAL, "a string")[1])
        value = self.data[self.pos : self.pos + size]
        if len(value) != size:
            raise BadCommand("the literal is shorter than announced")
        self.pos += size
        return value

    def astring(self) -> bytes:
        if self.is_string():
            return self.string()
        return self.match(_ASTRING, "a string")[0]


def decoded(raw: bytes) -> str:
    """Decode UTF-8. Raises BadCommand (RFC 9755 3)."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise BadCommand("the string is not valid utf-8") from None
