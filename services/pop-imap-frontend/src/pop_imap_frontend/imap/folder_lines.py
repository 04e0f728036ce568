"""LIST and STATUS responses of one folder (RFC 3501 7.2.2, 7.2.4; RFC 5258 2)."""

from collections.abc import Iterable

from mailstore_api.wire import DELIMITER, FolderInfo
from pop_imap_frontend.imap.list_options import STATUS_ITEMS
from pop_imap_frontend.imap.responses import mailbox_id


def above(name: str) -> list[str]:
    """Return the names of the levels above a name."""
    return [name[:at] for at, char in enumerate(name) if char == DELIMITER]


def attributes(folder: FolderInfo, parents: set[str], *, subscribed: bool) -> list[str]:
    """Return the attributes of a folder, with \\Subscribed only if `subscribed`; `parents` have folders below them."""
    found = ["\\HasChildren" if folder.name in parents else "\\HasNoChildren"]
    if not folder.exists:
        found.append("\\NonExistent")
    elif not folder.selectable:
        found.append("\\Noselect")
    if folder.special_use:
        found.append(folder.special_use)
    if folder.subscribed and subscribed:
        found.append("\\Subscribed")
    return found


def list_line(verb: bytes, shown: bytes, given: Iterable[str], extra: bytes = b"") -> bytes:
    """Return a LIST or LSUB response with these attributes; `shown`: the name as the client reads it."""
    return b'* %b (%b) "/" %b%b\r\n' % (verb, " ".join(given).encode(), shown, extra)


def status_line(shown: bytes, folder: FolderInfo, items: Iterable[str]) -> bytes:
    """Return a STATUS response with these items; `shown`: the name as the client reads it."""
    values = []
    for item in items:
        value: int = getattr(folder, STATUS_ITEMS[item])
        values.append(b"%b %b" % (item.encode(), mailbox_id(value) if item == "MAILBOXID" else b"%d" % value))
    return b"* STATUS %b (%b)\r\n" % (shown, b" ".join(values))
