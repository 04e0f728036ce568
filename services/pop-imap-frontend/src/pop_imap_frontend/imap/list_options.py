"""Parser of the arguments of LIST and STATUS (RFC 3501 6.3.8, 6.3.10; RFC 5258 3, 5819, 6154, 7162, 8438, 8474, 9208)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pop_imap_frontend.imap.grammar import Cursor
from pop_imap_frontend.imap.pattern import Pattern
from pop_imap_frontend.imap.refusals import BadCommand, No

MOST_PATTERNS = 20
#: The items of STATUS, and the field of a folder that each is.
STATUS_ITEMS = {
    "DELETED": "deleted",
    "DELETED-STORAGE": "deleted_size",
    "HIGHESTMODSEQ": "highest_modseq",
    "MAILBOXID": "folder_id",
    "MESSAGES": "messages",
    "RECENT": "recent",
    "SIZE": "size",
    "UIDNEXT": "uidnext",
    "UIDVALIDITY": "uidvalidity",
    "UNSEEN": "unseen",
}
_SELECT = ("SUBSCRIBED", "REMOTE", "RECURSIVEMATCH", "SPECIAL-USE")
_RETURN = ("SUBSCRIBED", "CHILDREN", "SPECIAL-USE", "STATUS")


@dataclass(slots=True)
class ListOptions:
    """Arguments of LIST: patterns, selection options and return options (RFC 5258 3)."""

    patterns: list[Pattern] = field(default_factory=list)
    select: set[str] = field(default_factory=set)
    returned: set[str] = field(default_factory=set)
    status: list[str] = field(default_factory=list)
    asks_delimiter: bool = False
    """True for a basic LIST with an empty pattern (RFC 3501 6.3.8)."""


def parse_list(cursor: Cursor) -> ListOptions:
    """Parse the arguments of LIST. Raises BadCommand and No."""
    options = ListOptions()
    cursor.space()
    extended = cursor.peek() == b"("
    if extended:
        options.select = {_option(cursor, _SELECT) for _ in cursor.each("selection options")}
        if "RECURSIVEMATCH" in options.select and options.select <= {"RECURSIVEMATCH", "REMOTE"}:
            raise BadCommand("RECURSIVEMATCH needs another selection option")
        cursor.space()
    reference = cursor.mailbox()
    cursor.space()
    if cursor.peek() == b"(":
        extended = True
        patterns = [cursor.list_mailbox() for _ in cursor.each("mailbox patterns")]
    else:
        patterns = [cursor.list_mailbox()]
    if not cursor.at_end():
        extended = True
        cursor.space()
        if cursor.keyword("RETURN") != "RETURN":
            raise BadCommand("expected RETURN")
        cursor.space()
        for _ in cursor.each("return options"):
            name = _option(cursor, _RETURN)
            options.returned.add(name)
            if name == "STATUS":
                cursor.space()
                options.status = status_items(cursor)
    cursor.end()
    if len(patterns) > MOST_PATTERNS:
        raise No(f"[LIMIT] a LIST has at most {MOST_PATTERNS} patterns here")
    options.asks_delimiter = not extended and patterns == [""]
    options.patterns = [Pattern(reference, pattern) for pattern in patterns if pattern]
    return options


def _option(cursor: Cursor, known: Sequence[str]) -> str:
    name = cursor.keyword("an option")
    if name not in known:
        raise BadCommand(f"{name} is not an option of LIST")
    return name


def status_items(cursor: Cursor) -> list[str]:
    """Parse a list of status items (RFC 3501 6.3.10), each once."""
    items: dict[str, None] = {}
    for _ in cursor.each("a list of status items"):
        name = cursor.keyword("a status item")
        if name not in STATUS_ITEMS:
            raise BadCommand(f"{name} is not a status item")
        items[name] = None
    if not items:
        raise BadCommand("expected a status item")
    return list(items)
