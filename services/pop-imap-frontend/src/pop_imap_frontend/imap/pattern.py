"""Patterns of LIST (RFC 3501 6.3.8): `*` matches everything, `%` everything but the delimiter.

A pattern is never made into a regular expression. The bits of one integer are the places in the pattern that the
characters read so far can have reached (the shift-and method): a name costs one step per character for any wildcards.
"""

import re
from collections.abc import Iterator

from mailstore_api.wire import DELIMITER
from pop_imap_frontend.imap.refusals import No

#: Limit of the characters of a pattern with its reference; a folder's name has at most 400.
LONGEST = 1000
MOST_WILDCARDS = 50

_RUN = re.compile(r"[*%]+")
_INBOX = re.compile(r"inbox(?=/|\Z)", re.I)


class Pattern:
    """A reference followed by a pattern. Raises No if it is too long or has too many wildcards."""

    def __init__(self, reference: str, pattern: str) -> None:
        text = _RUN.sub(lambda run: "*" if "*" in run[0] else "%", reference + pattern)
        if len(text) > LONGEST or text.count("*") + text.count("%") > MOST_WILDCARDS:
            raise No(f"[LIMIT] a pattern has at most {LONGEST} characters and {MOST_WILDCARDS} wildcards here")
        if _INBOX.match(text):
            text = "INBOX" + text[5:]
        wildcard = _RUN.search(text)
        self._prefix = text[: wildcard.start()] if wildcard else text
        self._tail = text[len(self._prefix) :]
        self._letters: dict[str, int] = {}
        self._stars = self._percents = 0
        place = 1
        for char in text:
            if char == "*":
                self._stars |= place
            elif char == "%":
                self._percents |= place
            else:
                self._letters[char] = self._letters.get(char, 0) | place
                place <<= 1
        self._end = place

    def matches(self, name: str) -> bool:
        """Return whether the pattern matches `name`."""
        if not name.startswith(self._prefix):
            return False
        if self._tail in ("", "*"):
            return bool(self._tail) or len(name) == len(self._prefix)
        return any(end == len(name) for end in self.ends(name))

    def ends(self, name: str) -> Iterator[int]:
        """Yield the ends of the levels that match: for `a/b/c`, 1 if `a` matches, 3 if `a/b` does, 5 if the name does."""
        places = 1
        for at, char in enumerate(name):
            if char == DELIMITER and places & self._end:
                yield at
            kept = self._stars if char == DELIMITER else self._stars | self._percents
            places = (places & self._letters.get(char, 0)) << 1 | places & kept
            if not places:
                return
        if places & self._end:
            yield len(name)
