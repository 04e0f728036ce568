"""Parser of FETCH items and modifiers (RFC 3501 6.4.5, RFC 3516 4); `rows` writes responses."""

import re
from dataclasses import dataclass, field

from mailstore_api.wire import BINARY, BINARY_SIZE, LAZY_PREVIEW, MOST_FIELDS, MOST_SECTIONS, PREVIEW, Column, Section
from pop_imap_frontend.imap.grammar import Cursor
from pop_imap_frontend.imap.refusals import BadCommand, No
from pop_imap_frontend.imap.responses import quoted
from pop_imap_frontend.imap.results import Page, parse_page

_MACROS = {
    "ALL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"),
    "FAST": ("FLAGS", "INTERNALDATE", "RFC822.SIZE"),
    "FULL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"),
}
_NAME = re.compile(rb"[A-Za-z0-9.]+")
_PART = re.compile(rb"[1-9]\d{0,5}(?:\.[1-9]\d{0,5}){0,50}")
_PARTIAL = re.compile(rb"<(\d{1,10})\.(\d{1,10})>")
#: Modifier of PREVIEW (RFC 8970 6); another list in parentheses has modifiers of FETCH.
_LAZY = re.compile(rb" +\( *LAZY *\)", re.I)
_WHOLE = Section()
#: Limit of the BINARY items of one part.
MOST_BINARY = 4
#: The RFC822 items: the section each is equal to, and whether it sets \Seen.
_OLD = {
    "RFC822": (_WHOLE, True),
    "RFC822.HEADER": (Section(text="HEADER"), False),
    "RFC822.TEXT": (Section(text="TEXT"), True),
}


@dataclass
class FetchItems:
    """Items of one FETCH in the order of the command."""

    columns: list[Column] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    #: (label with a space, source of the value: "flags", "uid", "modseq", "threadid", or ("column" or "section", index into that list))
    parts: list[tuple[bytes, str | tuple[str, int]]] = field(default_factory=list)
    marks_seen: bool = False

    def add(self, label: bytes, source: str | tuple[str, int]) -> None:
        """Add an item; an item named twice is answered once."""
        if (label, source) not in self.parts:
            self.parts.append((label, source))

    @property
    def asks_mailstore(self) -> bool:
        return bool(self.columns or self.sections)

    def want_uid(self) -> None:
        """Add UID unless it is there; UID FETCH always answers with it (RFC 3501 6.4.8)."""
        if not any(kind == "uid" for _, kind in self.parts):
            self.parts.insert(0, (b"UID ", "uid"))

    def want_flags(self) -> None:
        """Add FLAGS unless it is there, since this FETCH changed flags."""
        if not any(kind == "flags" for _, kind in self.parts):
            self.parts.append((b"FLAGS ", "flags"))

    def want_modseq(self) -> None:
        """Add MODSEQ unless it is there."""
        self.add(b"MODSEQ ", "modseq")

    @property
    def shows_modseq(self) -> bool:
        return (b"MODSEQ ", "modseq") in self.parts


@dataclass(slots=True)
class FetchModifiers:
    """Modifiers of FETCH: `changed_since` a MODSEQ, None for any; `vanished`: name the messages expunged after it."""

    changed_since: int | None = None
    vanished: bool = False
    page: Page | None = None
    """Of the messages named, only these (RFC 9394 3.3)."""


def parse_modifiers(cursor: Cursor) -> FetchModifiers:
    """Parse the modifiers after the items, if there are any (RFC 4466 2.4, RFC 7162 3.1.4, 3.2.6). Raises BadCommand."""
    modifiers = FetchModifiers()
    if cursor.at_end():
        return modifiers
    cursor.space()
    for _ in cursor.each("a list of modifiers"):
        name = cursor.keyword("a modifier")
        if name == "CHANGEDSINCE":
            cursor.space()
            modifiers.changed_since = cursor.number("a MODSEQ")
        elif name == "VANISHED":
            modifiers.vanished = True
        elif name == "PARTIAL" and modifiers.page is None:
            cursor.space()
            modifiers.page, _ = parse_page(cursor)
        else:
            raise BadCommand(f"{name} is not a modifier of FETCH")
    return modifiers


