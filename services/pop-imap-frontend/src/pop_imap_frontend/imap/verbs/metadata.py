"""GETMETADATA and SETMETADATA: annotations of mailboxes, and of the account under an empty mailbox name (RFC 5464)."""

import re

from mailkit.ids import new_id
from mailstore_api.wire import (
    LARGEST_ANNOTATION,
    LONGEST_ENTRY,
    MOST_ANNOTATIONS_A_FOLDER,
    Annotation,
    MetadataChange,
    MetadataQuestion,
)
from pop_imap_frontend.imap.grammar import Cursor
from pop_imap_frontend.imap.refusals import NONEXISTENT, BadCommand, No
from pop_imap_frontend.imap.responses import literal8, quoted
from pop_imap_frontend.imap.session import ImapSession

_ENTRY = re.compile(r"/(?:private|shared)(?:/[^\x00-\x1f\x7f-\U0010ffff*%/]+)*")
_DEPTHS = {"0": 0, "1": 1, "INFINITY": -1}
_OPTION = re.compile(rb"\( *(?:MAXSIZE|DEPTH) ", re.I)
_REFUSALS = {
    "nonexistent": NONEXISTENT,
    "toomany": "[METADATA TOOMANY] there are too many annotations",
}


async def getmetadata(session: ImapSession, cursor: Cursor) -> str:
    """Send annotations. The options are before the mailbox (RFC 5464 5) or behind it (as in its examples)."""
    cursor.space()
    options: dict[str, int] = {}
    if cursor.peek() == b"(":
        _options(cursor, options)
        cursor.space()
    name = cursor.mailbox()
    cursor.space()
    if _OPTION.match(cursor.data, cursor.pos):
        _options(cursor, options)
        cursor.space()
    if cursor.peek() == b"(":
        entries = [_entry(cursor) for _ in cursor.each("a list of entries")]
    else:
        entries = [_entry(cursor)]
    cursor.end()
    entries = list(dict.fromkeys(entries))
    if not entries:
        raise BadCommand("expected an entry")
    if len(entries) > MOST_ANNOTATIONS_A_FOLDER:
        raise No(f"[LIMIT] a command names at most {MOST_ANNOTATIONS_A_FOLDER} entries here")
    depth, most = options.get("DEPTH", 0), options.get("MAXSIZE", -1)
    question = MetadataQuestion(session.mailbox_id, name, entries, depth, most)
    async with session.in_turn(only_reads=True):
        found = await session.context.mailstore.metadata(question)
    if found.status != "ok":
        raise No(NONEXISTENT)
    values = {item.entry: item.value for item in found.items}
    if not depth and not found.longest:
        values |= {entry: None for entry in entries if entry not in values}
    if values:
        pairs = b" ".join([b"%b %b" % (quoted(entry.encode()), _value(value)) for entry, value in values.items()])
        session.stream.write(b"* METADATA %b (%b)\r\n" % (session.mailbox(name), pairs))
    code = f"[METADATA LONGENTRIES {found.longest}] " if found.longest else ""
    return f"{code}GETMETADATA completed"


async def setmetadata(session: ImapSession, cursor: Cursor) -> str:
    cursor.space()
    name = cursor.mailbox()
    cursor.space()
    items: dict[str, bytes | None] = {}
    for _ in cursor.each("a list of entries and values"):
        entry = _entry(cursor)
        if entry.count("/") < (4 if entry.startswith(("/private/vendor/", "/shared/vendor/")) else 2):
            raise BadCommand("the entry's name has too few components")
        cursor.space()
        items[entry] = _given(cursor)
    cursor.end()
    if not items:
        raise BadCommand("expected an entry")
    if not name and any(entry.startswith("/shared/") for entry in items):
        raise No("[NOPERM] shared annotations of the server are not set by users")
    if any(value is not None and len(value) > LARGEST_ANNOTATION for value in items.values()):
        raise No(f"[METADATA MAXSIZE {LARGEST_ANNOTATION}] the value is too large")
    if len(items) > MOST_ANNOTATIONS_A_FOLDER:
        raise No(_REFUSALS["toomany"])
    change = MetadataChange(
        session.mailbox_id, name, [Annotation(entry, value) for entry, value in items.items()], new_id()
    )
    status = await session.context.mailstore.change_metadata(change)
    if status != "ok":
        raise No(_REFUSALS[status])
    return "SETMETADATA completed"


def _options(cursor: Cursor, options: dict[str, int]) -> None:
    for _ in cursor.each("a list of options"):
        name = cursor.keyword("an option")
        cursor.space()
        if name == "MAXSIZE":
            options[name] = cursor.number("a size")
        elif name == "DEPTH":
            depth = _DEPTHS.get(cursor.keyword("a depth"))
            if depth is None:
                raise BadCommand("a depth is 0, 1 or infinity")
            options[name] = depth
        else:
            raise BadCommand(f"{name} is not an option of GETMETADATA")


def _entry(cursor: Cursor) -> str:
    """Read the name of an entry and return it in lower case (RFC 5464 3.2)."""
    entry = cursor.text().lower()
    if len(entry) > LONGEST_ENTRY or not _ENTRY.fullmatch(entry):
        raise BadCommand("an entry begins with /private or /shared, and has no wildcards or empty components")
    return entry


def _given(cursor: Cursor) -> bytes | None:
    """Read a value: a string, a literal8, or NIL, which removes the entry."""
    if cursor.is_string():
        return cursor.string()
    if cursor.keyword("a string or NIL") != "NIL":
        raise BadCommand("expected a string or NIL")
    return None


def _value(value: bytes | None) -> bytes:
    if value is None:
        return b"NIL"
    return literal8(value) if b"\0" in value else quoted(value)
