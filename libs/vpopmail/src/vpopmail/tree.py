"""Files below one folder, opened so that no link, `..` or race leads out of it, and read in bounded pieces."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

#: Octets that are read at once.
PIECE = 64 * 1024
#: The longest line, in octets; vpopmail's own buffers hold 300.
LONGEST_LINE = 8 * 1024

_SAFE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY

_REASONS = {
    errno.ENOENT: "does not exist",
    errno.ELOOP: "is a symbolic link; links are not followed",
    errno.ENOTDIR: "is no folder, or a symbolic link, which is not followed",
    errno.EACCES: "may not be read",
    errno.EPERM: "may not be read",
    errno.ENAMETOOLONG: "has too long a name",
    errno.ENXIO: "is no regular file",
}


class Unreadable(Exception):
    """A file or folder cannot be read; the text is the reason, which follows its path in a report."""


class Skipped(Protocol):
    """Is told of each thing that is skipped: the path below the root, with a line's number if it is a line, and the reason."""

    def __call__(self, path: str, reason: str, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a folder. A symbolic link is neither a file nor a folder."""

    name: str
    is_file: bool
    is_folder: bool


class TreeFolder:
    """An open folder. `path` is that below the root, for reports; names that are not UTF-8 have surrogates (PEP 383)."""

    def __init__(self, descriptor: int, path: str) -> None:
        self._fd = descriptor
        self.path = path

    @classmethod
    def root(cls, path: str) -> "TreeFolder":
        """Open the root, which the caller chose: it may be reached by links. Raises Unreadable."""
        try:
            return cls(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), "")
        except (OSError, ValueError) as error:
            raise Unreadable(reason(error)) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the folder; what was opened from it stays open."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def below(self, name: str) -> str:
        """Return the path of an entry, for reports."""
        return f"{self.path}/{name}" if self.path else name

    def folder(self, *names: str) -> "TreeFolder":
        """Open a folder, one name after the other. Raises Unreadable."""
        found = TreeFolder(os.dup(self._fd), self.path)
        for name in names:
            with found as parent:
                descriptor = parent._open(name, os.O_DIRECTORY)
                found = TreeFolder(descriptor, parent.below(name))
        return found

    def entries(self) -> Iterator[Entry]:
        """Yield the entries, in the order of the folder. Raises Unreadable."""
        try:
            with os.scandir(self._fd) as found:
                for each in found:
                    is_file = is_folder = False
                    with suppress(OSError):
                        is_file = each.is_file(follow_symlinks=False)
                        is_folder = each.is_dir(follow_symlinks=False)
                    yield Entry(each.name, is_file, is_folder)
        except OSError as error:
            raise Unreadable(reason(error)) from None

    @contextmanager
    def opened(self, name: str) -> Iterator[tuple[int, os.stat_result]]:
        """Open a regular file; close it at the end of the block. Raises Unreadable."""
        descriptor = self._open(name, 0)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable("is no regular file")
            yield descriptor, status
        finally:
            os.close(descriptor)

    def read(self, name: str, most: int) -> bytes:
        """Read a whole file of up to `most` octets. Raises Unreadable."""
        with self.opened(name) as (descriptor, status):
            if status.st_size > most:
                raise Unreadable(f"has {status.st_size:,} octets; more than {most:,} are not read")
            return read_all(descriptor, most)

    def read_if_there(self, name: str, most: int) -> bytes | None:
        """Read a whole file; None if it does not exist. Raises Unreadable."""
        return self.read(name, most) if self.has(name) else None

    def has(self, name: str) -> bool:
        """Return whether there is an entry of that name, of whatever kind."""
        try:
            os.stat(name, dir_fd=self._fd, follow_symlinks=False)
        except (OSError, ValueError):
            return False
        return True

    def lines(self, name: str) -> Iterator[tuple[int, bytes | None]]:
        """Yield the number and the octets of each line, without its line end; None for one longer than LONGEST_LINE.

        A last line without its line end is yielded like the others. Raises Unreadable.
        """
        with self.opened(name) as (descriptor, _):
            yield from _lines(descriptor)

    def _open(self, name: str, more: int) -> int:
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise Unreadable("leads out of its folder")
        try:
            return os.open(name, _SAFE | more, dir_fd=self._fd)
        except (OSError, ValueError) as error:
            raise Unreadable(reason(error)) from None


def read_all(descriptor: int, most: int) -> bytes:
    """Read to the end of a file of up to `most` octets. Raises Unreadable if it has more, or cannot be read."""
    pieces, size = [], 0
    try:
        while piece := os.read(descriptor, min(PIECE, most - size + 1)):
            pieces.append(piece)
            size += len(piece)
            if size > most:
                raise Unreadable(f"has more than {most:,} octets, which are not read")
    except OSError as error:
        raise Unreadable(reason(error)) from None
    return b"".join(pieces)


def reason(error: OSError | ValueError) -> str:
    """Return why a file cannot be opened or read."""
    if isinstance(error, OSError):
        return _REASONS.get(error.errno or 0, f"cannot be read: {os.strerror(error.errno or 0)}")
    return "has a name that no file can have"


def shown(path: str) -> str:
    """Return a path as it can be printed: octets that are not UTF-8, and control characters, are escaped."""
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def is_text(name: str) -> bool:
    """Return whether a name is UTF-8 (PEP 383)."""
    return name.isascii() or not any("\udc80" <= char <= "\udcff" for char in name)


def _lines(descriptor: int) -> Iterator[tuple[int, bytes | None]]:
    number, rest, too_long = 1, b"", False
    while True:
        try:
            piece = os.read(descriptor, PIECE)
        except OSError as error:
            raise Unreadable(reason(error)) from None
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield number, None if too_long or len(line) > LONGEST_LINE else line
            number, too_long = number + 1, False
        if len(rest) > LONGEST_LINE:
            rest, too_long = b"", True
        if not piece:
            break
    if rest or too_long:
        yield number, None if too_long else rest
