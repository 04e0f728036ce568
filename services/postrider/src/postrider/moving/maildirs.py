"""Folders of a Maildir++ as an import takes them."""

from collections.abc import Iterator

from postrider.moving.mail import SourceFolder, SourceMessage, now
from postrider.moving.notes import Notes
from vpopmail.maildir import (
    MaildirFolder,
    MaildirMessage,
    date_of,
    folders,
    keywords,
    opened,
    subscriptions,
    table_and_messages,
)
from vpopmail.tree import TreeFolder, Unreadable, read_all
from vpopmail.uidls import DOVECOT_FORMAT, uidls


def count(maildir: TreeFolder) -> int:
    """Return the number of files in the folders of a Maildir, for a progress bar."""
    total = 0
    try:
        for folder in folders(maildir, _silent):
            with opened(maildir, folder) as directory:
                for place in ("cur", "new"):
                    with directory.folder(place) as part:
                        total += sum(each.is_file for each in part.entries())
    except Unreadable:
        pass
    return total


def source_folders(
    maildir: TreeFolder, notes: Notes, most: int, dovecot_format: str = DOVECOT_FORMAT
) -> Iterator[tuple[str, SourceFolder]]:
    """Yield (path, folder) for each folder that can be read, one at a time. `most`: octets of the largest message."""
    subscribed = set(subscriptions(maildir, notes.skipped))
    for folder in folders(maildir, notes.skipped):
        try:
            with opened(maildir, folder) as directory:
                yield directory.path, _folder(maildir, directory, folder, subscribed, notes, most, dovecot_format)
        except Unreadable as error:
            notes.skipped(maildir.below(folder.directory), str(error))


def _folder(
    maildir: TreeFolder,
    directory: TreeFolder,
    folder: MaildirFolder,
    subscribed: set[tuple[str, ...]],
    notes: Notes,
    most: int,
    dovecot_format: str,
) -> SourceFolder:
    table, found = table_and_messages(directory, notes.skipped)
    names = keywords(directory, notes.skipped)
    uidl = (lambda base: "") if folder.levels else uidls(maildir, table, notes.skipped, dovecot_format)
    prefix = "\0".join(folder.levels).encode("utf-8", "surrogateescape") + b"\0\0"

    def source(message: MaildirMessage) -> SourceMessage:
        base = message.base.encode("utf-8", "surrogateescape")
        path = directory.below(f"{message.place}/{message.file}")
        return SourceMessage(
            prefix + base,
            path,
            message.uid,
            message.flags(names),
            uidl(message.base),
            lambda: _read(directory, message, path, notes, most),
        )

    is_subscribed = not folder.levels or folder.levels in subscribed
    return SourceFolder(
        folder.levels, table.uidvalidity, table.uidnext, is_subscribed, [source(message) for message in found]
    )


def _read(
    directory: TreeFolder, message: MaildirMessage, path: str, notes: Notes, most: int
) -> tuple[bytes, float] | None:
    try:
        with directory.folder(message.place) as place, place.opened(message.file) as (descriptor, status):
            if status.st_size > most:
                notes.add("no place", path, f"messages above {most:,} octets")
                return None
            return read_all(descriptor, most), date_of(message, status.st_mtime, now())
    except Unreadable as error:
        notes.skipped(path, str(error))
        return None


def _silent(path: str, reason: str) -> None:
    """Say nothing: who reads the folder says it."""
