"""Names of folders: the default ones, levels, and which names a folder may have (RFC 3501 5.1). Pure."""

from collections.abc import Iterable

from mailstore_api.wire import DELIMITER

#: The default folders of each mailbox, INBOX first (folder id 1), with their special use (RFC 6154).
FOLDERS = {
    "INBOX": "",
    "Drafts": "\\Drafts",
    "Sent": "\\Sent",
    "Junk": "\\Junk",
    "Trash": "\\Trash",
    "Archive": "\\Archive",
}
#: The special uses by their names in lower case. \All and \Flagged would be views of other folders' messages.
SPECIAL_USES = {use.lower(): use for use in FOLDERS.values() if use}
INBOX, INBOX_ID = "INBOX", 1
#: Limits of a name: characters, and levels.
LONGEST_NAME = 400
DEEPEST = 20
#: Control characters, line and paragraph separators (RFC 9755 3), and surrogates.
_FORBIDDEN = frozenset((*range(32), *range(127, 160), 0x2028, 0x2029, *range(0xD800, 0xE000)))


def parents(name: str) -> list[str]:
    """Return the levels above a name, outermost first."""
    levels = name.split(DELIMITER)
    return [DELIMITER.join(levels[:depth]) for depth in range(1, len(levels))]


def below(name: str, names: Iterable[str]) -> list[str]:
    """Return those of `names` that are below `name`, at any depth."""
    return [each for each in names if each.startswith(name + DELIMITER)]


def good_name(name: str) -> bool:
    """Return whether a folder may have this name.

    No level is empty, `.` or `..` or has outer spaces; no control characters; within the limits of length and depth; INBOX in
    capitals (RFC 3501 5.1). Wildcards of LIST are allowed, since customers migrate folders with such names.
    """
    levels = name.split(DELIMITER)
    return (
        0 < len(name) <= LONGEST_NAME
        and len(levels) <= DEEPEST
        and all(level and level == level.strip() and level not in (".", "..") for level in levels)
        and not any(ord(c) in _FORBIDDEN for c in name)
        and (levels[0].upper() != "INBOX" or levels[0] == "INBOX")
    )
