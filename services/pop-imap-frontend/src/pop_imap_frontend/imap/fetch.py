"""FETCH (RFC 3501 6.4.5): what is asked for, what mailstore has to be asked, and how each row looks on the wire."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mailstore_client.wire import Column, Section
from pop_imap_frontend.imap.grammar import BadCommand, Cursor
from pop_imap_frontend.imap.responses import internal_date, literal, quoted
from pop_imap_frontend.imap.selected import Selected

_MACROS = {
    "ALL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"),
    "FAST": ("FLAGS", "INTERNALDATE", "RFC822.SIZE"),
    "FULL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"),
}
_NAME = re.compile(rb"[A-Za-z0-9.]+")
_PART = re.compile(rb"[1-9]\d{0,5}(?:\.[1-9]\d{0,5}){0,50}")
_PARTIAL = re.compile(rb"<(\d{1,10})\.(\d{1,10})>")
_WHOLE = Section()
#: The items older than BODY[…], the section each stands for, and whether it marks the message seen.
_OLD = {
    "RFC822": (_WHOLE, True),
    "RFC822.HEADER": (Section(text="HEADER"), False),
    "RFC822.TEXT": (Section(text="TEXT"), True),
}

Render = Callable[[Any], bytes]


@dataclass
class FetchItems:
    """The items of one FETCH in the order they were asked for."""

    columns: list[Column] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    #: (label with a space, where the value comes from: "flags", "uid", or an index into columns + sections)
    parts: list[tuple[bytes, str | tuple[str, int]]] = field(default_factory=list)
    marks_seen: bool = False

    @property
    def asks_mailstore(self) -> bool:
        return bool(self.columns or self.sections)

    def want_uid(self) -> None:
        """A UID FETCH answers with the UID whether asked for or not (RFC 3501 6.4.8)."""
        if not any(kind == "uid" for _, kind in self.parts):
            self.parts.insert(0, (b"UID ", "uid"))

    def want_flags(self) -> None:
        """Flags that this FETCH changed are told with it."""
        if not any(kind == "flags" for _, kind in self.parts):
            self.parts.append((b"FLAGS ", "flags"))


def parse_items(cursor: Cursor) -> FetchItems:
    """A macro, one item, or a list of items in parentheses."""
    items = FetchItems()
    if cursor.peek() == b"(":
        for _ in cursor.each("a list of items"):
            _item(cursor, items)
        if not items.parts:
            raise BadCommand("expected a FETCH item")
        return items
    name = _peek_name(cursor)
    if name in _MACROS:
        cursor.pos += len(name)
        for part in _MACROS[name]:
            _item(Cursor(part.encode()), items)
        return items
    _item(cursor, items)
    return items


def _peek_name(cursor: Cursor) -> str:
    match = _NAME.match(cursor.data, cursor.pos)
    if match is None:
        raise BadCommand("expected a FETCH item")
    return match[0].decode("ascii").upper()


def _item(cursor: Cursor, items: FetchItems) -> None:
    name = _peek_name(cursor)
    cursor.pos += len(name)
    if name in ("BODY", "BODY.PEEK") and cursor.peek() == b"[":
        section, label = _section(cursor)
        items.marks_seen |= name == "BODY"
        _add_section(items, section, b"BODY%b " % label)
    elif name in _OLD:
        section, seen = _OLD[name]
        items.marks_seen |= seen
        _add_section(items, section, name.encode() + b" ")
    elif name == "FLAGS":
        items.parts.append((b"FLAGS ", "flags"))
    elif name == "UID":
        items.parts.append((b"UID ", "uid"))
    elif name in ("ENVELOPE", "BODY", "BODYSTRUCTURE", "RFC822.SIZE", "INTERNALDATE"):
        if name not in items.columns:
            items.columns.append(name)  # type: ignore[arg-type]
        items.parts.append((name.encode() + b" ", ("column", items.columns.index(name))))  # type: ignore[arg-type]
    else:
        raise BadCommand(f"{name} is not a FETCH item")


def _add_section(items: FetchItems, section: Section, label: bytes) -> None:
    if section not in items.sections:
        if len(items.sections) >= 100:
            raise BadCommand("too many sections in one FETCH")
        items.sections.append(section)
    items.parts.append((label, ("section", items.sections.index(section))))


def _section(cursor: Cursor) -> tuple[Section, bytes]:
    """`[part.text]<offset.count>`: the section and its label in the response (which names the offset only)."""
    start = cursor.pos
    cursor.literal(b"[")
    part, text, fields = "", "", []
    match = _PART.match(cursor.data, cursor.pos)
    if match:
        part = match[0].decode()
        cursor.pos = match.end()
        if cursor.peek() != b"]":
            cursor.literal(b".")
    if cursor.peek() != b"]":
        text = _peek_name(cursor)
        cursor.pos += len(text)
        if text not in ("HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "TEXT") and not (text == "MIME" and part):
            raise BadCommand(f"{text} is not a section")
        if text.startswith("HEADER.FIELDS"):
            fields = _fields(cursor)
    cursor.literal(b"]")
    label = _relabel(cursor.data[start : cursor.pos], text, part, fields)
    partial = _PARTIAL.match(cursor.data, cursor.pos)
    if not partial:
        return Section(part, text, fields), label
    cursor.pos = partial.end()
    if int(partial[2]) == 0:
        raise BadCommand("a partial FETCH asks for at least one octet")
    return Section(part, text, fields, int(partial[1]), int(partial[2])), label + b"<%d>" % int(partial[1])


def _fields(cursor: Cursor) -> list[str]:
    cursor.space()
    names = [cursor.astring().decode("ascii", "replace") for _ in cursor.each("a list of header names")]
    if not names:
        raise BadCommand("expected a header name")
    return names


def _relabel(written: bytes, text: str, part: str, fields: list[str]) -> bytes:
    """The section as the response repeats it; header names given as literals or with odd spaces become quoted strings."""
    if not any(odd in written for odd in (b"{", b"  ", b"( ", b" )")):
        return written
    names = b" ".join(quoted(name.encode()) for name in fields)
    head = f"{part}.{text}" if part else text
    return b"[%b (%b)]" % (head.encode(), names)


def _size(value: Any) -> bytes:
    return b"%d" % value


def _section_value(value: Any) -> bytes:
    return b"NIL" if value is None else literal(value)


_COLUMN_RENDER: dict[str, Render] = {"RFC822.SIZE": _size, "INTERNALDATE": internal_date}


class RowWriter:
    """Writes FETCH responses for one command: labels and the places of the values are settled once."""

    def __init__(self, items: FetchItems, selected: Selected) -> None:
        self._selected = selected
        self._plan: list[tuple[bytes, str, int, Render | None]] = []
        for index, (label, source) in enumerate(items.parts):
            label = label if index == 0 else b" " + label
            if isinstance(source, str):
                self._plan.append((label, source, 0, None))
            elif source[0] == "column":
                self._plan.append((label, "value", 1 + source[1], _COLUMN_RENDER.get(items.columns[source[1]])))
            else:
                self._plan.append((label, "value", 1 + len(items.columns) + source[1], _section_value))

    def from_view(self, positions: list[int]) -> bytes:
        """Responses that need no row of mailstore: FLAGS and UID only."""
        view = self._selected
        kinds = [kind for _, kind, _, _ in self._plan]
        if kinds in (["flags"], ["uid", "flags"]):
            numbers, texts = [at + 1 for at in positions], view.flags_texts(positions)
            if kinds == ["flags"]:
                return b"".join([b"* %d FETCH (FLAGS (%b))\r\n" % pair for pair in zip(numbers, texts, strict=True)])
            uids = [view.uids[at] for at in positions]
            row = b"* %d FETCH (UID %d FLAGS (%b))\r\n"
            return b"".join([row % three for three in zip(numbers, uids, texts, strict=True)])
        return b"".join([self._line(at, ()) for at in positions])

    def from_rows(self, rows: list[list[Any]]) -> bytes:
        """Responses for a slice of mailstore's rows; rows of messages not in the view are passed over."""
        view = self._selected
        lines = []
        if len(self._plan) == 1 and self._plan[0][1] == "value" and self._plan[0][3] is None:
            label, _, index, _ = self._plan[0]
            for row in rows:
                at = view.position(row[0])
                if at is not None:
                    lines.append(b"* %d FETCH (%b%b)\r\n" % (at + 1, label, row[index]))
            return b"".join(lines)
        for row in rows:
            at = view.position(row[0])
            if at is not None:
                lines.append(self._line(at, row))
        return b"".join(lines)

    def _line(self, at: int, row: Any) -> bytes:
        view = self._selected
        parts = [b"* %d FETCH (" % (at + 1)]
        for label, kind, index, render in self._plan:
            parts.append(label)
            if kind == "value":
                value = row[index]
                parts.append(value if render is None else render(value))
            elif kind == "uid":
                parts.append(b"%d" % view.uids[at])
            else:
                parts.append(b"(%b)" % view.flags_text(at))
        parts.append(b")\r\n")
        return b"".join(parts)