def parse_items(cursor: Cursor) -> FetchItems:
    """Parse a macro, one item, or a list of items in parentheses. Raises BadCommand and No."""
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
    elif name in ("BINARY", "BINARY.PEEK"):
        part = _binary_part(cursor)
        items.marks_seen |= name == "BINARY"
        offset, count, origin = _partial(cursor)
        _add_section(items, Section(part, BINARY, [], offset, count), b"BINARY[%b]%b " % (part.encode(), origin))
        _limit_binary(items, part)
    elif name == "BINARY.SIZE":
        part = _binary_part(cursor)
        _add_section(items, Section(part, BINARY_SIZE), b"BINARY.SIZE[%b] " % part.encode())
        _limit_binary(items, part)
    elif name == "PREVIEW":
        lazy = _LAZY.match(cursor.data, cursor.pos)
        cursor.pos = lazy.end() if lazy else cursor.pos
        _add_section(items, Section(text=LAZY_PREVIEW if lazy else PREVIEW), b"PREVIEW ")
    elif name in ("FLAGS", "UID", "MODSEQ", "THREADID"):
        items.add(name.encode() + b" ", name.lower())
    elif name in ("ENVELOPE", "BODY", "BODYSTRUCTURE", "RFC822.SIZE", "INTERNALDATE", "SAVEDATE", "EMAILID"):
        if name not in items.columns:
            items.columns.append(name)  # type: ignore[arg-type]
        items.add(name.encode() + b" ", ("column", items.columns.index(name)))  # type: ignore[arg-type]
    else:
        raise BadCommand(f"{name} is not a FETCH item")


def _add_section(items: FetchItems, section: Section, label: bytes) -> None:
    """Add a section of its own for each label, in order, since large values arrive in the order of the sections."""
    for known, source in items.parts:
        if known == label and not isinstance(source, str) and items.sections[source[1]] == section:
            return
    if len(items.sections) >= MOST_SECTIONS:
        raise No(f"[LIMIT] a FETCH has at most {MOST_SECTIONS} sections here")
    items.sections.append(section)
    items.parts.append((label, ("section", len(items.sections) - 1)))


def _section(cursor: Cursor) -> tuple[Section, bytes]:
    """Parse `[part.text]<offset.count>`: the section and its label in the response, which has only the offset."""
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
    offset, count, origin = _partial(cursor)
    return Section(part, text, fields, offset, count), label + origin


def _partial(cursor: Cursor) -> tuple[int, int, bytes]:
    """Parse `<offset.count>` if it follows: both, count -1 without it, and what the response has of it."""
    partial = _PARTIAL.match(cursor.data, cursor.pos)
    if not partial:
        return 0, -1, b""
    cursor.pos = partial.end()
    if int(partial[2]) == 0:
        raise BadCommand("a partial FETCH asks for at least one octet")
    return int(partial[1]), int(partial[2]), b"<%d>" % int(partial[1])


def _binary_part(cursor: Cursor) -> str:
    """Parse `[part]` (RFC 3516 7): a part number, or nothing for the whole message."""
    cursor.literal(b"[")
    match = _PART.match(cursor.data, cursor.pos)
    part = match[0].decode() if match else ""
    cursor.pos += len(part)
    cursor.literal(b"]")
    return part


def _limit_binary(items: FetchItems, part: str) -> None:
    """Refuse many items of one part, since a part is decoded from its beginning for each of them."""
    if sum(1 for each in items.sections if each.part == part and each.text in (BINARY, BINARY_SIZE)) > MOST_BINARY:
        raise No(f"[LIMIT] a FETCH names a part at most {MOST_BINARY} times with BINARY here")


def _fields(cursor: Cursor) -> list[str]:
    cursor.space()
    names = [cursor.astring().decode("ascii", "replace") for _ in cursor.each("a list of header names")]
    if not names:
        raise BadCommand("expected a header name")
    if len(names) > MOST_FIELDS:
        raise No(f"[LIMIT] a section names at most {MOST_FIELDS} header fields here")
    return names


def _relabel(written: bytes, text: str, part: str, fields: list[str]) -> bytes:
    """The section as the response repeats it; header lists with literals or extra spaces are written anew."""
    if not any(odd in written for odd in (b"{", b"  ", b"( ", b" )")):
        return written
    names = b" ".join(quoted(name.encode()) for name in fields)
    head = f"{part}.{text}" if part else text
    return b"[%b (%b)]" % (head.encode(), names)
