"""SEARCH (RFC 3501 6.4.4): from the client's keys to the tree mailstore evaluates."""

from collections.abc import Callable
from datetime import date
from typing import Any

from pop_imap_frontend.imap.grammar import BadCommand, Cursor
from pop_imap_frontend.imap.responses import No
from pop_imap_frontend.imap.selected import Selected

_FLAG_KEYS = {
    "ANSWERED": "\\Answered", "DELETED": "\\Deleted", "DRAFT": "\\Draft", "FLAGGED": "\\Flagged", "SEEN": "\\Seen",
}  # fmt: skip
_TEXT_KEYS = frozenset(("BCC", "BODY", "CC", "FROM", "SUBJECT", "TEXT", "TO"))
_DATE_KEYS = frozenset(("BEFORE", "ON", "SINCE", "SENTBEFORE", "SENTON", "SENTSINCE"))
_CHARSETS = {
    "US-ASCII": "ascii",
    "UTF-8": "utf-8",
    "ISO-8859-1": "latin-1",
    "ISO-8859-15": "iso8859-15",
    "WINDOWS-1252": "cp1252",
}
_DEEPEST = 50
_MOST_KEYS = 1000

Node = list[Any]


class SearchParser:
    """One SEARCH command's keys. `selected` turns sequence numbers into UIDs."""

    def __init__(self, cursor: Cursor, selected: Selected) -> None:
        self._cursor = cursor
        self._selected = selected
        self._charset = "utf-8"
        self._keys = 0

    def parse(self) -> Node:
        """The whole program. Raises BadCommand, and No with BADCHARSET."""
        cursor = self._cursor
        if cursor.data[cursor.pos : cursor.pos + 8].upper() == b"CHARSET ":
            cursor.pos += 8
            name = cursor.text("ascii").upper()
            cursor.space()
            if name not in _CHARSETS:
                raise No(
                    "[BADCHARSET (US-ASCII UTF-8 ISO-8859-1 ISO-8859-15 WINDOWS-1252)] the charset is not known here"
                )
            self._charset = _CHARSETS[name]
        nodes = [self._key(0)]
        while not cursor.at_end():
            cursor.space()
            nodes.append(self._key(0))
        return nodes[0] if len(nodes) == 1 else ["AND", *nodes]

    def _key(self, depth: int) -> Node:
        self._keys += 1
        if depth > _DEEPEST or self._keys > _MOST_KEYS:
            raise BadCommand("the search is too complex")
        cursor = self._cursor
        if cursor.accept(b"("):
            nodes = [self._key(depth + 1)]
            while not cursor.accept(b")"):
                cursor.space()
                nodes.append(self._key(depth + 1))
            return nodes[0] if len(nodes) == 1 else ["AND", *nodes]
        if cursor.peek().isdigit() or cursor.peek() == b"*":
            positions = self._selected.positions(cursor.sequence_set(), by_uid=False)
            return ["UID", self._selected.ranges(positions)]
        name = cursor.keyword("a search key")
        if name in _FLAG_KEYS:
            return ["FLAG", _FLAG_KEYS[name]]
        if name.startswith("UN") and name[2:] in _FLAG_KEYS:
            return ["NOT", ["FLAG", _FLAG_KEYS[name[2:]]]]
        make = self._plain().get(name)
        if make is not None:
            return make()
        cursor.space()
        return self._with_argument(name, depth)

    def _plain(self) -> dict[str, Callable[[], Node]]:
        return {
            "ALL": lambda: ["ALL"],
            "RECENT": self._recent,
            "OLD": lambda: ["NOT", self._recent()],
            "NEW": lambda: ["AND", self._recent(), ["NOT", ["FLAG", "\\Seen"]]],
        }

    def _recent(self) -> Node:
        view = self._selected
        return ["UID", view.ranges([at for at, uid in enumerate(view.uids) if view.is_recent(uid)])]

    def _with_argument(self, name: str, depth: int) -> Node:
        cursor = self._cursor
        if name in _TEXT_KEYS:
            return [name, cursor.text(self._charset)]
        if name in _DATE_KEYS:
            return [name, _iso(cursor.date())]
        if name in ("LARGER", "SMALLER"):
            return [name, cursor.number()]
        if name == "KEYWORD":
            return ["FLAG", cursor.atom("a keyword").decode("ascii")]
        if name == "UNKEYWORD":
            return ["NOT", ["FLAG", cursor.atom("a keyword").decode("ascii")]]
        if name == "NOT":
            return ["NOT", self._key(depth + 1)]
        if name == "OR":
            first = self._key(depth + 1)
            cursor.space()
            return ["OR", first, self._key(depth + 1)]
        if name == "HEADER":
            field = cursor.text("ascii")
            cursor.space()
            return ["HEADER", field, cursor.text(self._charset)]
        if name == "UID":
            positions = self._selected.positions(cursor.sequence_set(), by_uid=True)
            return ["UID", self._selected.ranges(positions)]
        raise BadCommand(f"{name} is not a search key")


def _iso(day: date) -> str:
    return day.isoformat()
