"""Parser of SEARCH (RFC 3501 6.4.4): from the client's keys to the tree that mailstore evaluates."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from mailstore_api.wire import MOST_RANGES, Ranges
from pop_imap_frontend.imap.charsets import codec_of
from pop_imap_frontend.imap.folder.spans import merged
from pop_imap_frontend.imap.folder.view import TOO_MANY_RANGES, FolderView
from pop_imap_frontend.imap.grammar import Cursor
from pop_imap_frontend.imap.refusals import BadCommand, No

_FLAG_KEYS = {
    "ANSWERED": "\\Answered",
    "DELETED": "\\Deleted",
    "DRAFT": "\\Draft",
    "FLAGGED": "\\Flagged",
    "SEEN": "\\Seen",
}
_TEXT_KEYS = frozenset(("BCC", "BODY", "CC", "FROM", "SUBJECT", "TEXT", "TO"))
_DATE_KEYS = frozenset(prefix + key for prefix in ("", "SENT", "SAVED") for key in ("BEFORE", "ON", "SINCE"))
#: Limit of the levels of a program, its chains flattened; mailstore accepts 60.
DEEPEST = 50
MOST_KEYS = 1000
_TOO_COMPLEX = f"[LIMIT] a search has at most {MOST_KEYS} keys and {DEEPEST} levels here"

Node = list[Any]


@dataclass(slots=True)
class _Open:
    """A key of which the parts are being read: `LIST` is a list in parentheses, `ALL` the whole program."""

    kind: Literal["ALL", "LIST", "NOT", "OR"]
    parts: list[tuple[int, Node]] = field(default_factory=list)


class SearchParser:
    """Parser of the keys of one SEARCH. `view` translates sequence numbers to UIDs."""

    def __init__(self, cursor: Cursor, view: FolderView) -> None:
        self._cursor = cursor
        self._view = view
        self._charset = "utf-8"
        self.asks_modseq = False
        """Whether there is a key MODSEQ, so that the answer has one, too (RFC 7162 3.1.5)."""

    def parse(self, *, with_charset: bool = True) -> Node:
        """Parse the whole program, with CHARSET if it follows. Raises BadCommand, and No with BADCHARSET or LIMIT."""
        cursor = self._cursor
        if with_charset and cursor.data[cursor.pos : cursor.pos + 8].upper() == b"CHARSET ":
            cursor.keyword()
            cursor.space()
            return self.parse_in_charset()
        return self._parse_keys()

    def parse_in_charset(self) -> Node:
        """Parse the charset, which SORT and THREAD require (RFC 5256 3), and the program."""
        self._charset = codec_of(self._cursor.text("ascii"))
        self._cursor.space()
        return self._parse_keys()

    def _parse_keys(self) -> Node:
        program = _with_sets_joined(self._program())
        if _ranges(program) > MOST_RANGES:
            raise No(TOO_MANY_RANGES)
        return program

    def _program(self) -> Node:
        """Parse the keys in a loop with an explicit stack, so that no chain exceeds Python's recursion limit."""
        stack = [_Open("ALL")]
        for _ in range(MOST_KEYS):
            found = 1, self._leaf(stack)
            while True:  # close each key that ends here
                top = stack[-1]
                top.parts.append(found)
                if not self._ends(top):
                    break
                found = _closed(stack.pop())
                if found[0] > DEEPEST:
                    raise No(_TOO_COMPLEX)
                if not stack:
                    return found[1]
        raise No(_TOO_COMPLEX)

    def _ends(self, top: _Open) -> bool:
        """Whether the last part of `top` has been read; if not, the cursor is at the next one."""
        if top.kind == "NOT" or (top.kind == "OR" and len(top.parts) == 2):
            return True
        if top.kind == "LIST":
            return self._cursor.list_ends()
        if top.kind == "ALL" and self._cursor.at_end():
            return True
        self._cursor.space()
        return False

    def _leaf(self, stack: list[_Open]) -> Node:
        """Parse the next key without keys in it; the keys opened before it are pushed on `stack`."""
        cursor = self._cursor
        while True:
            if cursor.accept(b"("):
                cursor.skip_spaces()
                stack.append(_Open("LIST"))
                continue
            if cursor.peek().isdigit() or cursor.peek() in (b"*", b"$"):
                return self._set(by_uid=False)
            name = cursor.keyword("a search key")
            if name not in ("NOT", "OR"):
                return self._named(name)
            cursor.space()
            stack.append(_Open(name))  # type: ignore[arg-type]

    def _set(self, *, by_uid: bool) -> Node:
        view = self._view
        return ["UID", view.uid_ranges(view.spans(self._cursor.set_or_saved(), by_uid, must_exist=False))]

    def _named(self, name: str) -> Node:
        if name in _FLAG_KEYS:
            return ["FLAG", _FLAG_KEYS[name]]
        if name.startswith("UN") and name[2:] in _FLAG_KEYS:
            return ["NOT", ["FLAG", _FLAG_KEYS[name[2:]]]]
        if name in ("ALL", "SAVEDATESUPPORTED"):  # every folder keeps save dates (RFC 8514 4.4)
            return ["ALL"]
        if name in ("RECENT", "OLD", "NEW"):
            recent: Node = ["UID", self._view.recent_ranges()]
            return {"RECENT": recent, "OLD": ["NOT", recent], "NEW": ["AND", recent, ["NOT", ["FLAG", "\\Seen"]]]}[name]
        self._cursor.space()
        return self._with_argument(name)

    def _modseq(self) -> Node:
        """Parse a MODSEQ; one of a single flag is that of the message, since others are not kept (RFC 7162 3.1.5)."""
        cursor = self._cursor
        self.asks_modseq = True
        if cursor.is_string():
            cursor.string()
            cursor.space()
            if cursor.keyword("all, priv or shared") not in ("ALL", "PRIV", "SHARED"):
                raise BadCommand("expected all, priv or shared")
            cursor.space()
        return ["MODSEQ", cursor.number("a MODSEQ")]

    def _with_argument(self, name: str) -> Node:
        cursor = self._cursor
        if name in _TEXT_KEYS:
            return [name, cursor.text(self._charset)]
        if name in _DATE_KEYS:
            return [name, _iso(cursor.date())]
        if name in ("LARGER", "SMALLER"):
            return [name, cursor.number()]
        if name in ("OLDER", "YOUNGER"):
            return [name, cursor.interval()]
        if name == "KEYWORD":
            return ["FLAG", cursor.atom("a keyword").decode("ascii")]
        if name == "UNKEYWORD":
            return ["NOT", ["FLAG", cursor.atom("a keyword").decode("ascii")]]
        if name == "HEADER":
            field = cursor.text("ascii")
            cursor.space()
            return ["HEADER", field, cursor.text(self._charset)]
        if name == "UID":
            return self._set(by_uid=True)
        if name == "MODSEQ":
            return self._modseq()
        if name == "EMAILID":
            return [name, cursor.atom("an object id").decode("ascii")]
        if name == "THREADID":
            cursor.atom("an object id")
            return ["NOT", ["ALL"]]  # no message has one
        raise BadCommand(f"{name} is not a search key")


