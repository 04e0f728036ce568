"""Maildir++ (Courier, Dovecot, vpopmail): folders, messages with flags and dates, subscriptions."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from vpopmail.folder_names import decoded, levels_of
from vpopmail.tree import Skipped, TreeFolder, Unreadable, is_text
from vpopmail.uidlists import MOST_MESSAGES, UidTable, base_name, read_uids

#: Limits of folders of a mailbox, and of the names that are subscribed.
MOST_FOLDERS = 1000
MOST_SUBSCRIPTIONS = 2000
LARGEST_SUBSCRIPTIONS = 1024 * 1024

#: Letters after `:2,` (cr.yp.to/proto/maildir.html); P is a keyword of most clients.
_FLAGS = {"D": "\\Draft", "F": "\\Flagged", "P": "$Forwarded", "R": "\\Answered", "S": "\\Seen", "T": "\\Deleted"}


@dataclass(frozen=True, slots=True)
class MaildirFolder:
    """A folder: its levels, none for INBOX, and the name of its directory in the Maildir."""

    levels: tuple[str, ...]
    directory: str


@dataclass(frozen=True, slots=True)
class MaildirMessage:
    """A file in `cur` or `new`. `base` stays when flags change; `uid` 0: no server gave one."""

    uid: int
    base: str
    place: str
    file: str

    def flags(self, keywords: dict[str, str]) -> list[str]:
        """Return the flags that the file's name has; `keywords`: those of Dovecot's letters a to z."""
        letters = self.file.partition(":2,")[2].partition(",")[0]
        return [name for letter in letters if (name := _FLAGS.get(letter) or keywords.get(letter))]


def folders(maildir: TreeFolder, skipped: Skipped) -> Iterator[MaildirFolder]:
    """Yield INBOX, then the other folders by name. Raises Unreadable."""
    yield MaildirFolder((), "")
    found: list[MaildirFolder] = []
    for entry in maildir.entries():
        if not entry.name.startswith(".") or not entry.is_folder or entry.name in (".", ".."):
            continue
        levels = levels_of(entry.name)
        if levels is None:
            skipped(maildir.below(entry.name), "has a name that is not UTF-8, or an empty level")
        elif len(found) >= MOST_FOLDERS:
            skipped(maildir.path, f"has more than {MOST_FOLDERS:,} folders; the others are skipped")
            break
        else:
            found.append(MaildirFolder(tuple(levels), entry.name))
    yield from sorted(found, key=lambda each: each.levels)


@contextmanager
def opened(maildir: TreeFolder, folder: MaildirFolder) -> Iterator[TreeFolder]:
    """Open the directory of a folder. Raises Unreadable."""
    with maildir.folder(*([folder.directory] if folder.directory else [])) as found:
        yield found


def table_and_messages(directory: TreeFolder, skipped: Skipped) -> tuple[UidTable, list[MaildirMessage]]:
    """Return the table of UIDs of a folder, and its messages by UID, then those without one by name.

    Of files with one base name, as a client may leave them when it is killed, the first one is taken. Raises Unreadable.
    """
    table = read_uids(directory, skipped)
    found: dict[str, MaildirMessage] = {}
    for place in ("cur", "new"):
        try:
            with directory.folder(place) as part:
                for entry in part.entries():
                    base = base_name(entry.name)
                    if not entry.is_file:
                        skipped(part.below(entry.name), "is no message: a folder, a link or a device")
                    elif not base or entry.name.startswith(".") or base in found:
                        skipped(part.below(entry.name), "is no name of a message, or one that is there twice")
                    elif len(found) >= MOST_MESSAGES:
                        skipped(part.path, f"has more than {MOST_MESSAGES:,} messages; the others are skipped")
                        break
                    else:
                        found[base] = MaildirMessage(table.uids.get(base, 0), base, place, entry.name)
        except Unreadable as error:
            skipped(directory.below(place), str(error))
    return table, sorted(found.values(), key=lambda each: (each.uid == 0, each.uid, each.base))


def keywords(directory: TreeFolder, skipped: Skipped) -> dict[str, str]:
    """Return Dovecot's keywords by letter: `dovecot-keywords` has lines like `0 $Forwarded`."""
    found: dict[str, str] = {}
    try:
        for _, line in directory.lines("dovecot-keywords") if directory.has("dovecot-keywords") else ():
            number, _, name = (line or b"").decode("ascii", "replace").partition(" ")
            if number.isdecimal() and int(number[:3]) < 26 and name.isprintable() and 0 < len(name) <= 100:
                found[chr(ord("a") + int(number[:3]))] = name
    except Unreadable as error:
        skipped(directory.below("dovecot-keywords"), str(error))
    return found


def date_of(message: MaildirMessage, mtime: float, now: float) -> float:
    """Return the date of receipt: the file's time, as Courier and Dovecot have it; the one in its name if that is later than `now`."""
    if 0 < mtime <= now:
        return mtime
    stamp = message.base.partition(".")[0]
    return float(stamp) if stamp.isascii() and stamp.isdigit() and len(stamp) <= 10 and int(stamp) <= now else now


def subscriptions(maildir: TreeFolder, skipped: Skipped) -> list[tuple[str, ...]]:
    """Return the levels of the folders that are subscribed, without INBOX: of Courier, and of Dovecot."""
    found: dict[tuple[str, ...], None] = {}
    for name in ("courierimapsubscribed", "subscriptions"):
        try:
            data = maildir.read_if_there(name, LARGEST_SUBSCRIPTIONS) or b""
        except Unreadable as error:
            skipped(maildir.below(name), str(error))
            continue
        lines = data.decode("utf-8", "surrogateescape").splitlines()
        separator = "\t" if lines and lines[0] == "V\t2" else "."
        for line in lines[1:] if separator == "\t" else lines:
            levels = tuple(decoded(level) for level in line.removeprefix("INBOX.").split(separator))
            if all(levels) and is_text(line) and levels != ("INBOX",) and len(found) < MOST_SUBSCRIPTIONS:
                found[levels] = None
    return list(found)
