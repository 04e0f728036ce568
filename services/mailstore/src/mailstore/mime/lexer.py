"""Tokens of structured header fields: atoms, quoted strings, comments, domains (RFC 5322 3.2, RFC 2045 5.1).

As tolerant as real mail requires; no method raises. White space is space, tab, CR and LF, since values are still folded.
"""

import re
from collections.abc import Callable

#: Result of a step: the value ended there, more follows, or the text does not match the grammar.
END, MORE, BAD = 0, 1, -1

#: atext (RFC 5322 3.2.3), and all 8-bit octets (RFC 6532 3.2, and unencoded charsets of real mail).
ATEXT = rb"!#$%&'*+\-/0-9=?A-Z^_`a-z{|}~\x80-\xff"
#: token (RFC 2045 5.1): atext and dot without the tspecials "/", "=" and "?".
TOKEN = rb"!#$%&'*+\-.0-9A-Z^_`a-z{|}~\x80-\xff"

_atext_run = re.compile(rb"[%b]*" % ATEXT).match
_atext_dot_run = re.compile(rb"[%b.]*" % ATEXT).match
_token_run = re.compile(rb"[%b]*" % TOKEN).match
_white = re.compile(rb"[ \t\r\n]*").match
_comment_stop = re.compile(rb"[()\\\n]").search
_quoted_stop = re.compile(rb'["\\\n]').search
_domain_stop = re.compile(rb"[\[\]\\]").search
_ATEXT_SET = frozenset(
    b"!#$%&'*+-/0123456789=?ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz{|}~" + bytes(range(128, 256))
)


class Lexer:
    """Parser of one field value. Each step returns END, MORE or BAD and moves `pos` after the text it read."""

    __slots__ = ("comment", "end", "pos", "value")

    def __init__(self, value: bytes, pos: int = 0) -> None:
        self.value = value
        self.pos = pos
        self.end = len(value)
        #: The last comment skipped, unescaped: of `a@b (Name)`, the name.
        self.comment = b""

    def at(self, char: bytes) -> bool:
        """Return whether the next octet is `char`."""
        return self.value[self.pos : self.pos + 1] == char

    def at_atext(self) -> bool:
        """Return whether the next octet may begin an atom."""
        return self.pos < self.end and self.value[self.pos] in _ATEXT_SET

    def skip(self) -> int:
        """Skip white space and comments (CFWS)."""
        while True:
            match = _white(self.value, self.pos)
            self.pos = match.end() if match else self.pos
            if not self.at(b"("):
                return MORE if self.pos < self.end else END
            if not self._skip_comment():
                return BAD

    def _skip_comment(self) -> bool:
        """Skip a comment, which may nest (RFC 5322 3.2.2). False if it has no end: its text up to the last fold is kept."""
        depth, start = 1, self.pos + 1
        taken: list[bytes] = []
        pos = start
        while stop := _comment_stop(self.value, pos):
            char, pos = stop[0], stop.end()
            if char == b"(":
                depth += 1
            elif char == b"\n":
                taken.append(self.value[start : pos - 1])
                start = pos
            elif char == b"\\":
                taken.append(self.value[start : pos - 1])
                start = pos
                pos += 1
                if pos > self.end:
                    break
            else:
                depth -= 1
                if depth == 0:
                    taken.append(self.value[start : pos - 1])
                    self.comment = b"".join(taken)
                    self.pos = pos
                    return True
        self.comment = b"".join(taken)
        self.pos = self.end
        return False

    def atom(self, out: list[bytes]) -> int:
        """Read one atom and the CFWS after it."""
        return self._run(_atext_run, out) if self.at_atext() else BAD

    def atom_or_dot(self, out: list[bytes]) -> int:
        """Read atoms and dots without white space between them; may be empty."""
        return self._run(_atext_dot_run, out)

    def token(self, out: list[bytes]) -> int:
        """Read a MIME token (RFC 2045 5.1); may be empty."""
        return self._run(_token_run, out)

    def _run(self, run: Callable[[bytes, int], re.Match[bytes] | None], out: list[bytes]) -> int:
        if match := run(self.value, self.pos):
            out.append(match[0])
            self.pos = match.end()
        return self.skip() if self.pos < self.end else END

    def dot_atom(self, out: list[bytes]) -> int:
        """Read a dot-atom (RFC 5322 3.2.3), also with misplaced dots and with white space around them (RFC 822)."""
        if not (self.at_atext() or self.at(b".")):
            return BAD
        while True:
            if match := _atext_dot_run(self.value, self.pos):
                out.append(match[0])
                self.pos = match.end()
            if self.pos >= self.end:
                return END
            if (step := self.skip()) != MORE:
                return step
            # Continue only if the white space was next to a dot: "a . b", not "a b".
            if not self.at(b".") and not (self.at_atext() and out[-1].endswith(b".")):
                return MORE

    def quoted_string(self, out: list[bytes]) -> int:
        """Read a quoted string (RFC 5322 3.2.4) at its opening quote; line ends in it are folding and removed."""
        start = pos = self.pos + 1
        while stop := _quoted_stop(self.value, pos):
            taken = self.value[start : stop.start()]
            if stop[0] == b"\n":
                out.append(taken.removesuffix(b"\r"))
                start = pos = stop.end()
                continue
            out.append(taken)
            if stop[0] == b'"':
                self.pos = stop.end()
                return self.skip()
            start = stop.end()
            pos = start + 1
            if start >= self.end:
                break
        self.pos = self.end
        return BAD

    def phrase(self, out: list[bytes]) -> int:
        """Read a phrase (RFC 5322 3.2.5, obs-phrase of 4.1) as words joined by one space."""
        if self.pos >= self.end:
            return END
        while True:
            step = self.quoted_string(out) if self.at(b'"') else self.atom_or_dot(out)
            if step != MORE:
                return step
            if not (self.at_atext() or self.at(b'"') or self.at(b".")):
                return self.skip()
            out.append(b" ")

    def domain(self, out: list[bytes]) -> int:
        """Read a domain (RFC 5322 3.4.1) at the "@"."""
        self.pos += 1
        if self.skip() != MORE:
            return BAD
        return self._domain_literal(out) if self.at(b"[") else self.dot_atom(out)

    def _domain_literal(self, out: list[bytes]) -> int:
        pos = self.pos + 1
        while stop := _domain_stop(self.value, pos):
            if stop[0] == b"[":  # not dtext (RFC 5322 3.4.1)
                self.pos = stop.start()
                return BAD
            pos = stop.end()
            if stop[0] == b"]":
                out.append(self.value[self.pos : pos])
                self.pos = pos
                return self.skip()
            pos += 1
        self.pos = self.end
        return BAD
