"""PREVIEW: the beginning of a message's text in at most 200 characters, made when it is asked for (RFC 8970; docs/decisions/0060)."""

import re
from html import unescape

from mailstore.mime.part import Part, read_fields
from mailstore.mime.sections import TEXT, PartEntry, unpack
from mailstore.mime.text import decode_transfer
from mailstore.mime.words import decode_bytes

#: Limit of the preview (RFC 8970 3.3).
CHARACTERS = 200
#: Octets of a part's content, and of its header, that are read at most; and the text parts that are looked at.
CONTENT = 64 * 1024
_PLAIN_CONTENT = 16 * 1024
HEADER = 64 * 1024
MOST_PARTS = 4
#: Characters of plain text and of HTML's text, and pieces of it between tags, of which the preview is made.
_ENOUGH = 4000
_ENOUGH_OF_HTML = 1000
_MOST_PIECES = 2000

_TAG_NAME = re.compile(r"</?([A-Za-z][A-Za-z0-9]{0,20})")
#: Elements whose content is not text; each ends only with its own end tag.
_RAW_END = {
    "script": re.compile("</(?i:script)"),
    "style": re.compile("</(?i:style)"),
    "title": re.compile("</(?i:title)"),
}
_INLINE = frozenset(
    [
        "a",
        "abbr",
        "b",
        "big",
        "code",
        "em",
        "font",
        "i",
        "ins",
        "mark",
        "s",
        "small",
        "span",
        "strong",
        "sub",
        "sup",
        "tt",
        "u",
    ]
)
#: Characters that are not shown or change the direction of what stands beside the preview.
_INVISIBLE = dict.fromkeys(
    (*range(32), *range(127, 160), 173, 847, 8203, *range(8234, 8239), *range(8294, 8298), 65279)
)


def text_parts(parts: bytes) -> list[PartEntry]:
    """Return the first text parts of a message, of which `preview` makes the preview."""
    rows = [row for row in unpack(parts) if row.kind == TEXT and row.header_len <= HEADER]
    return rows[:MOST_PARTS]


def octets(row: PartEntry) -> tuple[int, int]:
    """Return where in the body (offset and length) the header of a part is with the beginning of its content."""
    return row.header, row.header_len + min(row.body_len, CONTENT)


def preview(row: PartEntry, data: bytes) -> str:
    """Return the preview that a text part gives, made of its `octets`; "" for an attachment, encrypted or other text."""
    length = row.header_len
    part = Part(0, None if row.depth == 0 else Part(0, None))
    read_fields(part, data[:length])
    subtype = b"plain" if part.type is None else part.subtype.lower()
    if subtype not in (b"plain", b"html") or (part.disposition and part.disposition[0].lower() == b"attachment"):
        return ""
    charset = next((value.decode("latin-1") for key, value in part.params if key.lower() == b"charset"), None)
    data = data[length:] if subtype == b"html" else data[length : length + _PLAIN_CONTENT]
    text = decode_bytes(decode_transfer(data, (part.encoding or b"").lower()), charset)
    return shortened(html_text(text) if subtype == b"html" else plain_text(text))


def shortened(text: str) -> str:
    """Return the first CHARACTERS characters of `text`, with one space for each run of white space."""
    words = " ".join(text[:_ENOUGH].split()).translate(_INVISIBLE)
    return words[:CHARACTERS].strip().encode("utf-8", "replace").decode("utf-8")


def plain_text(text: str) -> str:
    """Return the beginning of a plain text without quoted lines, if it has others; "" for one that is encrypted."""
    text = text.lstrip()[:_ENOUGH]
    if text.startswith("-----BEGIN PGP MESSAGE"):
        return ""
    own = "\n".join(line for line in text.split("\n") if not line.startswith(">"))
    return own if own.strip() else text


def html_text(html: str) -> str:
    """Return the beginning of the text of HTML, in one pass: tags, comments, scripts, styles and the title are left out."""
    found: list[str] = []
    length = at = 0
    while at < len(html) and length < _ENOUGH_OF_HTML and len(found) < _MOST_PIECES:
        start = html.find("<", at)
        piece = html[at:] if start < 0 else html[at:start]
        length += len(piece.strip())
        found.append(piece)
        if start < 0:
            break
        at, between = _behind_markup(html, start)
        found.append(between)
    return unescape("".join(found)).lstrip()


def _behind_markup(html: str, start: int) -> tuple[int, str]:
    """Return where the text goes on behind the `<` at `start`, and what stands for it in the text."""
    if html.startswith("<!--", start):
        return _behind(html, "-->", start + 4), " "
    name = _TAG_NAME.match(html, start)
    if name is None and html[start + 1 : start + 2] not in ("!", "?"):
        return start + 1, "<"
    end = _behind(html, ">", start)
    word = name[1].lower() if name else ""
    if word in _RAW_END and html[start + 1] != "/":
        closed = _RAW_END[word].search(html, end)
        return (len(html) if closed is None else closed.start()), " "
    return end, "" if word in _INLINE else " "


def _behind(html: str, mark: str, start: int) -> int:
    found = html.find(mark, start)
    return len(html) if found < 0 else found + len(mark)