def _closed(key: _Open) -> tuple[int, Node]:
    """The depth and the node of a key with all its parts; chains of AND, OR and NOT are flattened."""
    if key.kind == "NOT":
        ((depth, node),) = key.parts
        return (depth - 1, node[1]) if node[0] == "NOT" else (depth + 1, ["NOT", node])
    if len(key.parts) == 1:
        return key.parts[0]
    name = "OR" if key.kind == "OR" else "AND"
    flat: Node = [name]
    deepest = 0
    for depth, node in key.parts:
        if node[0] == name:
            flat += node[1:]
            deepest = max(deepest, depth - 1)
        else:
            flat.append(node)
            deepest = max(deepest, depth)
    return deepest + 1, flat


def _with_sets_joined(node: Node) -> Node:
    """The program with the UID sets of each AND intersected and those of each OR united into one set."""
    if node[0] == "NOT":
        return ["NOT", _with_sets_joined(node[1])]
    if node[0] not in ("AND", "OR"):
        return node
    sets: list[Ranges] = [part[1] for part in node[1:] if part[0] == "UID"]
    others = [_with_sets_joined(part) for part in node[1:] if part[0] != "UID"]
    if not sets:
        return [node[0], *others]
    joined: Node = ["UID", _intersection(sets) if node[0] == "AND" else _union(sets)]
    return [node[0], joined, *others] if others else joined


def _ranges(node: Node) -> int:
    """The number of UID ranges in all sets of the program."""
    if node[0] == "UID":
        return len(node[1])
    return sum(map(_ranges, node[1:])) if node[0] in ("AND", "OR", "NOT") else 0


def _union(sets: list[Ranges]) -> Ranges:
    spans = merged([(low, high + 1) for ranges in sets for low, high in ranges])
    return [(low, end - 1) for low, end in spans]


def _intersection(sets: list[Ranges]) -> Ranges:
    """The ranges common to all sets, each of which ascends; the cost is linear in their length."""
    found, *others = sorted(sets, key=len)
    for other in others:
        common: Ranges = []
        left = right = 0
        while left < len(found) and right < len(other):
            low, high = max(found[left][0], other[right][0]), min(found[left][1], other[right][1])
            if low <= high:
                common.append((low, high))
            if found[left][1] < other[right][1]:
                left += 1
            else:
                right += 1
        found = common
    return found


def _iso(day: date) -> str:
    return day.isoformat()
