"""Messages of an mbox file (RFC 4155, with the quoting of mboxo and mboxrd), found in one pass and read one at a time."""

import email.utils
import hashlib
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from postrider.moving.mail import SourceFolder, SourceMessage, now
from postrider.moving.notes import Notes
from vpopmail.tree import Unreadable

#: Limit of the messages of a file.
MOST_MESSAGES = 1_000_000
#: Octets that are read at once, of a longer line too.
PIECE = 64 * 1024

#: The line before a message: it has an address and a time, which lines of text that begin with "From " lack.
_FROM = re.compile(rb"From \S+ .*\d\d:\d\d(:\d\d)?( |\r|$)")
#: Fields that mail programs write into an mbox, and no others.
_OWN = re.compile(rb"(?i)(status|x-status|x-uid|x-keywords|x-imapbase|x-imap):")
_QUOTED = re.compile(rb"^>(>*From )", re.M)
_FLAGS = {"R": "\\Seen", "A": "\\Answered", "F": "\\Flagged", "D": "\\Deleted", "T": "\\Draft"}


@dataclass(slots=True)
class _Place:
    start: int
    end: int
    date: float
    digest: bytes


def source_folder(path: Path, levels: tuple[str, ...], notes: Notes, most: int) -> Iterator[SourceFolder]:
    """Yield the one folder that the file is; it can be read until the iterator goes on. `most`: octets of the largest message.

    A message is known by its octets without the fields of mail programs, and by how many equal ones are before it. Raises
    Unreadable.
    """
    try:
        with path.open("rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Unreadable("is no regular file")
            prefix = "\0".join(levels).encode() + b"\0mbox\0"
            equal: Counter[bytes] = Counter()
            found = []
            for number, place in enumerate(_places(file.fileno()), 1):
                if number > MOST_MESSAGES:
                    notes.add("unreadable", str(path), f"has more than {MOST_MESSAGES:,} messages")
                    break
                equal[place.digest] += 1
                source = prefix + place.digest + b"%d" % equal[place.digest]
                found.append(_message(file.fileno(), f"{path}: message {number}", source, place, notes, most))
            yield SourceFolder(levels, 0, 0, True, found)
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror}") from None


def _message(descriptor: int, name: str, source: bytes, place: _Place, notes: Notes, most: int) -> SourceMessage:
    flags: list[str] = []

    def read() -> tuple[bytes, float] | None:
        if place.end - place.start > most:
            notes.add("no place", name, f"messages above {most:,} octets")
            return None
        data = os.pread(descriptor, place.end - place.start, place.start)
        kept, own = _without_own_fields(data)
        if any(field.lower().startswith(b"x-imap:") for field in own):
            return None  # the folder's own record of UW IMAP and pine, which is no message
        flags.extend(_flags(own))
        return _QUOTED.sub(rb"\1", kept), place.date

    return SourceMessage(source, name, 0, flags, "", read)


def _places(descriptor: int) -> Iterator[_Place]:
    """Yield where each message is, without the line before it and the empty one after it. Raises Unreadable."""
    place: _Place | None = None
    at, is_after_blank, in_header = 0, True, True
    digest = hashlib.blake2b(digest_size=16)
    for piece, starts_line, ends_line in _lines(descriptor):
        if starts_line and is_after_blank and _FROM.match(piece):
            if place is not None:
                place.digest = digest.digest()
                yield place
            place = _Place(at + len(piece), at + len(piece), _date(piece), b"")
            digest, in_header = hashlib.blake2b(digest_size=16), True
        elif place is None:
            raise Unreadable("is no mbox: it does not begin with a line From")
        is_blank = starts_line and ends_line and not piece.strip(b"\r\n")
        at += len(piece)
        if place.start != at:
            if not (in_header and starts_line and _OWN.match(piece)):
                digest.update(piece.replace(b"\r\n", b"\n") if piece.strip(b"\r\n") else b"")
            place.end = at - len(piece) if is_blank else at  # one empty line is the separator's
        in_header = in_header and not is_blank
        is_after_blank = is_blank
    if place is not None:
        place.digest = digest.digest()
        yield place


def _lines(descriptor: int) -> Iterator[tuple[bytes, bool, bool]]:
    """Yield lines, long ones in pieces: the octets, whether a line starts with them, whether it ends with them."""
    rest, offset, starts_line = b"", 0, True
    while piece := os.pread(descriptor, PIECE, offset):
        offset += len(piece)
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line + b"\n", starts_line, True
            starts_line = True
        if len(rest) >= PIECE:
            yield rest, starts_line, False
            rest, starts_line = b"", False
    if rest:
        yield rest, starts_line, True


def _without_own_fields(data: bytes) -> tuple[bytes, list[bytes]]:
    """Return the message without the fields that mail programs keep in an mbox, and these."""
    head, blank, body = data.partition(b"\r\n\r\n" if b"\r\n" in data[:1000] else b"\n\n")
    kept: list[bytes] = []
    own: list[bytes] = []
    for line in head.splitlines(keepends=True):
        (own if _OWN.match(line) else kept).append(line)
    text = b"".join(kept)
    return (text.rstrip(b"\r\n") if blank and own else text) + blank + body, own


def _flags(own: list[bytes]) -> Iterator[str]:
    for field in own:
        name, _, value = field.decode("ascii", "replace").partition(":")
        if name.lower() in ("status", "x-status"):
            yield from (_FLAGS[letter] for letter in value.strip() if letter in _FLAGS)
        elif name.lower() == "x-keywords":
            yield from (word for word in value.split()[:30] if word.isprintable() and len(word) <= 100)


def _date(line: bytes) -> float:
    parsed = email.utils.parsedate_tz(b" ".join(line.split()[2:]).decode("ascii", "replace"))
    try:
        found = email.utils.mktime_tz(parsed) if parsed else 0
    except (ValueError, OverflowError):
        found = 0
    return float(found) if 0 < found <= now() else now()
